"""What an ingress takes from other zones and passes on to the proxies of its own, still secured.

Source: docs/wire/zone-proxies.md#ingress
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.resources import labels
from kong_mesh_cp.core.resources.kinds.zone_proxies import ZoneIngress
from kong_mesh_cp.core.resources.meta import Resource
from kong_mesh_cp.core.resources.tags import SERVICE, Tags
from kong_mesh_cp.core.xds.assignments import EndpointSource
from kong_mesh_cp.core.xds.cross_mesh.gateway_listeners import GATEWAY, gateway_instances
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.services.instances import Endpoint
from kong_mesh_cp.core.xds.services.service_endpoints import port_id
from kong_mesh_cp.core.xds.services.service_resources import (
    MESH_SERVICE,
    MULTI_ZONE,
    ServiceResource,
)
from kong_mesh_cp.core.xds.world import DATAPLANE, MeshWorld
from kong_mesh_cp.core.xds.zone_proxies.passed_on import (
    Passage,
    PassedOn,
    asked_by_tags,
    found_behind,
    pass_on,
    subsets_of,
    tagged_passages,
)
from kong_mesh_cp.core.xds.zone_proxies.tagged_destinations import tagged_destinations
from kong_mesh_cp.core.xds.zone_proxies.zone_listener import answer, listen
from kong_mesh_cp.core.xds.zone_proxies.zone_view import ZoneProxyView, mesh_cluster


def ingress(view: ZoneProxyView, resource: Resource[ZoneIngress], draft: Draft) -> None:
    available: dict[str, list[Tags]] = {}
    for service in resource.spec.available_services:
        available.setdefault(service.mesh, []).append(service.tags)
    passages: list[Passage] = []
    clusters: dict[str, PassedOn] = {}
    for name, world in view.world.meshes.items():
        passages += _of_mesh(world, available.get(name, []), clusters, draft)
    pass_on(clusters, view.world, draft)
    if passages:
        listen(view, passages, draft)
    else:
        # So that who looks whether it is there finds it.
        answer(view, f'{{"proxy":"{view.id}","zone":"{view.world.zone}"}}', draft)


def _of_mesh(
    world: MeshWorld, available: Sequence[Tags], clusters: dict[str, PassedOn], draft: Draft
) -> list[Passage]:
    """To what the ways through `clusters` lead, which are noted there."""
    services = dict.fromkeys(each.get(SERVICE, "") for each in available)
    beside = _beside(world, services, draft.parts)
    destinations = tagged_destinations(world, available)
    by_tags = {each for each in services if destinations.asks_tags(each)}
    draft.services |= {asked_by_tags(mesh_cluster(world.name, each)) for each in by_tags}
    endpoints = {each: (world.endpoints.get(each, ()), beside[each]) for each in by_tags}
    passages = tagged_passages(world.name, available, destinations, endpoints)
    by_cluster: dict[str, list[Passage]] = {}
    behind: dict[str, EndpointSource] = {}
    for each in passages:
        by_cluster.setdefault(each.cluster, []).append(each)
        # By which the zone knows its endpoints, too.
        behind[each.cluster] = found_behind((each.cluster,), beside[each.service])
    for passage, ports in _to_resources(world):
        by_cluster.setdefault(passage.cluster, []).append(passage)
        behind[passage.cluster] = found_behind(ports)
        passages.append(passage)
    for cluster, leading in by_cluster.items():
        clusters[cluster] = PassedOn(subsets_of(leading, destinations.of_all), behind[cluster])
    return passages


def _beside(
    world: MeshWorld, services: Iterable[str], parts: Parts
) -> Mapping[str, tuple[Endpoint, ...]]:
    """What there is of `services`, by their tag, beside their instances in this zone: what is
    outside of the mesh is behind the egress.
    """
    held = _of_gateways(world)
    gateways, _ = parts.made(("gateways", *map(id, held)), lambda: (_gateways(world), held))
    found: dict[str, tuple[Endpoint, ...]] = {}
    for service in services:
        outside = world.external.get(service)
        gates = () if outside is None else outside.gates
        found[service] = (*gates, *gateways.get(service, ()))
    return found


def _of_gateways(world: MeshWorld) -> tuple[object, ...]:
    """What instances of gateways follow from; proxies count where there is a MeshGateway."""
    gateways = world.of_type(GATEWAY)
    return (gateways, world.policies, world.of_type(DATAPLANE)) if gateways else ()


def _gateways(world: MeshWorld) -> Mapping[str, tuple[Endpoint, ...]]:
    found: dict[str, tuple[Endpoint, ...]] = {}
    gateways, dataplanes = world.of_type(GATEWAY), world.of_type(DATAPLANE)
    for service, endpoint in gateway_instances(gateways.values(), dataplanes.values()):
        found[service] = (*found.get(service, ()), endpoint)
    return found


def _to_resources(world: MeshWorld) -> Iterator[tuple[Passage, tuple[DestinationId, ...]]]:
    """To the MeshServices of this zone, and to those of several zones of which it is one; with the
    ports that it leads to.
    """
    for service in (*world.services.of_type(MESH_SERVICE), *world.services.of_type(MULTI_ZONE)):
        if service.id.type == MESH_SERVICE and not _is_of_zone(service, world.zone):
            continue
        for port in service.ports:
            passage = Passage(service.server_name(port.number), service.cluster(port.number))
            yield passage, _behind(world, service, port.number)


def _is_of_zone(service: ServiceResource, zone: str) -> bool:
    return service.labels.get(labels.ZONE, "") in ("", zone)


def _behind(world: MeshWorld, service: ServiceResource, port: int) -> tuple[DestinationId, ...]:
    """Instances of this zone: to other zones leads no ingress."""
    if service.id.type == MESH_SERVICE:
        return (port_id(service, port),)
    parts = (world.services.find(each) for each in service.parts)
    return tuple(port_id(part, port) for part in parts if part is not None and part.is_local)
