"""By which tags clients of a mesh may ask a zone proxy for the instances of a service.

A zone proxy sees of a connection what is asked for in TLS, and has to have a filter chain for each.

Source: docs/wire/zone-proxies.md#destinations
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from kong_mesh_cp.core.policy.legacy.selectors import Rank, rank
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TCP_ROUTE, Policy
from kong_mesh_cp.core.policy.rules.specs import target_of
from kong_mesh_cp.core.policy.rules.subsets import selects
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.resources.kinds.legacy.traffic_route import Split, TrafficRoute
from kong_mesh_cp.core.resources.kinds.legacy.virtual_outbound import VirtualOutbound
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.kinds.mesh_gateway_route import Backend, MeshGatewayRoute
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.resources.tags import SERVICE, Tags
from kong_mesh_cp.core.xds.world import MeshWorld

ANY: Final = "*"


class TaggedDestinations:
    """Of one mesh; never changed once it is made."""

    def __init__(self, destinations: Iterable[Tags]) -> None:
        """Each names its service, or `*` for all."""
        self._by_service: dict[str, list[Tags]] = {}
        for tags in destinations:
            self._by_service.setdefault(tags.get(SERVICE, ""), []).append(tags)

    def of(self, service: str) -> Iterator[Tags]:
        """Those of `service`, then those of all services."""
        yield from self._by_service.get(service, ())
        yield from self.of_all

    def asks_tags(self, service: str) -> bool:
        """Not all of them ask for any instance."""
        return any(key != SERVICE for each in self.of(service) for key in each)

    @property
    def of_all(self) -> Sequence[Tags]:
        return self._by_service.get(ANY, ())


def tagged_destinations(world: MeshWorld, available: Iterable[Tags]) -> TaggedDestinations:
    """`available` are the tags of instances that the zone proxy passes connections on to."""
    return TaggedDestinations(_destinations(world, available))


def _destinations(world: MeshWorld, available: Iterable[Tags]) -> Iterator[Tags]:
    routes = [
        each.spec for each in world.of_type("TrafficRoute").values() if has_spec(each, TrafficRoute)
    ]
    for route in routes:
        yield from _of_traffic_route(route)
    if not routes:
        # Without TrafficRoutes traffic flows unless something keeps it from that.
        yield {SERVICE: ANY}
    for policy_type in (HTTP_ROUTE, TCP_ROUTE):
        for policy in world.policies.of_type(policy_type):
            yield from _of_route(policy)
    for gateway_route in world.of_type("MeshGatewayRoute").values():
        if has_spec(gateway_route, MeshGatewayRoute):
            yield from (each.destination for each in _backends(gateway_route.spec))
    for gateway in world.of_type("MeshGateway").values():
        if has_spec(gateway, MeshGateway):
            yield from _across_meshes(gateway.spec)
    yield from _named(world.of_type("VirtualOutbound").values(), available)


def _of_traffic_route(route: TrafficRoute) -> Iterator[Tags]:
    conf = route.conf
    if conf is None:
        return
    yield from _ends(conf.destination, conf.split)
    for each in conf.http:
        yield from _ends(each.destination, each.split)


def _ends(destination: Tags | None, splits: Iterable[Split]) -> Iterator[Tags]:
    if destination:
        yield destination
    else:
        yield from (each.destination for each in splits)


def _of_route(policy: Policy) -> Iterator[Tags]:
    for entry in policy.to:
        own = _tags_meant(entry.target)
        if own is None:
            continue
        # A rule of connections stands by itself, those of requests are a list.
        rules = entry.conf.get("rules", ()) if policy.meta.type == HTTP_ROUTE else (entry.conf,)
        for rule in rules if isinstance(rules, Sequence) else ():
            yield from _of_rule(rule, own)


def _of_rule(rule: object, own: Tags) -> Iterator[Tags]:
    default = rule.get("default") if isinstance(rule, Mapping) else None
    refs = default.get("backendRefs") if isinstance(default, Mapping) else None
    if not isinstance(refs, Sequence):
        yield own
        return
    for ref in refs:
        meant = _tags_meant(target_of(ref)) if isinstance(ref, Mapping) else None
        if meant is not None:
            yield meant


def _tags_meant(target: TargetRef) -> Tags | None:
    """None: it does not speak of tags."""
    match target.kind:
        case "MeshService":
            return {SERVICE: target.name}
        case "MeshServiceSubset":
            return {**target.tags, SERVICE: target.name}
        case "Mesh":
            return {SERVICE: ANY}
        case "MeshSubset":
            return {**target.tags, SERVICE: ANY}
        case _:
            return None


def _backends(route: MeshGatewayRoute) -> Iterator[Backend]:
    if route.conf is None:
        return
    for http in route.conf.http.rules if route.conf.http is not None else ():
        yield from http.backends
    for tcp in route.conf.tcp.rules if route.conf.tcp is not None else ():
        yield from tcp.backends


def _across_meshes(gateway: MeshGateway) -> Iterator[Tags]:
    """Of listeners that other meshes may call."""
    for selector in gateway.selectors:
        for listener in gateway.conf.listeners if gateway.conf is not None else ():
            if listener.cross_mesh:
                yield {**gateway.tags, **selector.match, **listener.tags}


def _named(rules: Iterable[Resource[object]], available: Iterable[Tags]) -> Iterator[Tags]:
    """What VirtualOutbounds, the most specific first, give names to."""
    found = [each for each in rules if has_spec(each, VirtualOutbound)]
    for tags in available if found else ():
        fitting = [(fit, each) for each in found if (fit := _fit(each.spec, tags)) is not None]
        fitting.sort(key=lambda one: (one[0], one[1].created_at), reverse=True)
        for _, rule in fitting:
            parameters = rule.spec.conf.parameters if rule.spec.conf is not None else ()
            named = {each.tag_key: tags.get(each.tag_key, "") for each in parameters}
            # It is a destination of the service that it was found for, whatever it names.
            yield {SERVICE: tags.get(SERVICE, ""), **named}


def _fit(rule: VirtualOutbound, tags: Tags) -> Rank | None:
    fitting = (each.match for each in rule.selectors if each.match and selects(each.match, tags))
    return max(map(rank, fitting), default=None)
