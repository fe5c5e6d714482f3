"""Listeners of outbounds: made once for all places at which proxies take the same traffic.

Source: docs/wire/envoy-names.md#outbounds
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from kong_mesh_cp.core.discovery.snapshots import Resource
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE
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
from kong_mesh_cp.core.xds.envoy.routes import route_messages
from kong_mesh_cp.core.xds.envoy.tags_header import TAGS_HEADER
from kong_mesh_cp.core.xds.generators.outbound_plan import Destination, OutboundPlan, plan_of
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.names import (
    outbound_listener,
)
from kong_mesh_cp.core.xds.policies.effect_catalogue import EFFECTS
from kong_mesh_cp.core.xds.protocols import GRPC, KAFKA
from kong_mesh_cp.core.xds.proxy_view import OutboundTarget, ProxyView
from kong_mesh_cp.core.xds.routing import filters_of, match_of
from kong_mesh_cp.core.xds.services.backends import Backend, ServiceKey
from kong_mesh_cp.core.xds.services.instances import without_mesh
from kong_mesh_cp.core.xds.world import MeshWorld


class Listening(NamedTuple):
    """A listener wherever it listens, and what it refers to."""

    asked: frozenset[ServiceKey]
    anywhere: bytes = b""  # empty: there is none, as nothing takes its traffic
    sent_to: tuple[Backend, ...] = ()  # whatever share each has
    error: str = ""  # why it cannot be made


def listening(view: ProxyView, destination: Destination, matched: Matched) -> Listening:
    asked: set[ServiceKey] = set()
    try:
        plan = plan_of(view, destination, matched, asked)
        if has_older_routes(view.world):
            plan = _as_routes_say(plan, matched)
        anywhere = _listener(plan) if plan.listens else b""
    except WRONG_INPUT as error:
        return Listening(frozenset(asked), error=str(error))
    sent_to = dict.fromkeys(each._replace(weight=0) for each in plan.sent_to)
    return Listening(frozenset(asked), anywhere, (*sent_to,))


def has_older_routes(world: MeshWorld) -> bool:
    """TrafficRoutes lead where no route of the newer generation does."""
    return bool(world.of_type("TrafficRoute"))


def _as_routes_say(plan: OutboundPlan, matched: Matched) -> OutboundPlan:
    """Without what no route of the newer generation is about."""
    if not _says_something(matched, HTTP_ROUTE):
        plan = replace(plan, overruled=())
    if _says_something(matched, plan.made_by):
        return plan
    return replace(plan, routes=(), backends=(), listens=False)


def _says_something(matched: Matched, kind: str) -> bool:
    routes = matched.of_type(kind)
    return bool(routes.policies and routes.to_rules.services)


def placed_listener(target: OutboundTarget, anywhere: bytes) -> Resource:
    name = outbound_listener(target.address, target.port)
    return Resource.of(name, placed(name, target.address, target.port, anywhere))


def _listener(plan: OutboundPlan) -> bytes:
    """Wherever it listens: no effect of a policy looks at its name or its address."""
    draft = ListenerDraft("", "", 0, inbound=False)
    draft.show_tags(without_mesh(plan.destination.tags))
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
    is_own_name = facts.is_resource and facts.is_external
    config.name = facts.service if is_own_name else f"outbound:{facts.service}"
    config.validate_clusters.value = False
    if plan.tells_tags and facts.tags:
        config.request_headers_to_add.add(header={"key": TAGS_HEADER, "value": facts.tags})
    host = config.virtual_hosts.add(name=facts.service, domains=["*"])
    for route in plan.routes:
        host.routes.extend(
            route_messages(
                route.name,
                match_of(plan.http_conf, route),
                filters_of(plan.http_conf, route),
                _shares(route.backends),
                tuple(None if each is None else each.cluster for each in route.mirrors),
                host_rewritten=any(each.is_external for each in route.backends),
            )
        )
    chain.filters.append((HTTP_MANAGER, manager))
    return chain


def _shares(backends: tuple[Backend, ...]) -> tuple[tuple[str, int], ...]:
    return tuple((each.cluster, each.weight) for each in backends)
