"""What the control plane of a zone sends to the global one, and as what.

Source: docs/wire/zone-sync.md#up
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from kong_mesh_cp.core.formats.go.go_values import JsonObject, is_object
from kong_mesh_cp.core.resources import labels
from kong_mesh_cp.core.zone_sync.synced_resources import (
    SyncedResource,
    under_its_synced_name,
    with_labels,
)

GRACE_PERIOD_STARTED: Final = "kuma.io/deletion-grace-period-started-at"
_INSIGHTS: Final = frozenset({"DataplaneInsight", "ZoneIngressInsight", "ZoneEgressInsight"})


def offer_up(
    resource: SyncedResource, zone: str, skipped_prefixes: Sequence[str] = ()
) -> SyncedResource | None:
    """As the global control plane gets it; None: it does not leave the zone."""
    if resource.stays_here or resource.labels.get(labels.ORIGIN) not in {None, "", "zone"}:
        return None
    told = with_labels(
        resource,
        {labels.ORIGIN: "zone", labels.ZONE: zone},
        (GRACE_PERIOD_STARTED, *skipped_prefixes),
    )
    if resource.key.type in _INSIGHTS:
        told = replace(told, spec=_without_generations(told.spec))
    return under_its_synced_name(told)


def _without_generations(spec: JsonObject) -> JsonObject:
    """They are a sign of life among control planes of one store, and would change all the time."""
    found = spec.get("subscriptions")
    if not isinstance(found, list):
        return spec
    kept = [
        {name: value for name, value in each.items() if name != "generation"}
        for each in found
        if is_object(each)
    ]
    return {**spec, "subscriptions": kept}
