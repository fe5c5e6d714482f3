"""Whose a stored resource is, for one who receives resources of another control plane.

Source: docs/wire/zone-sync.md#receiving
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Protocol

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources import labels
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.zone_sync.directions import may_be_of_zone
from kong_mesh_cp.core.zone_sync.synced_resources import SyncedResource, with_labels

_OF_A_ZONE_PROXY: Final = frozenset({"ZoneIngress", "ZoneEgress"})


class Sender(Protocol):
    """Who sends, as the receiver sees it."""

    def owns(self, key: ResourceKey, given: Mapping[str, str]) -> bool:
        """Whether what is stored there, with these labels, came from it."""
        ...

    def received(self, resource: SyncedResource) -> SyncedResource:
        """What is stored of what it sends."""
        ...


@dataclass(frozen=True, slots=True)
class FromGlobal:
    """The global control plane, for one of a zone."""

    def owns(self, key: ResourceKey, given: Mapping[str, str]) -> bool:
        # Of what zones cannot have of their own, all is the global one's: it wins at the first
        # time that a zone which was alone meets it.
        return not may_be_of_zone(key.type) or given.get(labels.ORIGIN) == "global"

    def received(self, resource: SyncedResource) -> SyncedResource:
        return resource


@dataclass(frozen=True, slots=True)
class FromZone:
    """The control plane of a zone, for the global one."""

    zone: str
    hashes_names: bool = True  # old ones do not; their names are told from others by a prefix

    def owns(self, key: ResourceKey, given: Mapping[str, str]) -> bool:
        if told := given.get(labels.ZONE):
            return told == self.zone
        # Of a time without labels. A name may begin so without a meaning: `a.web` of another zone.
        return given.get(labels.ORIGIN) != "global" and key.name.startswith(f"{self.zone}.")

    def received(self, resource: SyncedResource) -> SyncedResource:
        """Whatever the zone says of where it comes from."""
        of = {labels.ZONE: self.zone, labels.ORIGIN: "zone"}
        labelled = with_labels(resource, of)
        key = resource.key
        if not self.hashes_names:
            labelled = replace(labelled, key=key._replace(name=f"{self.zone}.{key.name}"))
        if key.type in _OF_A_ZONE_PROXY:
            labelled = replace(labelled, spec={**labelled.spec, "zone": self.zone})
        return labelled
