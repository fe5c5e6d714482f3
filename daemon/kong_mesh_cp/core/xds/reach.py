"""Whom a change touches: who is to be told anew, and whose endpoints come or go.

It may say too many, never too few: what it misses is found by the full pass only, minutes later.

A Dataplane touches itself and whoever goes to its instances directly; with other endpoints of a
service, those of whoever uses it; with another protocol of a service, whoever asks for it. A
service that is a resource touches whoever asks for it, and with other addresses, names, ports or
labels all transparent proxies and who chooses among services by labels. A targetRef policy touches
whom it selects, before or after, a route also whom policies about it select, the first and the last
one about who asks everybody who asks. A MeshGateway touches gateways, as do a MeshGatewayRoute and
a Secret, which may be a certificate; a ServiceInsight whoever asks for a service whose TLS
readiness is another one; the Config of names transparent proxies. All else touches everybody: the
Mesh, external services by tags, zone proxies, policies of the older generation, how those other
meshes speak that are known. Gateways that other meshes may call are endpoints of who calls them.

What only seems to change (the same spec and labels again) touches nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.rules.match import UnresolvedTargetError
from kong_mesh_cp.core.policy.rules.matched import selects_proxy
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TRAITS, Policy
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.cross_mesh.other_meshes import is_foreign
from kong_mesh_cp.core.xds.indexed_mesh import (
    GATEWAY,
    IndexedMesh,
    Item,
)
from kong_mesh_cp.core.xds.outside.external_services import SECRET
from kong_mesh_cp.core.xds.services.backends import ServiceKey
from kong_mesh_cp.core.xds.services.instances import GatewayService
from kong_mesh_cp.core.xds.services.name_books import Names
from kong_mesh_cp.core.xds.services.service_endpoints import port_ids
from kong_mesh_cp.core.xds.services.service_resources import (
    MESH_SERVICE,
    SERVICE_TYPES,
    ServiceResource,
    any_of,
)
from kong_mesh_cp.core.xds.services.tagged_services import CONFIG, SERVICE_INSIGHT
from kong_mesh_cp.core.xds.sorted_map import SortedMap
from kong_mesh_cp.core.xds.world import DATAPLANE, EndpointKey, protocol_of_all

_OF_GATEWAYS: Final = frozenset({GATEWAY, "MeshGatewayRoute", SECRET})
_KNOWN: Final = frozenset(
    {DATAPLANE, SERVICE_INSIGHT, CONFIG, *_OF_GATEWAYS, *SERVICE_TYPES, *TRAITS}
)
ANY_SERVICE: Final = "*"  # in `directAccessServices`


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Whom some changes touch."""

    everybody: bool = False
    proxies: frozenset[str] = frozenset()  # by name; made anew as a whole
    # Services: who asks for one is made anew as a whole.
    callers_of: frozenset[ServiceKey] = frozenset()
    # Services by tags, and ports of resources: who uses one gets its endpoints anew.
    endpoints: frozenset[EndpointKey] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.everybody or self.proxies or self.callers_of or self.endpoints)


def reached(before: IndexedMesh, after: IndexedMesh, changes: Collection[ResourceKey]) -> Reached:
    """Whom `changes` touch, which made `before` into `after`."""
    own = (key for key in changes if not is_foreign(key, after.world.name))
    real = [key for key in own if not _is_equal(_item(before, key), _item(after, key))]
    if any(key.type not in _KNOWN for key in real):
        return Reached(everybody=True)
    if before.world.tells_tags != after.world.tells_tags:
        return Reached(everybody=True)
    if before.world.external is not after.world.external:
        return Reached(everybody=True)  # of a Secret that such a service names
    if _whom_is_known(before) != _whom_is_known(after):
        return Reached(everybody=True)
    proxies = set[str]()
    for key in real:
        proxies |= _directly(before, after, key)
    endpoints = _moved_endpoints(before, after, real)
    tags = _other_services(before, after, endpoints)
    for service in tags:
        proxies |= {*before.callers.get(service, ()), *after.callers.get(service, ())}
    ports = _moved_ports(before, after, real)
    callers_of = tags | _other_resources(before, after, real, ports)
    return Reached(
        proxies=frozenset(proxies),
        callers_of=callers_of,
        endpoints=endpoints | ports | _moved_gateways(before, after),
    )


