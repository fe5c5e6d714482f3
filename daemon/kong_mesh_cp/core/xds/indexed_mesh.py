"""One mesh at one moment with its indexes, and the next moment of it after some changes.

What a change does not touch is shared by both: `next_mesh` gives what `indexed_mesh` gives from
scratch, for what the change takes and not for what the mesh holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.destinations import Destinations
from kong_mesh_cp.core.policy.rules.matched import MeshView
from kong_mesh_cp.core.policy.rules.mesh_resources import gateway_of
from kong_mesh_cp.core.policy.rules.policy import TRAITS, Policy
from kong_mesh_cp.core.policy.rules.proxies import Proxy
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.xds.cross_mesh.other_meshes import (
    CROSSING,
    cross_mesh,
    is_foreign,
    next_other_meshes,
    other_meshes,
)
from kong_mesh_cp.core.xds.outside.external_services import EXTERNAL, SECRET, external_of
from kong_mesh_cp.core.xds.services.dataplane_facets import DataplaneFacets, Pair, facets_of
from kong_mesh_cp.core.xds.services.name_books import Names, marked, moved
from kong_mesh_cp.core.xds.services.policy_destinations import (
    ByName,
    destinations_by_name,
    next_destinations,
    policy_destinations,
)
from kong_mesh_cp.core.xds.services.service_endpoints import EGRESS, INGRESS, gates
from kong_mesh_cp.core.xds.services.service_index import ServiceIndex, next_service_index
from kong_mesh_cp.core.xds.services.service_resources import SERVICE_TYPES, ServiceResource
from kong_mesh_cp.core.xds.services.tagged_services import (
    CONFIG,
    SERVICE_INSIGHT,
    services_with_tls,
    virtual_destinations,
)
from kong_mesh_cp.core.xds.sorted_map import SortedMap
from kong_mesh_cp.core.xds.world import (
    DATAPLANE,
    Endpoint,
    MeshWorld,
    by_type,
    mesh_world,
    protocol_of_all,
    services_behind,
)
from kong_mesh_cp.core.xds.zones.across_zones import across_zones

MESH: Final = "Mesh"
GATEWAY: Final = "MeshGateway"

Item = Resource[object] | Policy
"""A resource with its typed spec; a targetRef policy, which matching reads, in its own form."""

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldRules:
    """What a control plane's settings say of all worlds."""

    zone: str
    domain: str  # of services, in the mesh's DNS
    service_port: int  # on which each is called there


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedMesh:
    """A world, and by what its proxies and policies are found."""

    world: MeshWorld
    rules: WorldRules
    policies: Mapping[str, SortedMap[str, Policy]]  # by type, then by name
    proxies: SortedMap[str, Proxy]  # every Dataplane as policies are matched to it
    by_tag: SortedMap[Pair, Names]  # who has the tag on an inbound, or as a gateway
    by_label: SortedMap[Pair, Names]
    instances: SortedMap[str, SortedMap[str, tuple[Endpoint, ...]]]  # by service, then by proxy
    behind: ServiceIndex  # services that are resources
    destinations: ByName  # the same, as policies speak of them
    callers: SortedMap[str, Names]  # by service: whose outbounds name it
    choosers: SortedMap[str, Names]  # by type: who calls services of it that it names by labels
    watchers: SortedMap[str, Names]  # by service, or "*": who goes to its instances directly
    gateways: Names
    redirected: Names  # transparent proxies


def indexed_mesh(mesh: Resource[Mesh], items: Iterable[Item], rules: WorldRules) -> IndexedMesh:
    """`mesh` from scratch; `items` are all that is in it, and what else its proxies depend on."""
    policies: dict[str, dict[str, Policy]] = {}
    resources: list[Resource[object]] = []
    foreign: list[Resource[object]] = []
    for item in items:
        if isinstance(item, Policy):
            policies.setdefault(item.meta.type, {})[item.meta.name] = item
        else:
            (foreign if is_foreign(item.key, mesh.name) else resources).append(item)
    sorted_policies = {each: SortedMap(named) for each, named in policies.items()}
    typed = by_type(resources)
    behind = services_behind(mesh.spec, rules.zone, typed)
    named = destinations_by_name(typed)
    view = _view(sorted_policies, typed, policy_destinations(mesh, named))
    world = mesh_world(
        mesh,
        typed,
        view,
        zone=rules.zone,
        behind=behind,
        tls_ready=services_with_tls(mesh, typed),
        addresses=virtual_destinations(typed, domain=rules.domain, port=rules.service_port),
        others=other_meshes(foreign),
    )
    return _with_proxies(world, sorted_policies, behind, named, rules)


