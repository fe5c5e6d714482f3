"""What an egress takes from the proxies of its zone: for services in other zones, which it passes
on, and for those outside of their meshes, whose TLS it speaks.

Source: docs/wire/zone-proxies.md#egress
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.meshes.spiffe import MESH_TAG, server_name
from kong_mesh_cp.core.resources.kinds.services.external_service import ExternalService
from kong_mesh_cp.core.resources.meta import has_spec
from kong_mesh_cp.core.resources.tags import PROTOCOL, SERVICE, Tags
from kong_mesh_cp.core.xds.draft import WRONG_INPUT, Draft
from kong_mesh_cp.core.xds.generators.older.older_inbound import (
    NOTHING_OLDER,
    OlderInbound,
    older_inbound,
)
from kong_mesh_cp.core.xds.generators.older.older_policies import OF_INBOUNDS, older_policies
from kong_mesh_cp.core.xds.names import CLUSTER
from kong_mesh_cp.core.xds.outside.external_services import (
    EXTERNAL,
    ExternalDestination,
    at_egress,
)
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.policies.load_balancing_effects import egress_ranking
from kong_mesh_cp.core.xds.policies.older_permissions import permission_at_egress
from kong_mesh_cp.core.xds.protocols import protocol_of
from kong_mesh_cp.core.xds.services.instances import Endpoint, TagPairs, pairs
from kong_mesh_cp.core.xds.services.service_resources import EXTERNAL as EXTERNAL_RESOURCE
from kong_mesh_cp.core.xds.world import MeshWorld
from kong_mesh_cp.core.xds.zone_proxies.egress_chains import (
    FOR_CLIENTS,
    FOR_RESOURCES,
    OutsideChain,
    ResourceCluster,
    outside_cluster,
    resource_cluster,
)
from kong_mesh_cp.core.xds.zone_proxies.egress_confs import EgressConfs
from kong_mesh_cp.core.xds.zone_proxies.passed_on import (
    Passage,
    PassedOn,
    found_behind,
    pass_on,
    subsets_of,
    tagged_passages,
)
from kong_mesh_cp.core.xds.zone_proxies.resources_at_egress import (
    OutsideResource,
    resources_at_egress,
)
from kong_mesh_cp.core.xds.zone_proxies.tagged_destinations import tagged_destinations
from kong_mesh_cp.core.xds.zone_proxies.zone_listener import listen
from kong_mesh_cp.core.xds.zone_proxies.zone_view import ZoneProxyView, mesh_cluster
from kong_mesh_cp.core.xds.zones.across_zones import behind_ingresses


class _Mesh(NamedTuple):
    """One mesh, and what is made of it."""

    view: ZoneProxyView
    world: MeshWorld
    draft: Draft
    confs: EgressConfs
    across: Mapping[str, Sequence[tuple[Endpoint, ...]]]  # in other zones, by service tag

    @property
    def name(self) -> str:
        return self.world.name

    @property
    def is_ipv6(self) -> bool:
        """Names are looked up for both versions of IP."""
        return ":" in self.view.address

    def cluster(self, service: str) -> str:
        return mesh_cluster(self.name, service)


def egress(view: ZoneProxyView, draft: Draft) -> frozenset[str]:
    """The meshes as whose member it shows itself."""
    chains: list[Passage | OutsideChain] = []
    clusters: dict[str, PassedOn] = {}
    shown = set[str]()
    for world in view.with_mtls:
        mesh = _Mesh(
            view, world, draft, EgressConfs(world, draft.parts), _across(view, world, draft.parts)
        )
        outside = [*_tagged(mesh), *_resources(mesh)]
        if outside:
            shown.add(world.name)
        chains += [*_passages(mesh, clusters), *outside]
    pass_on(clusters, view.world, draft)
    listen(view, chains, draft)
    return frozenset(shown)


def _across(
    view: ZoneProxyView, world: MeshWorld, parts: Parts
) -> Mapping[str, Sequence[tuple[Endpoint, ...]]]:
    """Instances in other zones, by service tag, marked with their mesh."""
    ingresses = tuple(view.world.remote_ingresses)

    def make() -> tuple[Mapping[str, Sequence[tuple[Endpoint, ...]]], object]:
        found = behind_ingresses(world.mesh, world.zone, ingresses).endpoints
        marked = {
            service: (tuple(_marked(each, world) for each in some),)
            for service, some in found.items()
        }
        return marked, (world.mesh, ingresses)

    key = ("across zones at egress", id(world.mesh), *map(id, ingresses))
    return parts.made(key, make)[0]


def _marked(endpoint: Endpoint, world: MeshWorld) -> Endpoint:
    routing = world.mesh.spec.routing
    aware = routing is not None and routing.locality_aware_load_balancing
    tags = pairs({**dict(endpoint.tags), MESH_TAG: world.name})
    is_far = aware and endpoint.zone not in (None, world.zone)
    return endpoint._replace(tags=tags, priority=int(is_far))


def _passages(mesh: _Mesh, clusters: dict[str, PassedOn]) -> list[Passage]:
    """To services in other zones, of a mesh whose traffic leaves its zones by egresses; where they
    lead is noted in `clusters`.
    """
    world, routing = mesh.world, mesh.world.mesh.spec.routing
    if routing is None or not routing.zone_egress:
        return []
    available = _available(mesh)
    destinations = tagged_destinations(world, available)
    passages = tagged_passages(world.name, available, destinations, mesh.across)
    by_service: dict[str, list[Passage]] = {}
    for each in passages:
        by_service.setdefault(each.service, []).append(each)
    for service, some in by_service.items():
        locality = None
        try:
            locality = egress_ranking(mesh.confs.balancing(service), world.zone)
        except WRONG_INPUT as error:
            mesh.draft.complain(mesh.cluster(service), error)
        behind = found_behind(others=mesh.across[service][0], locality=locality)
        subsets = subsets_of(some, destinations.of_all)
        clusters[mesh.cluster(service)] = PassedOn(subsets, behind)
    return passages


def _available(mesh: _Mesh) -> tuple[Tags, ...]:
    """The different tags of the instances that ingresses of other zones offer."""
    found: dict[TagPairs, Tags] = {}
    for each in mesh.view.world.remote_ingresses:
        for service in each.spec.available_services:
            if service.mesh == mesh.name and service.tags.get(SERVICE, "") in mesh.across:
                found.setdefault(pairs(service.tags), service.tags)
    return tuple(found.values())


def _tagged(mesh: _Mesh) -> Iterator[OutsideChain]:
    """Services outside of the mesh that are known by their tag. Where other zones have one of the
    same name, traffic goes there.
    """
    world = mesh.world
    known = at_egress(world.mesh, world.zone, world.resources)
    tags: dict[str, list[Tags]] = {}
    for each in world.of_type(EXTERNAL).values():
        if has_spec(each, ExternalService):
            tags.setdefault(each.spec.tags.get(SERVICE, ""), []).append(each.spec.tags)
    destinations = tagged_destinations(world, ())
    for service, some in tags.items():
        found = None if service in mesh.across else known.get(service)
        for fault in () if found is None else found.faults:
            mesh.draft.complain(mesh.cluster(service), fault)
        if found is None or not found.places:
            continue
        try:
            plan = _tagged_plan(mesh, service, found, some)
        except WRONG_INPUT as error:
            mesh.draft.complain(mesh.cluster(service), error)
            continue
        for destination in destinations.of(service):
            asked = {**destination, SERVICE: service}
            others = {key: value for key, value in asked.items() if key != SERVICE}
            yield plan.asked_for(
                server_name(world.name, asked), pairs({**others, MESH_TAG: world.name})
            )


def _tagged_plan(
    mesh: _Mesh, service: str, found: ExternalDestination, tags: Sequence[Tags]
) -> OutsideChain:
    """Raises: one of WRONG_INPUT."""
    cluster, parts = mesh.cluster(service), mesh.draft.parts
    protocol = protocol_of(dict(found.places[0].endpoint.tags).get(PROTOCOL))
    clients = mesh.confs.for_clients(service, FOR_CLIENTS)
    mesh.draft.add(CLUSTER, cluster, outside_cluster, found.places, protocol, mesh.is_ipv6)
    return OutsideChain(
        listener=mesh.view.listener,
        name=f"{service}_{mesh.name}",
        server_name="",
        mesh=mesh.name,
        service=service,
        cluster=cluster,
        route=f"outbound:{service}",
        protocol=protocol,
        terms=mesh.view.http_terms,
        permission=permission_at_egress(tags, mesh.world, parts),
        older=_older(mesh.world, tags, parts),
        services=len(tags),
        clients=clients,
    )


def _older(world: MeshWorld, services: Sequence[Tags], parts: Parts) -> OlderInbound:
    """A policy counts once, however many of the services of one name it is about."""
    if not any(map(world.of_type, OF_INBOUNDS)):
        return NOTHING_OLDER
    policies = older_policies(world, (), OF_INBOUNDS, parts)
    found = [older_inbound(policies, each) for each in services]
    return OlderInbound(
        faults=tuple(dict.fromkeys(fault for each in found for fault in each.faults)),
        limits=tuple(dict.fromkeys(limit for each in found for limit in each.limits)),
    )


def _resources(mesh: _Mesh) -> Iterator[OutsideChain]:
    """Services outside of the mesh that are resources."""
    for found in resources_at_egress(mesh.world, mesh.view.metadata.system_ca_path):
        if found.fault:
            fault = f"{EXTERNAL_RESOURCE} {go_quote(found.service.name)} is left out: {found.fault}"
            mesh.draft.complain(found.cluster, fault)
        elif found.endpoints:
            try:
                yield _resource_plan(mesh, found)
            except WRONG_INPUT as error:
                mesh.draft.complain(found.cluster, error)


def _resource_plan(mesh: _Mesh, found: OutsideResource) -> OutsideChain:
    """Raises: one of WRONG_INPUT."""
    (port,) = found.service.ports
    about = mesh.confs.for_resource(found.service.id, FOR_RESOURCES)
    cluster = ResourceCluster(
        mesh=mesh.name,
        protocol=port.protocol,
        endpoints=found.endpoints,
        tls=found.tls,
        ipv6=mesh.is_ipv6,
        confs=about,
    )
    mesh.draft.add(CLUSTER, found.cluster, resource_cluster, cluster)
    routing = mesh.world.mesh.spec.routing
    return OutsideChain(
        listener=mesh.view.listener,
        name=found.cluster,
        server_name=found.service.server_name(port.number),
        mesh=mesh.name,
        service=found.cluster,
        cluster=found.cluster,
        route=found.cluster,
        protocol=port.protocol,
        terms=mesh.view.http_terms,
        resource=about,
        is_open=routing is None or not routing.default_forbid_mesh_external_service_access,
    )
