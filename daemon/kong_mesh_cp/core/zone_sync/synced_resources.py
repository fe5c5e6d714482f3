"""A resource between its store and the wire: JSON, whatever its type is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_values import JsonObject
from kong_mesh_cp.core.resources import labels
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.zone_sync.synced_names import synced_name

KDS_SYNC: Final = "kuma.io/kds-sync"
_DISABLED: Final = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncedResource:
    """`spec` is its object alone: the fields of an older type, what is under `spec` of a newer."""

    key: ResourceKey
    spec: JsonObject
    labels: Mapping[str, str] = field(default_factory=dict)
    status: JsonObject | None = None

    @property
    def stays_here(self) -> bool:
        """Its author does not want it to travel."""
        return self.labels.get(KDS_SYNC) == _DISABLED


def with_labels(
    resource: SyncedResource, given: Mapping[str, str], skipped_prefixes: Iterable[str] = ()
) -> SyncedResource:
    """`resource` with these labels over its own, without those that begin so."""
    prefixes = tuple(skipped_prefixes)
    kept = {**resource.labels, **given}
    return replace(
        resource,
        labels={name: kept[name] for name in sorted(kept) if not name.startswith(prefixes)}
        if prefixes
        else dict(sorted(kept.items())),
    )


def under_its_synced_name(resource: SyncedResource) -> SyncedResource:
    """As it is called elsewhere; its label says what users call it."""
    key = resource.key
    shown = labels.display_name(key.name, resource.labels)
    named = with_labels(resource, {labels.DISPLAY_NAME: shown})
    return replace(named, key=key._replace(name=synced_name(key, resource.labels)))
