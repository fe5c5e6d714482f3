"""Services that are resources, as policies speak of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kong_mesh_cp.core.policy.rules.destinations import Destination, Destinations, Port
from kong_mesh_cp.core.policy.rules.mesh_resources import meta_of
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.kinds.services.mesh_multi_zone_service import MeshMultiZoneService
from kong_mesh_cp.core.resources.kinds.services.mesh_service import MeshService
from kong_mesh_cp.core.resources.meta import Resource, has_spec

DESTINATIONS: Final = ("MeshExternalService", "MeshMultiZoneService", "MeshService")


def policy_destinations(
    mesh: Resource[Mesh], resources: Mapping[str, Mapping[str, Resource[object]]]
) -> Destinations:
    """Of one mesh. `resources` are by type and name."""
    found = (resources.get(each, {}).values() for each in DESTINATIONS)
    services = (_destination(each) for some in found for each in some)
    return Destinations([Destination(meta_of(mesh)), *services])


def is_other_destination(before: Resource[object] | None, after: Resource[object] | None) -> bool:
    """Policies can tell one from the other."""
    if before is None or after is None:
        return before is not after
    return _destination(before) != _destination(after)


def _destination(resource: Resource[object]) -> Destination:
    meta = meta_of(resource)
    if has_spec(resource, MeshService) or has_spec(resource, MeshMultiZoneService):
        ports = tuple(Port(each.port, each.name or "") for each in resource.spec.ports)
        return Destination(meta, ports)
    return Destination(meta)  # an external service has one port, which says nothing here