def _with_proxies(
    world: MeshWorld,
    policies: Mapping[str, SortedMap[str, Policy]],
    behind: ServiceIndex,
    named: ByName,
    rules: WorldRules,
) -> IndexedMesh:
    proxies: dict[str, Proxy] = {}
    by_tag: dict[Pair, dict[str, None]] = {}
    by_label: dict[Pair, dict[str, None]] = {}
    callers: dict[str, dict[str, None]] = {}
    choosers: dict[str, dict[str, None]] = {}
    watchers: dict[str, dict[str, None]] = {}
    instances: dict[str, dict[str, tuple[Endpoint, ...]]] = {}
    gateways, redirected = Names(), Names()
    for name, resource in world.of_type(DATAPLANE).items():
        facets = facets_of(resource)
        if facets.proxy is None:
            continue
        proxies[name] = facets.proxy
        _note(by_tag, facets.tags, name)
        _note(by_label, facets.labels, name)
        _note(callers, facets.calls, name)
        _note(choosers, facets.chooses, name)
        _note(watchers, facets.watches, name)
        for service, endpoints in facets.instances.items():
            instances.setdefault(service, {})[name] = endpoints
        gateways = marked(gateways, name, here=facets.is_gateway)
        redirected = marked(redirected, name, here=facets.is_redirected)
    return IndexedMesh(
        world=world,
        rules=rules,
        policies=policies,
        proxies=SortedMap(proxies),
        by_tag=_sorted(by_tag),
        by_label=_sorted(by_label),
        instances=_sorted(instances),
        behind=behind,
        destinations=named,
        callers=_sorted(callers),
        choosers=_sorted(choosers),
        watchers=_sorted(watchers),
        gateways=gateways,
        redirected=redirected,
    )


def _note(book: dict[K, dict[str, None]], keys: Iterable[K], name: str) -> None:
    for key in keys:
        book.setdefault(key, {})[name] = None


def _sorted(book: Mapping[K, Mapping[str, V]]) -> SortedMap[K, SortedMap[str, V]]:
    return SortedMap({key: SortedMap(named) for key, named in book.items()})


def next_mesh(before: IndexedMesh, changes: Mapping[ResourceKey, Item | None]) -> IndexedMesh:
    """`before` after `changes`, by what each is now; None: it is gone, but the Mesh never is."""
    world, mesh = before.world, before.world.mesh
    policies, resources = dict(before.policies), _by_type(world)
    dataplanes: dict[str, tuple[DataplaneFacets, DataplaneFacets]] = {}
    foreign = {key: item for key, item in changes.items() if is_foreign(key, mesh.name)}
    changes = {key: item for key, item in changes.items() if key not in foreign}
    for key, item in changes.items():
        if key.type in TRAITS:
            _replace(policies, key, item if isinstance(item, Policy) else None)
        elif key.type == MESH:
            mesh = _mesh(item, mesh)
        elif not isinstance(item, Policy):
            if key.type == DATAPLANE:
                old = world.of_type(DATAPLANE).get(key.name)
                dataplanes[key.name] = (facets_of(old), facets_of(item))
            _replace(resources, key, item)
    types = {key.type for key in changes}
    world = replace(world, mesh=mesh, resources=resources)
    others = {
        key: item
        for key, item in changes.items()
        if key.type not in TRAITS and not isinstance(item, Policy)
    }
    named = next_destinations(before.destinations, others)
    if types & {*TRAITS, MESH, GATEWAY} or named is not before.destinations:
        is_same = MESH not in types and named is before.destinations
        meant = world.policies.destinations if is_same else policy_destinations(mesh, named)
        view = _view(policies, resources, meant).after(world.policies)
        world = replace(world, policies=view)
    if types & {MESH, SERVICE_INSIGHT}:
        world = replace(world, tls_ready=services_with_tls(mesh, resources))
    if types & {MESH, SECRET, EXTERNAL, EGRESS}:
        external = external_of(mesh.spec, before.rules.zone, resources)
        # Most Secrets are for something else.
        world = world if external == world.external else replace(world, external=external)
    if types & {MESH, INGRESS, EGRESS}:
        world = replace(world, across=across_zones(mesh, before.rules.zone, resources))
    if CONFIG in types:
        world = replace(
            world,
            addresses=virtual_destinations(
                resources, domain=before.rules.domain, port=before.rules.service_port
            ),
        )
    after = replace(before, world=world, policies=policies, destinations=named)
    if dataplanes:
        after = _with_changed(after, dataplanes)
    if types & {*SERVICE_TYPES, DATAPLANE, MESH, INGRESS, EGRESS}:
        after = _with_services(after, others, before.world)
    if foreign or types & CROSSING or _has_gateway(dataplanes):
        after = _with_others(after, foreign)
    return after


def _has_gateway(dataplanes: Mapping[str, tuple[DataplaneFacets, DataplaneFacets]]) -> bool:
    return any(each.is_gateway for both in dataplanes.values() for each in both)


def _with_others(index: IndexedMesh, changes: Mapping[ResourceKey, Item | None]) -> IndexedMesh:
    """`changes` are of other meshes."""
    world = index.world
    resources = {key: item for key, item in changes.items() if not isinstance(item, Policy)}
    others = next_other_meshes(world.others, resources)
    gateways = (world.of_type(DATAPLANE)[name] for name in index.gateways)
    crossing = cross_mesh(
        world.mesh, world.zone, world.resources, others, gateways, before=world.crossing
    )
    return replace(index, world=replace(world, others=others, crossing=crossing))


