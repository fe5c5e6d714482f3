"""Listeners of outbounds: made once for all places at which proxies take the same traffic.

Source: docs/wire/envoy-names.md#outbounds
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from kong_mesh_cp.core.discovery.snapshots import Resource
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TCP_ROUTE
from kong_mesh_cp.core.xds.draft import WRONG_INPUT
from kong_mesh_cp.core.xds.envoy.envoy_messages import GrpcStats
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
from kong_mesh_cp.core.xds.envoy.routes import call_by_own_name, route_messages
from kong_mesh_cp.core.xds.generators.outbound_plan import AskedServices, OutboundPlan, plan_of
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.names import (
    outbound_listener,
    service_cluster,
)
from kong_mesh_cp.core.xds.policies.effect_catalogue import EFFECTS
from kong_mesh_cp.core.xds.protocols import GRPC, KAFKA
from kong_mesh_cp.core.xds.proxy_view import OutboundTarget, ProxyView
from kong_mesh_cp.core.xds.routing import (
    Backend,
    filters_of,
    match_of,
)
from kong_mesh_cp.core.xds.world import MeshWorld, TagPairs


class Listening(NamedTuple):
    """A listener wherever it listens, and what it refers to."""

    asked: frozenset[str]
    anywhere: bytes = b""
    sent_to: Mapping[TagPairs, None] = MappingProxyType({})  # in their order
    error: str = ""  # why it cannot be made
    is_older: bool = False  # no route is about it but a TrafficRoute


def listening(view: ProxyView, tags: TagPairs, matched: Matched) -> Listening:
    services = AskedServices(view.world)
    try:
        plan = plan_of(view, tags, matched, services)
        if has_older_outbounds(view.world) and not _is_routed(plan, matched):
            return Listening(frozenset(services.asked), is_older=True)
        anywhere = _listener(plan)
    except WRONG_INPUT as error:
        return Listening(frozenset(services.asked), error=str(error))
    sent_to = dict.fromkeys(each.tags for each in plan.sent_to)
    return Listening(frozenset(services.asked), anywhere, sent_to)


def has_older_outbounds(world: MeshWorld) -> bool:
    """TrafficRoutes lead where no route of the newer generation does."""
    return bool(world.of_type("TrafficRoute"))


def _is_routed(plan: OutboundPlan, matched: Matched) -> bool:
    kind = HTTP_ROUTE if plan.routes else TCP_ROUTE
    routes = matched.of_type(kind)
    return bool(routes.policies and routes.to_rules.services)


def placed_listener(target: OutboundTarget, anywhere: bytes) -> Resource:
    name = outbound_listener(target.address, target.port)
    return Resource.of(name, placed(name, target.address, target.port, anywhere))


def _listener(plan: OutboundPlan) -> bytes:
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


def _tcp_chain(plan: OutboundPlan) -> ChainDraft:
    chain, facts = ChainDraft(), plan.facts
    if not plan.backends:
        return chain  # connections end here
    if facts.protocol == KAFKA:
        chain.filters.append((KAFKA_BROKER, kafka_broker(facts.service)))
    chain.filters.append((TCP_PROXY, tcp_proxy(facts.service, *_shares(plan.backends))))
    return chain


def _http_chain(plan: OutboundPlan) -> ChainDraft:
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
        is_outside = any(each.service in plan.outside for each in route.backends)
        for message in route_messages(
            route.name,
            match_of(plan.http_conf, route),
            filters_of(plan.http_conf, route),
            _shares(route.backends),
            tuple(service_cluster(dict(each.tags)) for each in route.mirrors),
        ):
            if is_outside:
                call_by_own_name(message)
            host.routes.append(message)
    chain.filters.append((HTTP_MANAGER, manager))
    return chain


def _shares(backends: tuple[Backend, ...]) -> tuple[tuple[str, int], ...]:
    return tuple((service_cluster(dict(each.tags)), each.weight) for each in backends)
