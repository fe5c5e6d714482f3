"""What a proxy takes from its application and hands to services.

Source: docs/wire/envoy-names.md#outbounds
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.policy.rules.http_matches import matches_hash
from kong_mesh_cp.core.resources.kinds.mesh import MtlsMode
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.draft import WRONG_INPUT, Draft
from kong_mesh_cp.core.xds.effects import OutboundFacts
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.endpoints import load_assignment
from kong_mesh_cp.core.xds.envoy.http import HttpTerms, http_manager, tcp_proxy
from kong_mesh_cp.core.xds.envoy.kafka import KAFKA_BROKER, kafka_broker
from kong_mesh_cp.core.xds.envoy.listeners import (
    HTTP_MANAGER,
    TCP_PROXY,
    ChainDraft,
    ListenerDraft,
)
from kong_mesh_cp.core.xds.envoy.messages import GrpcStats, Message
from kong_mesh_cp.core.xds.envoy.tls import upstream_tls
from kong_mesh_cp.core.xds.matching import DestinationConfs, Matched
from kong_mesh_cp.core.xds.names import (
    CLUSTER,
    ENDPOINT,
    LISTENER,
    outbound_listener,
    service_cluster,
)
from kong_mesh_cp.core.xds.policies.catalogue import EFFECTS
from kong_mesh_cp.core.xds.protocols import GRPC, HTTP2, HTTP_LIKE, KAFKA, NOT_CARRIED
from kong_mesh_cp.core.xds.proxy_view import OutboundTarget, ProxyView
from kong_mesh_cp.core.xds.spiffe import server_name
from kong_mesh_cp.core.xds.world import Endpoint, MeshWorld, TagPairs

CONNECT: Final = 5 * SECOND
GRPC_STATS: Final = "envoy.filters.http.grpc_stats"
_ANY_PATH: Final = matches_hash([{"path": {"value": "/", "type": "PathPrefix"}}])

Confs = tuple[DestinationConfs, ...]
"""One for each of EFFECTS."""


@dataclass(frozen=True, slots=True)
class _Destination:
    """A service, or some of its instances, as one cluster."""

    facts: OutboundFacts
    cluster: str
    tags: TagPairs
    confs: Confs
    secured: bool  # spoken to in the mesh's TLS


@dataclass(frozen=True, slots=True)
class _Plan:
    """One outbound, with all that its listener depends on."""

    target: OutboundTarget
    destination: _Destination
    terms: HttpTerms
    redirected: bool


def outbounds(
    view: ProxyView, targets: tuple[OutboundTarget, ...], matched: Matched, draft: Draft
) -> None:
    clusters: dict[str, _Destination] = {}
    for target in targets:
        name = outbound_listener(target.address, target.port)
        try:
            destination = _destination(view, target, matched)
        except WRONG_INPUT as error:
            draft.complain(name, error)
            continue
        if destination.facts.protocol not in NOT_CARRIED:
            clusters.setdefault(destination.cluster, destination)
        plan = _Plan(target, destination, view.http_terms, view.takes_all_traffic)
        draft.add(LISTENER, name, _listener, plan)
    for name, destination in clusters.items():
        draft.add(CLUSTER, name, _cluster, destination)
        endpoints = endpoints_of_cluster(view.world, destination.tags)
        draft.add(ENDPOINT, name, load_assignment, endpoints)
        if destination.secured:
            draft.trusted.add(view.world.name)


def endpoints_of_cluster(world: MeshWorld, tags: TagPairs) -> tuple[Endpoint, ...]:
    """The instances that carry all of `tags`, of which one is the service."""
    wanted = set(tags)
    found = world.endpoints.get(dict(tags)[SERVICE], ())
    return found if len(wanted) == 1 else tuple(each for each in found if wanted <= set(each.tags))


def _destination(view: ProxyView, target: OutboundTarget, matched: Matched) -> _Destination:
    service = target.service
    facts = OutboundFacts(
        mesh=view.world.name, service=service, protocol=view.world.protocol(service)
    )
    confs = tuple(matched.of_type(each.policy_type).service(service) for each in EFFECTS)
    return _Destination(
        facts,
        service_cluster(dict(target.tags)),
        target.tags,
        confs,
        secured=is_secured(view.world, service),
    )


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
    facts = plan.destination.facts
    draft = ListenerDraft(name, plan.target.address, plan.target.port, inbound=False)
    draft.show_tags(plan.target.tags)
    if plan.redirected:
        draft.take_redirected()
    draft.chains.append(_chain(facts, plan.destination.cluster, plan.terms))
    for effect, about in zip(EFFECTS, plan.destination.confs, strict=True):
        if effect.outbound_listener is not None:
            effect.outbound_listener(draft, facts, about)
    return draft.whole()


def _chain(facts: OutboundFacts, cluster: str, terms: HttpTerms) -> ChainDraft:
    chain = ChainDraft()
    if facts.protocol in NOT_CARRIED:
        return chain
    if facts.protocol not in HTTP_LIKE:
        if facts.protocol == KAFKA:
            chain.filters.append((KAFKA_BROKER, kafka_broker(facts.service)))
        chain.filters.append((TCP_PROXY, tcp_proxy(facts.service, (cluster, 0))))
        return chain
    # The original knows no IPv6 here, whatever the proxy says.
    manager = http_manager(
        facts.service, HttpTerms(internal=terms.internal, ipv6=False), normalize=True
    )
    if facts.protocol == GRPC:
        chain.http_filters.append((GRPC_STATS, GrpcStats(emit_filter_state=True)))
    routes = manager.route_config
    routes.name = f"outbound:{facts.service}"
    routes.validate_clusters.value = False
    host = routes.virtual_hosts.add(name=facts.service, domains=["*"])
    host.routes.add(
        name=_ANY_PATH, match={"prefix": "/"}, route={"cluster": cluster, "timeout": {}}
    )
    chain.filters.append((HTTP_MANAGER, manager))
    return chain
