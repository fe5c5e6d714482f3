"""What a proxy takes from its application and hands to services.

Source: docs/wire/envoy-names.md#outbounds
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.discovery.snapshots import Resource
from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.meshes.spiffe import server_name
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TCP_ROUTE
from kong_mesh_cp.core.resources.kinds.mesh import MtlsMode
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.assignments import EndpointSource, assignments
from kong_mesh_cp.core.xds.draft import WRONG_INPUT, Complaint, Draft
from kong_mesh_cp.core.xds.effects import OutboundFacts, named_by
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import GrpcStats, Message
from kong_mesh_cp.core.xds.envoy.http import HttpTerms, http_manager, tcp_proxy
from kong_mesh_cp.core.xds.envoy.kafka import KAFKA_BROKER, kafka_broker
from kong_mesh_cp.core.xds.envoy.listeners import (
    GRPC_STATS,
    HTTP_MANAGER,
    TCP_PROXY,
    ChainDraft,
    ListenerDraft,
    placed,
)
from kong_mesh_cp.core.xds.envoy.routes import route_messages
from kong_mesh_cp.core.xds.envoy.tls import upstream_tls
from kong_mesh_cp.core.xds.facts.proxy_facts import ProxyFacts
from kong_mesh_cp.core.xds.matching import DestinationConfs, Matched, TypedConf
from kong_mesh_cp.core.xds.names import (
    CLUSTER,
    LISTENER,
    outbound_listener,
    service_cluster,
)
from kong_mesh_cp.core.xds.parts import Parts, resource
from kong_mesh_cp.core.xds.policies.effect_catalogue import EFFECTS
from kong_mesh_cp.core.xds.protocols import GRPC, HTTP2, HTTP_LIKE, KAFKA, NOT_CARRIED
from kong_mesh_cp.core.xds.proxy_view import OutboundTarget, ProxyView
from kong_mesh_cp.core.xds.routing import (
    Backend,
    Route,
    filters_of,
    http_routes,
    match_of,
    tcp_backends,
)
from kong_mesh_cp.core.xds.world import Endpoint, MeshWorld, TagPairs

CONNECT: Final = 5 * SECOND
Confs = tuple[DestinationConfs, ...]
"""One for each of EFFECTS."""


class _Services:
    """The services of a world, and which of them were asked about: their protocol, their TLS."""

    def __init__(self, world: MeshWorld) -> None:
        self.world = world
        self.asked: set[str] = set()

    def protocol(self, service: str) -> str:
        self.asked.add(service)
        return self.world.protocol(service)


@dataclass(frozen=True, slots=True)
class _Plan:
    """One outbound, wherever it listens."""

    tags: TagPairs
    facts: OutboundFacts
    confs: Confs
    terms: HttpTerms
    redirected: bool
    http_conf: TypedConf | None = None
    routes: tuple[Route, ...] = ()  # of HTTP
    backends: tuple[Backend, ...] = ()  # of everything else

    @property
    def sent_to(self) -> Iterator[Backend]:
        """All that its listener refers to."""
        yield from self.backends
        for route in self.routes:
            yield from route.backends
            yield from route.mirrors


class _Listening(NamedTuple):
    """A listener wherever it listens, and what it refers to."""

    asked: frozenset[str]
    anywhere: bytes = b""
    sent_to: Mapping[TagPairs, None] = MappingProxyType({})  # in their order
    error: str = ""  # why it cannot be made


class _Clustered(NamedTuple):
    """The cluster of a service, or of some of its instances."""

    asked: frozenset[str]
    made: Resource | None = None
    secured: bool = False  # spoken to in the mesh's TLS
    error: str = ""


class _Outgoing(NamedTuple):
    """All that the outbounds of a proxy come to, but for endpoints."""

    asked: frozenset[str]
    listeners: Mapping[str, Resource]
    clusters: Mapping[str, Resource]
    reached: tuple[TagPairs, ...]  # of which the clusters are
    secured: bool  # some are spoken to in the mesh's TLS
    complaints: tuple[Complaint, ...]


def outbounds(
    view: ProxyView, targets: tuple[OutboundTarget, ...], matched: Matched, draft: Draft
) -> None:
    parts, world, shared = draft.parts, view.world, _shared(view, matched, draft.parts)
    # Held with what was made of them: the keys only say which objects they were.
    outgoing, _ = parts.made(
        (shared, "all", id(targets)),
        lambda: (_outgoing(view, targets, matched, parts, shared), targets),
    )
    assigned, _ = parts.made(
        ("assigned", outgoing.reached, id(world.endpoints)),
        lambda: (assignments(_sources(outgoing.reached), world, parts), world.endpoints),
    )
    draft.services |= outgoing.asked
    draft.complaints += outgoing.complaints
    draft.put_all(LISTENER, outgoing.listeners)
    draft.put_all(CLUSTER, outgoing.clusters)
    draft.assign(assigned)
    if outgoing.secured:
        draft.trusted.add(world.name)


def _outgoing(
    view: ProxyView,
    targets: tuple[OutboundTarget, ...],
    matched: Matched,
    parts: Parts,
    shared: object,
) -> _Outgoing:
    asked: set[str] = set()
    complaints: list[Complaint] = []
    wanted: dict[TagPairs, None] = {}
    listeners: dict[str, Resource] = {}
    for target in targets:
        key = (shared, "listener", target.tags)
        found = parts.made(key, partial(_listening, view, target.tags, matched))
        asked |= found.asked
        if found.error:
            name = outbound_listener(target.address, target.port)
            complaints.append(Complaint(name, found.error))
            continue
        wanted |= found.sent_to
        place = (shared, target.address, target.port, target.tags)
        listener = parts.made(place, partial(_placed, target, found.anywhere))
        listeners[listener.name] = listener
    clusters: dict[str, Resource] = {}
    reached: list[TagPairs] = []
    secured = False
    for tags in wanted:
        name = service_cluster(dict(tags))
        cluster = parts.made(
            (shared, "cluster", tags), partial(_clustered, name, view, tags, matched)
        )
        asked |= cluster.asked
        if cluster.made is None:
            complaints.append(Complaint(name, cluster.error))
            continue
        clusters[name] = cluster.made
        reached.append(tags)
        secured |= cluster.secured
    return _Outgoing(
        frozenset(asked), listeners, clusters, tuple(reached), secured, tuple(complaints)
    )


def _sources(reached: tuple[TagPairs, ...]) -> Mapping[str, EndpointSource]:
    """By cluster."""
    return {
        service_cluster(dict(tags)): EndpointSource(
            (dict(tags)[SERVICE],), endpoints_of_cluster, (tags,)
        )
        for tags in reached
    }


def _shared(view: ProxyView, matched: Matched, parts: Parts) -> object:
    """Stands for all that outbounds depend on beside their own tags and place.

    Proxies with the same policies about outgoing traffic have the same, so that what is made of one
    outbound of one of them is found again by few and small keys.
    """
    world = view.world
    types = (HTTP_ROUTE, TCP_ROUTE, *(each.policy_type for each in EFFECTS))
    outgoing = (matched.of_type(each).outgoing for each in types)
    # Held with what was made of them: the key only says which objects they were.
    held = (world.mesh, world.protocols, world.tls_ready, *outgoing)
    named = _named(view, matched)
    key = ("outbounds", view.http_terms, view.is_redirected, named, *map(id, held))
    made, _ = parts.made(key, lambda: (object(), held))
    return made


def _named(view: ProxyView, matched: Matched) -> ProxyFacts | None:
    """The proxy, where what is made of its outbounds names it."""
    about = (each for each in EFFECTS if matched.of_type(each.policy_type).policies)
    return named_by(about, view, matched)


def _listening(view: ProxyView, tags: TagPairs, matched: Matched) -> _Listening:
    services = _Services(view.world)
    try:
        plan = _plan(view, tags, matched, services)
        anywhere = _listener(plan)
    except WRONG_INPUT as error:
        return _Listening(frozenset(services.asked), error=str(error))
    sent_to = dict.fromkeys(each.tags for each in plan.sent_to)
    return _Listening(frozenset(services.asked), anywhere, sent_to)


def _placed(target: OutboundTarget, anywhere: bytes) -> Resource:
    name = outbound_listener(target.address, target.port)
    return Resource.of(name, placed(name, target.address, target.port, anywhere))


def _plan(view: ProxyView, tags: TagPairs, matched: Matched, services: _Services) -> _Plan:
    service = dict(tags).get(SERVICE, "")
    facts, confs = _about(view, service, matched, services)
    http_conf = matched.of_type(HTTP_ROUTE).service(service).conf
    tcp_conf = matched.of_type(TCP_ROUTE).service(service).conf
    routes: tuple[Route, ...] = ()
    backends: tuple[Backend, ...] = ()
    if facts.protocol in HTTP_LIKE and (tcp_conf is None or http_conf is not None):
        routes = http_routes(
            http_conf, tags, lambda service: services.protocol(service) in HTTP_LIKE
        )
    else:
        backends = tcp_backends(
            tcp_conf, tags, lambda service: services.protocol(service) not in NOT_CARRIED
        )
    return _Plan(
        tags,
        facts,
        confs,
        view.http_terms,
        view.is_redirected,
        http_conf if routes else None,
        routes,
        backends,
    )


def endpoints_of_cluster(world: MeshWorld, tags: TagPairs) -> tuple[Endpoint, ...]:
    """The instances that carry all of `tags`, of which one is the service."""
    wanted = set(tags)
    found = world.endpoints.get(dict(tags)[SERVICE], ())
    return found if len(wanted) == 1 else tuple(each for each in found if wanted <= set(each.tags))


def _about(
    view: ProxyView, service: str, matched: Matched, services: _Services
) -> tuple[OutboundFacts, Confs]:
    facts = OutboundFacts(
        mesh=view.world.name,
        service=service,
        protocol=services.protocol(service),
        proxy=_named(view, matched),
    )
    return facts, tuple(matched.of_type(each.policy_type).service(service) for each in EFFECTS)


def is_secured(world: MeshWorld, service: str) -> bool:
    """Whether all instances of a service take the mesh's TLS; of a strict mesh they have to."""
    authority = world.authority
    if authority is None:
        return False
    return authority.mode is not MtlsMode.PERMISSIVE or service in world.tls_ready


