"""What a proxy takes from its application and hands to services.

Source: docs/wire/envoy-names.md#outbounds
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.meshes.spiffe import server_name
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TCP_ROUTE
from kong_mesh_cp.core.resources.kinds.mesh import MtlsMode
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.assignments import EndpointSource
from kong_mesh_cp.core.xds.draft import WRONG_INPUT, Draft
from kong_mesh_cp.core.xds.effects import OutboundFacts
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.http import HttpTerms, http_manager, tcp_proxy
from kong_mesh_cp.core.xds.envoy.kafka import KAFKA_BROKER, kafka_broker
from kong_mesh_cp.core.xds.envoy.listeners import (
    HTTP_MANAGER,
    TCP_PROXY,
    ChainDraft,
    ListenerDraft,
)
from kong_mesh_cp.core.xds.envoy.messages import GrpcStats, Message
from kong_mesh_cp.core.xds.envoy.routes import route_messages
from kong_mesh_cp.core.xds.envoy.tls import upstream_tls
from kong_mesh_cp.core.xds.matching import DestinationConfs, Matched, TypedConf
from kong_mesh_cp.core.xds.names import (
    CLUSTER,
    LISTENER,
    outbound_listener,
    service_cluster,
)
from kong_mesh_cp.core.xds.policies.catalogue import EFFECTS
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
GRPC_STATS: Final = "envoy.filters.http.grpc_stats"
Confs = tuple[DestinationConfs, ...]
"""One for each of EFFECTS."""


@dataclass(frozen=True, slots=True)
class _Destination:
    """A service, or some of its instances, as one cluster."""

    facts: OutboundFacts
    tags: TagPairs
    confs: Confs
    secured: bool  # spoken to in the mesh's TLS


@dataclass(frozen=True, slots=True)
class _Plan:
    """One outbound, with all that its listener depends on."""

    target: OutboundTarget
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


def outbounds(
    view: ProxyView, targets: tuple[OutboundTarget, ...], matched: Matched, draft: Draft
) -> None:
    wanted: dict[TagPairs, None] = {}
    for target in targets:
        name = outbound_listener(target.address, target.port)
        try:
            plan = _plan(view, target, matched, draft)
        except WRONG_INPUT as error:
            draft.complain(name, error)
            continue
        wanted.update((each.tags, None) for each in plan.sent_to)
        draft.add(LISTENER, name, _listener, plan)
    for tags in wanted:
        name = service_cluster(dict(tags))
        try:
            destination = _destination(view, tags, matched, draft)
        except WRONG_INPUT as error:
            draft.complain(name, error)
            continue
        draft.add(CLUSTER, name, _cluster, destination)
        source = EndpointSource((destination.facts.service,), endpoints_of_cluster, (tags,))
        draft.assign(name, source, view.world)
        if destination.secured:
            draft.trusted.add(view.world.name)


def _plan(view: ProxyView, target: OutboundTarget, matched: Matched, draft: Draft) -> _Plan:
    facts, confs = _about(view, target.service, matched, draft)
    http_conf = matched.of_type(HTTP_ROUTE).service(target.service).conf
    tcp_conf = matched.of_type(TCP_ROUTE).service(target.service).conf
    routes: tuple[Route, ...] = ()
    backends: tuple[Backend, ...] = ()
    world = view.world
    if facts.protocol in HTTP_LIKE and (tcp_conf is None or http_conf is not None):
        routes = http_routes(
            http_conf, target.tags, lambda service: draft.protocol(service, world) in HTTP_LIKE
        )
    else:
        backends = tcp_backends(
            tcp_conf, target.tags, lambda service: draft.protocol(service, world) not in NOT_CARRIED
        )
    return _Plan(
        target,
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
    view: ProxyView, service: str, matched: Matched, draft: Draft
) -> tuple[OutboundFacts, Confs]:
    facts = OutboundFacts(
        mesh=view.world.name, service=service, protocol=draft.protocol(service, view.world)
    )
    return facts, tuple(matched.of_type(each.policy_type).service(service) for each in EFFECTS)


def _destination(view: ProxyView, tags: TagPairs, matched: Matched, draft: Draft) -> _Destination:
    service = dict(tags)[SERVICE]
    facts, confs = _about(view, service, matched, draft)
    return _Destination(facts, tags, confs, secured=is_secured(view.world, service))


def is_secured(world: MeshWorld, service: str) -> bool:
    """Whether all instances of a service take the mesh's TLS; of a strict mesh they have to."""
    authority = world.authority
    if authority is None:
        return False
    return authority.mode is not MtlsMode.PERMISSIVE or service in world.tls_ready


def _cluster(name: str, destination: _Destination) -> Message:
    facts = destination.facts
    draft = ClusterDraft(name, facts.protocol)
    draft.with_endpoints_from_ads()
    draft.connect_within(CONNECT)
    # Proxies speak HTTP/2 with each other, whatever their applications speak.
    draft.speak(HTTP2)
    if destination.secured:
        sni = server_name(facts.mesh, dict(destination.tags))
        draft.tls = upstream_tls(facts.mesh, facts.mesh, [facts.service], sni)
    for effect, about in zip(EFFECTS, destination.confs, strict=True):
        if effect.outbound_cluster is not None:
            effect.outbound_cluster(draft, facts, about)
    return draft.whole()


def _listener(name: str, plan: _Plan) -> Message:
    draft = ListenerDraft(name, plan.target.address, plan.target.port, inbound=False)
    draft.show_tags(plan.target.tags)
    if plan.redirected:
        draft.take_redirected()
    draft.chains.append(_http_chain(plan) if plan.routes else _tcp_chain(plan))
    for effect, about in zip(EFFECTS, plan.confs, strict=True):
        if effect.outbound_listener is not None:
            effect.outbound_listener(draft, plan.facts, about)
    return draft.whole()


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
