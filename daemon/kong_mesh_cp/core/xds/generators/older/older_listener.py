"""The listener of one outbound of a mesh with TrafficRoutes, wherever it listens.

Source: docs/wire/older-policies.md#outbounds
"""

from __future__ import annotations

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.xds.effects import OutboundFacts
from kong_mesh_cp.core.xds.envoy.envoy_messages import GrpcStats, Message
from kong_mesh_cp.core.xds.envoy.http import HttpTerms, http_manager, tcp_proxy
from kong_mesh_cp.core.xds.envoy.kafka import KAFKA_BROKER, kafka_broker
from kong_mesh_cp.core.xds.envoy.listeners import (
    GRPC_STATS,
    HTTP_MANAGER,
    HTTP_RATE_LIMIT,
    TCP_PROXY,
    ChainDraft,
    ListenerDraft,
)
from kong_mesh_cp.core.xds.envoy.older_route_messages import (
    Shares,
    limit_filter,
    limit_route,
    modify_route,
    older_route,
)
from kong_mesh_cp.core.xds.envoy.tags_header import TAGS_HEADER
from kong_mesh_cp.core.xds.facts.logged_traffic import OUTBOUND, sent_by
from kong_mesh_cp.core.xds.facts.proxy_facts import ProxyFacts
from kong_mesh_cp.core.xds.generators.older.logs import log_chain
from kong_mesh_cp.core.xds.generators.older.older_plan import OlderPlan
from kong_mesh_cp.core.xds.generators.older.older_routes import OlderRoute, Share
from kong_mesh_cp.core.xds.generators.older.retries import retry_connections, retry_requests
from kong_mesh_cp.core.xds.generators.older.timeouts import limit_chain, request_timeout
from kong_mesh_cp.core.xds.generators.older.traces import trace
from kong_mesh_cp.core.xds.generators.outbound_plan import Confs
from kong_mesh_cp.core.xds.names import service_cluster
from kong_mesh_cp.core.xds.policies.effect_catalogue import EFFECTS
from kong_mesh_cp.core.xds.protocols import GRPC, HTTP_LIKE, KAFKA
from kong_mesh_cp.core.xds.services.instances import without_mesh


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What listeners have in common with others of the same proxy."""

    terms: HttpTerms
    redirected: bool
    proxy: ProxyFacts
    told_tags: str  # the proxy's own, as requests tell them
    tells_always: bool  # also with gRPC: some policy is about who asks
    outside: frozenset[str]  # of the services that it leads to


def older_listener(
    plan: OlderPlan, around: Surroundings, facts: OutboundFacts, confs: Confs
) -> bytes:
    """Without its place. `facts` and `confs` are about the outbound's own service."""
    draft = ListenerDraft("", "", 0, inbound=False)
    draft.show_tags(without_mesh(plan.tags))
    if around.redirected:
        draft.take_redirected()
    chain = _http(plan, around) if plan.protocol in HTTP_LIKE else _tcp(plan)
    if plan.log is not None:
        log_chain(chain, plan.log, sent_by(around.proxy, facts.mesh, plan.service))
    limit_chain(chain, plan.protocol, plan.timeouts)
    draft.chains.append(chain)
    for effect, about in zip(EFFECTS, confs, strict=True):
        if effect.outbound_listener is not None:
            effect.outbound_listener(draft, facts, about)
    return draft.anywhere()


def _tcp(plan: OlderPlan) -> ChainDraft:
    chain = ChainDraft()
    if plan.protocol == KAFKA:
        chain.filters.append((KAFKA_BROKER, kafka_broker(plan.service)))
    if not plan.shares:
        return chain  # connections end here
    chain.filters.append((TCP_PROXY, tcp_proxy(plan.service, *_clusters(plan.shares))))
    if plan.retries is not None:
        retry_connections(chain, plan.retries)
    return chain


def _http(plan: OlderPlan, around: Surroundings) -> ChainDraft:
    chain = ChainDraft()
    manager = http_manager(plan.service, around.terms)
    service = around.proxy.service
    if plan.tracer is not None:
        trace(manager, plan.tracer, service, f"{service}_{OUTBOUND}_{plan.service}")
    if plan.limit is not None:
        chain.http_filters.append((HTTP_RATE_LIMIT, limit_filter()))
    if plan.protocol == GRPC:
        chain.http_filters.append((GRPC_STATS, GrpcStats(emit_filter_state=True)))
    config = manager.route_config
    config.name = f"outbound:{plan.service}"
    config.validate_clusters.value = False
    if around.told_tags and (around.tells_always or plan.protocol != GRPC):
        config.request_headers_to_add.add(header={"key": TAGS_HEADER, "value": around.told_tags})
    host = config.virtual_hosts.add(name=plan.service, domains=["*"])
    host.routes.extend(_route(each, plan, around) for each in plan.routes)
    if plan.retries is not None:
        retry_requests(host, plan.protocol, plan.retries)
    chain.filters.append((HTTP_MANAGER, manager))
    return chain


def _route(route: OlderRoute, plan: OlderPlan, around: Surroundings) -> Message:
    made = older_route(route.match, _clusters(route.shares), request_timeout(plan.timeouts))
    if any(each.service in around.outside for each in route.shares):
        made.route.auto_host_rewrite.value = True
        conf = None if plan.limit is None else plan.limit.conf
        if conf is not None and conf.http is not None:
            limit_route(made, conf.http)
    if route.modify is not None:
        modify_route(made, route.modify)
    return made


def _clusters(shares: tuple[Share, ...]) -> Shares:
    return tuple((service_cluster(dict(each.tags)), each.weight) for each in shares)