def _clustered(name: str, view: ProxyView, tags: TagPairs, matched: Matched) -> _Clustered:
    services, service = _Services(view.world), dict(tags)[SERVICE]
    secured = is_secured(view.world, service)
    try:
        facts, confs = _about(view, service, matched, services)
        made = resource(name, _cluster(name, tags, facts, confs, secured=secured))
    except WRONG_INPUT as error:
        return _Clustered(frozenset(services.asked), error=str(error))
    return _Clustered(frozenset(services.asked), made, secured)


def _cluster(
    name: str, tags: TagPairs, facts: OutboundFacts, confs: Confs, *, secured: bool
) -> Message:
    draft = ClusterDraft(name, facts.protocol)
    draft.with_endpoints_from_ads()
    draft.connect_within(CONNECT)
    # Proxies speak HTTP/2 with each other, whatever their applications speak.
    draft.speak(HTTP2)
    if secured:
        sni = server_name(facts.mesh, dict(tags))
        draft.tls = upstream_tls(facts.mesh, facts.mesh, [facts.service], sni)
    for effect, about in zip(EFFECTS, confs, strict=True):
        if effect.outbound_cluster is not None:
            effect.outbound_cluster(draft, facts, about)
    return draft.whole()


def _listener(plan: _Plan) -> bytes:
    """Wherever it listens: no effect of a policy looks at its name or its address."""
    draft = ListenerDraft("", "", 0, inbound=False)
    draft.show_tags(plan.tags)
    if plan.redirected:
        draft.take_redirected()
    draft.chains.append(_http_chain(plan) if plan.routes else _tcp_chain(plan))
    for effect, about in zip(EFFECTS, plan.confs, strict=True):
        if effect.outbound_listener is not None:
            effect.outbound_listener(draft, plan.facts, about)
    return draft.anywhere()


