"""Volumes and quotas: how much is stored, and how much may be. All stores count alike."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass


class Share(Enum):
    """What is counted together; the values are the words of a refusal."""

    # Apart, because their number follows the proxies and not what is written by hand.
    DATAPLANES = "Dataplanes"
    OTHERS = "resources but Dataplanes"


# What the control plane itself writes, as proxies come and go: no client can write it.
NOT_COUNTED: Final = frozenset(
    {
        "AdmissionRegistration",
        "AdmissionRun",
        "Config",
        "DataplaneInsight",
        "MeshInsight",
        "ServiceInsight",
        "ZoneEgressInsight",
        "ZoneIngressInsight",
        "ZoneInsight",
    }
)


def share_of(type_name: str) -> Share | None:
    """Where resources of a type are counted; None: nowhere."""
    if type_name in NOT_COUNTED:
        return None
    return Share.DATAPLANES if type_name == "Dataplane" else Share.OTHERS


def size_of(spec: str, status: str | None, labels: Mapping[str, str]) -> int:
    """The bytes of a resource that its writer chooses, in UTF-8; its key is not among them."""
    # In one text, because every write asks: one look at it is faster than one at each part.
    text = f"{spec}{status or ''}{''.join(labels)}{''.join(labels.values())}"
    return len(text) if text.isascii() else len(text.encode())


class Volume(NamedTuple):
    """Resources of one share."""

    items: int = 0
    bytes: int = 0


class Totals(NamedTuple):
    """All that is counted in a store."""

    dataplanes: Volume = Volume()
    others: Volume = Volume()

    def of(self, share: Share) -> Volume:
        return self.dataplanes if share is Share.DATAPLANES else self.others

    def changed(self, type_name: str, before: int | None, after: int | None) -> Totals:
        """With a resource that had `before` bytes and has `after`; None: it is not there."""
        share = share_of(type_name)
        if share is None:
            return self
        old = self.of(share)
        new = Volume(
            old.items + (after is not None) - (before is not None),
            old.bytes + (after or 0) - (before or 0),
        )
        if share is Share.DATAPLANES:
            return Totals(new, self.others)
        return Totals(self.dataplanes, new)


@dataclass(frozen=True, slots=True)
class Excess:
    """What would be too much."""

    share: Share
    what: str  # `items` or `bytes`
    found: int  # with the change
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How much of each share there may be in all, by all users together."""

    items: int
    bytes: int

    def excess(self, type_name: str, before: Totals, after: Totals) -> Excess | None:
        """What a change of a resource of this type makes too much; None: nothing.

        What takes no more room than before is never too much.
        """
        share = share_of(type_name)
        if share is None:
            return None
        old, new = before.of(share), after.of(share)
        # Both, so that a quota that was lowered below what is there blocks no update or deletion.
        if new.items > self.items and new.items > old.items:
            return Excess(share, "items", new.items, self.items)
        if new.bytes > self.bytes and new.bytes > old.bytes:
            return Excess(share, "bytes", new.bytes, self.bytes)
        return None
