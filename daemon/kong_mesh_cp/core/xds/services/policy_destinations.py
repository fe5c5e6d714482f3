"""Services that are resources, as policies speak of them."""

from __future__ import annotations

from collections.abc import Mapping

from kong_mesh_cp.core.policy.rules.destinations import Destination, Destinations, Port
from kong_mesh_cp.core.policy.rules.mesh_resources import meta_of
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.kinds.services.mesh_multi_zone_service import MeshMultiZoneService
from kong_mesh_cp.core.resources.kinds.services.mesh_service import MeshService
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.xds.services.service_resources import SERVICE_TYPES
from kong_mesh_cp.core.xds.sorted_map import SortedMap

ByName = SortedMap[tuple[str, str], Destination]
"""By type and name."""


def destinations_by_name(resources: Mapping[str, Mapping[str, Resource[object]]]) -> ByName:
    """From scratch; `resources` are by type and name."""
    return SortedMap(
        {
            (each, name): _destination(resource)
            for each in SERVICE_TYPES
            for name, resource in resources.get(each, {}).items()
        }
    )


def next_destinations(
    before: ByName, changes: Mapping[ResourceKey, Resource[object] | None]
) -> ByName:
    """`before` after `changes`; the same where policies cannot tell one from the other."""
    after = before
    for key, resource in changes.items():
        if key.type in SERVICE_TYPES:
            place = (key.type, key.name)
            now = None if resource is None else _destination(resource)
            if after.get(place) != now:
                after = after.without(place) if now is None else after.with_item(place, now)
    return after


def policy_destinations(mesh: Resource[Mesh], by_name: ByName) -> Destinations:
    """Those of one mesh, itself among them."""
    return Destinations([Destination(meta_of(mesh)), *by_name.values()])


def _destination(resource: Resource[object]) -> Destination:
    meta = meta_of(resource)
    if has_spec(resource, MeshService) or has_spec(resource, MeshMultiZoneService):
        ports = tuple(Port(each.port, each.name or "") for each in resource.spec.ports)
        return Destination(meta, ports)
    return Destination(meta)  # an external service has one port, which says nothing here