def _tcp_chain(plan: _Plan) -> ChainDraft:
    chain, facts = ChainDraft(), plan.facts
    if not plan.backends:
        return chain  # connections end here
    if facts.protocol == KAFKA:
        chain.filters.append((KAFKA_BROKER, kafka_broker(facts.service)))
    chain.filters.append((TCP_PROXY, tcp_proxy(facts.service, *_shares(plan.backends))))
    return chain


def _http_chain(plan: _Plan) -> ChainDraft:
    chain, facts = ChainDraft(), plan.facts
    # The original knows no IPv6 here, whatever the proxy says.
    terms = HttpTerms(internal=plan.terms.internal, ipv6=False)
    manager = http_manager(facts.service, terms, normalize=True)
    if facts.protocol == GRPC:
        chain.http_filters.append((GRPC_STATS, GrpcStats(emit_filter_state=True)))
    config = manager.route_config
    config.name = f"outbound:{facts.service}"
    config.validate_clusters.value = False
    host = config.virtual_hosts.add(name=facts.service, domains=["*"])
    for route in plan.routes:
        host.routes.extend(
            route_messages(
                route.name,
                match_of(plan.http_conf, route),
                filters_of(plan.http_conf, route),
                _shares(route.backends),
                tuple(service_cluster(dict(each.tags)) for each in route.mirrors),
            )
        )
    chain.filters.append((HTTP_MANAGER, manager))
    return chain


def _shares(backends: tuple[Backend, ...]) -> tuple[tuple[str, int], ...]:
    return tuple((service_cluster(dict(each.tags)), each.weight) for each in backends)
