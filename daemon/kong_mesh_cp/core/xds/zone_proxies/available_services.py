"""What the ingresses of a zone offer to other zones: the tags of the instances that are there.

Source: docs/wire/zone-proxies.md#available-services
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from kong_mesh_cp.core.meshes.virtual_hosts import MESH_TAG
from kong_mesh_cp.core.resources.kinds.mesh import MeshServicesMode
from kong_mesh_cp.core.resources.kinds.services.external_service import ExternalService
from kong_mesh_cp.core.resources.kinds.zone_proxies import AvailableService
from kong_mesh_cp.core.resources.meta import has_spec
from kong_mesh_cp.core.resources.tags import ZONE
from kong_mesh_cp.core.xds.cross_mesh.gateway_listeners import GATEWAY, gateway_instances
from kong_mesh_cp.core.xds.outside.external_services import EXTERNAL
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.services.instances import Endpoint, TagPairs, pairs
from kong_mesh_cp.core.xds.world import DATAPLANE, MeshWorld


def available_services(
    worlds: Sequence[MeshWorld], tag_prefixes: Sequence[str] = (), parts: Parts | None = None
) -> tuple[AvailableService, ...]:
    """Of all meshes of a zone. `tag_prefixes`: of the tags of instances only those that begin so
    are told; none: all are. `parts` remember what was counted of services that have not changed.
    """
    prefixes, counted = tuple(tag_prefixes), parts or Parts()
    instances = Counter[_Key]()
    for world in worlds:
        for some in world.endpoints.values() if _has_tagged_services(world) else ():
            for tags, count in _counted(some, prefixes, counted).items():
                instances[tags, world.name] += count
    outside = Counter(found for world in worlds for found in _outside(world))
    found = [*_sorted(instances), *_sorted(outside, external=True)]
    for world in worlds:
        gateways = Counter(
            (pairs({**dict(endpoint.tags), MESH_TAG: world.name}), world.name)
            for _, endpoint in gateway_instances(
                world.of_type(GATEWAY).values(), world.of_type(DATAPLANE).values()
            )
        )
        found += _sorted(gateways)
    return tuple(found)


_Key = tuple[TagPairs, str]  # tags, and the mesh


def _counted(
    some: tuple[Endpoint, ...], prefixes: tuple[str, ...], parts: Parts
) -> Counter[TagPairs]:
    found, _ = parts.made(
        ("offered", id(some)), lambda: (Counter(_told(each.tags, prefixes) for each in some), some)
    )
    return found


def _told(tags: TagPairs, prefixes: tuple[str, ...]) -> TagPairs:
    return tuple(each for each in tags if each[0].startswith(prefixes)) if prefixes else tags


def _has_tagged_services(world: MeshWorld) -> bool:
    """Its services are not known as resources alone."""
    services = world.mesh.spec.mesh_services
    return services is None or services.mode is not MeshServicesMode.Exclusive


def _outside(world: MeshWorld) -> Iterable[_Key]:
    """Services outside of the mesh that this zone alone can reach, by its egress."""
    routing = world.mesh.spec.routing
    if routing is None or not routing.zone_egress or not _has_tagged_services(world):
        return
    for each in world.of_type(EXTERNAL).values():
        if has_spec(each, ExternalService) and each.spec.tags.get(ZONE) == world.zone:
            yield pairs(each.spec.tags), world.name


def _sorted(counted: Counter[_Key], *, external: bool = False) -> Iterable[AvailableService]:
    """In the order of the original, so that nothing is written anew that says the same."""
    found = sorted(
        (f"{','.join(f'{key}={value}' for key, value in tags)}.{mesh}", tags, mesh, count)
        for (tags, mesh), count in counted.items()
    )
    for _, tags, mesh, count in found:
        yield AvailableService(
            tags=dict(tags), instances=count, mesh=mesh, external_service=external
        )