def _whom_is_known(index: IndexedMesh) -> object:
    """Of other meshes."""
    return index.world.crossing.modes, index.world.crossing.trusted


def _moved_gateways(before: IndexedMesh, after: IndexedMesh) -> frozenset[GatewayService]:
    """Gateways that other meshes may call, where they are others than before."""
    was, now = before.world.crossing.gateways, after.world.crossing.gateways
    if was is now:
        return frozenset()
    return frozenset(
        GatewayService(mesh, service)
        for mesh in was.keys() | now.keys()
        for service in was.get(mesh, {}).keys() | now.get(mesh, {}).keys()
        if was.get(mesh, {}).get(service) != now.get(mesh, {}).get(service)
    )


def _directly(before: IndexedMesh, after: IndexedMesh, key: ResourceKey) -> set[str]:
    """Whom a change of `key` touches by itself, whatever follows from it."""
    found = set[str]()
    for index in (before, after):
        if key.type == DATAPLANE:
            found.add(key.name)
            # Listeners of direct access are for every instance, whether it takes traffic or not.
            for service in (ANY_SERVICE, *_services(index, key.name)):
                for each in (before, after):
                    found |= {*each.watchers.get(service, ())}
        elif key.type in _OF_GATEWAYS:
            found |= {*index.gateways}
        elif key.type == CONFIG:
            found |= {*index.redirected}
        elif key.type in SERVICE_TYPES:
            found |= _choosers(before, after, key, index)
        elif key.type in TRAITS:
            found |= _selected(index, key)
            if key.type == HTTP_ROUTE:
                found |= _selected_through(before, after, key, index)
    return found


def _item(index: IndexedMesh, key: ResourceKey) -> Item | None:
    if key.type in TRAITS:
        return _policy(index, key)
    if key.type == "Mesh":
        return index.world.mesh
    return index.world.of_type(key.type).get(key.name)


def _is_equal(before: Item | None, after: Item | None) -> bool:
    """Both say the same to proxies: times and versions are nobody's business."""
    if before is after:
        return True
    if before is None or after is None:
        return False
    if isinstance(before, Policy) or isinstance(after, Policy):
        return before == after
    return (before.spec, before.labels, before.status) == (after.spec, after.labels, after.status)


def _moved_endpoints(
    before: IndexedMesh, after: IndexedMesh, changes: Iterable[ResourceKey]
) -> frozenset[str]:
    """The services whose instances are others than before."""
    services = {
        service
        for key in changes
        if key.type == DATAPLANE
        for index in (before, after)
        for service in _services(index, key.name)
    }
    return frozenset(
        each
        for each in services
        if before.world.endpoints.get(each, ()) != after.world.endpoints.get(each, ())
    )


def _services(index: IndexedMesh, proxy: str) -> Iterator[str]:
    found = index.proxies.get(proxy)
    for tags in () if found is None else found.tag_sets:
        yield tags.get(SERVICE, "")


def _other_services(
    before: IndexedMesh, after: IndexedMesh, endpoints: Collection[str]
) -> frozenset[str]:
    """Services of which something else than endpoints is new to who calls them."""
    protocols = (
        each
        for each in endpoints
        if before.world.protocol(each) != after.world.protocol(each)
        or before.world.outside(each) != after.world.outside(each)
    )
    return frozenset(protocols) | (before.world.tls_ready ^ after.world.tls_ready)


def _service(index: IndexedMesh, key: ResourceKey) -> ServiceResource | None:
    return index.world.services.by_name.get((key.type, key.name))


def _choosers(
    before: IndexedMesh, after: IndexedMesh, key: ResourceKey, index: IndexedMesh
) -> set[str]:
    """Whose outbounds in `index` are others with the service of `key`, or where it is found."""
    was, now = _service(before, key), _service(after, key)
    found = set[str]()
    if was is None or now is None or was.found_by != now.found_by:
        found |= {*index.redirected, *index.choosers.get(key.type, ())}
    return found


