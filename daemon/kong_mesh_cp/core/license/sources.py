"""Where a license can come from, and which source wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from enum import Enum

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.license.fault import LicenseRejectedError


class SourceKind(Enum):
    """By precedence: the first that is set wins. The value is what an operator knows it by."""

    INLINE = "KMESH_LICENSE_INLINE"
    PATH = "KMESH_LICENSE_PATH"
    CREDENTIAL = "systemd credential `license`"
    CONFIG_INLINE = "license.inline"
    CONFIG_PATH = "license.path"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReading:
    """One source that is set: its document, or why it could not be read."""

    kind: SourceKind
    path: str | None  # the file, for sources that name one
    document: bytes | None = field(repr=False)
    error: LicenseRejectedError | None
    remarks: tuple[str, ...] = ()  # readable, but an operator should know (file mode, owner)

    @property
    def source(self) -> str:
        """`/etc/kong-mesh/license.json (KMESH_LICENSE_PATH)`, or the variable alone."""
        return f"{self.path} ({self.kind.value})" if self.path else self.kind.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which of the sources that are set is the license."""

    winner: SourceReading
    losers: tuple[SourceReading, ...]
    conflicting: bool  # some loser does not hold the same document as the winner


def choose(readings: Sequence[SourceReading]) -> Choice | None:
    """Choose by precedence among the sources that are set; None when none is.

    A winner that could not be read stays the winner: falling through to a lower source would run
    a mesh on a license that was not meant. The caller raises its `error`.
    """
    if not readings:
        return None
    ranks = list(SourceKind)
    winner, *losers = sorted(readings, key=lambda reading: ranks.index(reading.kind))
    return Choice(
        winner=winner,
        losers=tuple(losers),
        conflicting=any(not _same_document(winner, loser) for loser in losers),
    )


def _same_document(one: SourceReading, other: SourceReading) -> bool:
    """An unreadable source is the same as none: what it should have said is not known."""
    if one.document is None or other.document is None:
        return False
    # A variable loses the final newline that its file has, and an editor may change line ends.
    return one.document.split() == other.document.split()
