"""Which host names a service has, and in which zones (docs/wire/inspection.md#host-names)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kong_mesh_cp.core.meshes.services.service_hostnames import (
    Generator,
    HostnamedService,
    evaluated,
)
from kong_mesh_cp.core.resources.labels import ORIGIN, ZONE
from kong_mesh_cp.core.resources.meta import Resource


def zone_of(resource: Resource[object]) -> str:
    """The zone in its label; else the first part of its name, where synced ones have it."""
    return resource.labels.get(ZONE) or resource.name.partition(".")[0]


def hostnames(
    service: Resource[object], generators: Iterable[Generator]
) -> Mapping[str, list[str]]:
    """The zones by host name, both sorted. A template that makes no name counts for nothing."""
    zone = zone_of(service)
    found: dict[str, set[str]] = {}
    for generator in generators:
        # As one zone sees it: what comes from this very zone is its own, all else is global.
        own = generator.labels.get(ORIGIN) == "zone" and zone_of(generator) == zone
        labels = {**service.labels, ORIGIN: "zone" if own else "global"}
        seen = HostnamedService(service.name, service.mesh, labels, service.created_at)
        made = evaluated(generator, service.type, seen, zone)
        if made is not None and made.hostname:
            found.setdefault(made.hostname, set()).add(zone)
    return {name: sorted(found[name]) for name in sorted(found)}