def _with_services(
    index: IndexedMesh, changes: Mapping[ResourceKey, Resource[object] | None], before: MeshWorld
) -> IndexedMesh:
    world = index.world
    behind = next_service_index(
        index.behind,
        changes,
        {
            key.name: (_dataplane(before, key.name), _dataplane(world, key.name))
            for key in changes
            if key.type == DATAPLANE
        },
        gates(world.mesh.spec, index.rules.zone, world.resources),
        partial(_selected, index),
    )
    if behind is index.behind:
        return index
    world = replace(world, services=behind.services, reached=behind.reached)
    return replace(index, world=world, behind=behind)


def _dataplane(world: MeshWorld, name: str) -> Dataplane | None:
    found = world.dataplane(name)
    return None if found is None else found.spec


def _selected(index: IndexedMesh, service: ServiceResource) -> Iterator[tuple[str, Dataplane]]:
    selector = service.selector
    names: Iterable[str] = ()
    if selector is not None and selector.dataplane_ref is not None:
        names = (selector.dataplane_ref.name,)
    elif selector is not None and selector.dataplane_tags:
        found = [index.by_tag.get(pair, Names()) for pair in selector.dataplane_tags.items()]
        fewest: Names = min(found, key=len)
        names = fewest
    for name in names:
        dataplane = _dataplane(index.world, name)
        if dataplane is not None:
            yield name, dataplane


def _mesh(item: Item | None, before: Resource[Mesh]) -> Resource[Mesh]:
    if item is None or isinstance(item, Policy) or not has_spec(item, Mesh):
        return before
    return item


def _by_type(world: MeshWorld) -> dict[str, SortedMap[str, Resource[object]]]:
    return {each: _as_sorted(named) for each, named in world.resources.items()}


def _as_sorted(named: Mapping[str, V]) -> SortedMap[str, V]:
    return named if isinstance(named, SortedMap) else SortedMap(named)


def _replace(by_type: dict[str, SortedMap[str, V]], key: ResourceKey, item: V | None) -> None:
    named = by_type.get(key.type, SortedMap[str, V]())
    named = named.without(key.name) if item is None else named.with_item(key.name, item)
    if named:
        by_type[key.type] = named
    else:
        by_type.pop(key.type, None)


def _with_changed(
    index: IndexedMesh, dataplanes: Mapping[str, tuple[DataplaneFacets, DataplaneFacets]]
) -> IndexedMesh:
    """`dataplanes`: as they were and as they are, by name."""
    proxies, gateways, redirected = index.proxies, index.gateways, index.redirected
    by_tag, by_label = index.by_tag, index.by_label
    callers, watchers, instances = index.callers, index.watchers, index.instances
    choosers = index.choosers
    touched: set[str] = set()
    for name, (was, now) in dataplanes.items():
        proxies = proxies.without(name) if now.proxy is None else proxies.with_item(name, now.proxy)
        by_tag = moved(by_tag, name, was.tags, now.tags)
        by_label = moved(by_label, name, was.labels, now.labels)
        callers = moved(callers, name, was.calls, now.calls)
        choosers = moved(choosers, name, was.chooses, now.chooses)
        watchers = moved(watchers, name, was.watches, now.watches)
        gateways = marked(gateways, name, here=now.is_gateway)
        redirected = marked(redirected, name, here=now.is_redirected)
        for service in was.instances.keys() | now.instances.keys():
            endpoints = now.instances.get(service)
            if was.instances.get(service) == endpoints:
                continue
            touched.add(service)
            found = instances.get(service, SortedMap())
            found = found.without(name) if endpoints is None else found.with_item(name, endpoints)
            instances = instances.with_item(service, found) if found else instances.without(service)
    return replace(
        index,
        world=_with_endpoints(index.world, instances, touched),
        proxies=proxies,
        by_tag=by_tag,
        by_label=by_label,
        instances=instances,
        callers=callers,
        choosers=choosers,
        watchers=watchers,
        gateways=gateways,
        redirected=redirected,
    )


def _with_endpoints(
    world: MeshWorld,
    instances: SortedMap[str, SortedMap[str, tuple[Endpoint, ...]]],
    services: Iterable[str],
) -> MeshWorld:
    endpoints, protocols = _as_sorted(world.endpoints), _as_sorted(world.protocols)
    for service in services:
        found = instances.get(service)
        if found is None:
            endpoints, protocols = endpoints.without(service), protocols.without(service)
            continue
        together = tuple(each for some in found.values() for each in some)
        endpoints = endpoints.with_item(service, together)
        protocol = protocol_of_all(together)
        if protocols.get(service) != protocol:
            protocols = protocols.with_item(service, protocol)
    return replace(world, endpoints=endpoints, protocols=protocols)


def _view(
    policies: Mapping[str, SortedMap[str, Policy]],
    resources: Mapping[str, Mapping[str, Resource[object]]],
    meant: Destinations,
) -> MeshView:
    gateways = resources.get(GATEWAY, {}).values()
    return MeshView(
        policies=tuple(
            policy for each in TRAITS if each in policies for policy in policies[each].values()
        ),
        gateways=tuple(gateway_of(each) for each in gateways if has_spec(each, MeshGateway)),
        destinations=meant,
    )