def _moved_ports(
    before: IndexedMesh, after: IndexedMesh, changes: Iterable[ResourceKey]
) -> frozenset[DestinationId]:
    """The ports of resources behind which there is something else than before."""
    found = set[DestinationId]()
    for key in changes:
        for index in (before, after):
            services = index.world.services
            some: Iterable[ServiceResource | None] = ()
            if key.type == DATAPLANE:
                proxy = index.proxies.get(key.name)
                sets = () if proxy is None else proxy.tag_sets
                pairs = frozenset(pair for tags in sets for pair in tags.items())
                some = services.selecting(key.name, pairs)
            elif key.type in SERVICE_TYPES:
                some = (_service(index, key),)
            for each in some:
                if each is not None:
                    parts_of = (services.find(each.id), *services.with_part(each.id))
                    found.update(
                        port for one in parts_of if one is not None for port in port_ids(one)
                    )
    return frozenset(
        each for each in found if before.world.behind(each) != after.world.behind(each)
    )


def _other_resources(
    before: IndexedMesh,
    after: IndexedMesh,
    changes: Iterable[ResourceKey],
    ports: Iterable[DestinationId],
) -> frozenset[ServiceKey]:
    """Services that are resources of which something else than endpoints is new to callers."""
    found = set[ServiceKey]()
    for key in changes:
        if key.type not in SERVICE_TYPES:
            continue
        was, now = _service(before, key), _service(after, key)
        if was == now:
            continue
        for index, service in ((before, was), (after, now)):
            if service is not None:
                found.add(service.id)
                # Who calls one of several zones asks its parts who they are.
                found |= {each.id for each in index.world.services.with_part(service.id)}
        if was is None or now is None or _chosen_by(was) != _chosen_by(now):
            found.add(any_of(key.type, after.world.name))
    for port in ports:
        # What is said of these besides endpoints follows from what the endpoints are.
        if port.type != MESH_SERVICE and _spoken(before, port) != _spoken(after, port):
            found.add(port._replace(section_name=""))
    return frozenset(found)


def _chosen_by(service: ServiceResource) -> object:
    return service.labels, service.created_at


def _spoken(index: IndexedMesh, port: DestinationId) -> tuple[bool, str]:
    """Whether there is anything behind it, and its protocol."""
    found = index.world.behind(port) or ()
    return bool(found), protocol_of_all(found)


def _selected(index: IndexedMesh, key: ResourceKey) -> set[str]:
    policy = _policy(index, key)
    if policy is None:
        return set()
    return {each for each in _candidates(index, policy) if _selects(index, policy, each)}


def _selected_through(
    before: IndexedMesh, after: IndexedMesh, route: ResourceKey, index: IndexedMesh
) -> set[str]:
    """Whom policies about `route` select in `index`; while it is not there, they say so to all."""
    names = {route.name}
    names |= {each.meta.display_name for i in (before, after) if (each := _policy(i, route))}
    about = (
        policy
        for named in index.policies.values()
        for policy in named.values()
        if policy.target.kind == HTTP_ROUTE and policy.target.name in names
    )
    return {each for policy in about for each in index.proxies if _selects(index, policy, each)}


def _policy(index: IndexedMesh, key: ResourceKey) -> Policy | None:
    return index.policies.get(key.type, _NONE).get(key.name)


def _selects(index: IndexedMesh, policy: Policy, name: str) -> bool:
    try:
        return selects_proxy(policy, index.proxies[name], index.world.policies)
    except UnresolvedTargetError:
        return True  # it is told so


def _candidates(index: IndexedMesh, policy: Policy) -> Iterable[str]:
    """Whom it may select, by the rarest of its tags or labels: a policy names few, of many."""
    target = policy.target
    if target.kind == "Dataplane" and target.labels:
        return _rarest(index.by_label, target.labels, {})
    tags = policy.selected_tags
    if not tags:
        return index.proxies
    # What a gateway is selected by is said by its MeshGateway, too.
    return {*_rarest(index.by_tag, tags, index.proxies), *index.gateways}


def _rarest(
    book: SortedMap[tuple[str, str], Names],
    wanted: Mapping[str, str],
    otherwise: Iterable[str],
) -> Iterable[str]:
    found: Iterable[str] | None = None
    size = 0
    for key, value in wanted.items():
        if value == "*":
            continue
        names = book.get((key, value), Names())
        if found is None or len(names) < size:
            found, size = names, len(names)
    return otherwise if found is None else found


_NONE: Final[Mapping[str, Policy]] = {}
