"""What policies of the older generation do to a gateway.

They are about traffic from a listener, known by its tags, to what a route leads to. Of connections
that MeshTCPRoutes send on they say nothing, nor of services that are resources.

Source: docs/wire/gateways.md#older-policies
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeVar

from kong_mesh_cp.core.policy.legacy.selectors import (
    LegacyPolicy,
    legacy_policies,
    policy_for_destination,
)
from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.rules.policy import TCP_ROUTE
from kong_mesh_cp.core.resources.kinds.legacy.circuit_breaker import CircuitBreaker
from kong_mesh_cp.core.resources.kinds.legacy.health_check import HealthCheck
from kong_mesh_cp.core.resources.kinds.legacy.rate_limit import RateLimit
from kong_mesh_cp.core.resources.kinds.legacy.retry import Retry
from kong_mesh_cp.core.resources.kinds.legacy.timeout import Timeout
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import duration
from kong_mesh_cp.core.xds.envoy.older_route_messages import limit_route
from kong_mesh_cp.core.xds.gateways.gateway_draft import GatewayDraft
from kong_mesh_cp.core.xds.gateways.gateway_plan import (
    GatewayDestination,
    GatewayHost,
    GatewayListener,
)
from kong_mesh_cp.core.xds.gateways.listener_confs import led_to, planned_routes
from kong_mesh_cp.core.xds.generators.older.breakers import break_circuits
from kong_mesh_cp.core.xds.generators.older.health_probes import probe_endpoints
from kong_mesh_cp.core.xds.generators.older.older_policies import spec_of
from kong_mesh_cp.core.xds.generators.older.retries import retry_connections, retry_requests
from kong_mesh_cp.core.xds.generators.older.timeouts import limit_cluster, request_timeout
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.protocols import HTTP
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.world import MeshWorld

S = TypeVar("S")

ANY_SERVICE: Final = "*"


def police_connections(draft: GatewayDraft, view: ProxyView, matched: Matched) -> None:
    """Before policies of the newer generation, which have the last word."""
    known = _Connections(view.world)
    if not known.policies:
        return
    are_routed = matched.of_type(TCP_ROUTE).is_about_gateway
    clusters: dict[str, _Way] = {}
    for planned in draft.plan.listeners:
        if planned.is_http:
            _routes(draft, planned, known)
        elif are_routed:
            continue
        else:
            _connections(draft, planned, known)
        for host in planned.hosts:
            for cluster, destination in led_to(draft, (host,)):
                if not isinstance(destination.to, DestinationId):
                    clusters[cluster.name] = _Way(host, destination)
    for name, way in clusters.items():
        _cluster(draft.clusters[name], way, known)


class _Way(NamedTuple):
    """From a host to what it sends to."""

    host: GatewayHost
    destination: GatewayDestination


class _Connections:
    """The policies of one mesh."""

    def __init__(self, world: MeshWorld) -> None:
        self._world = world
        kinds = (CircuitBreaker, HealthCheck, RateLimit, Retry, Timeout)
        found = {each.__name__: legacy_policies(world.of_type(each.__name__)) for each in kinds}
        self.policies: Mapping[str, tuple[LegacyPolicy, ...]] = {
            name: some for name, some in found.items() if some
        }

    def one(self, kind: type[S], way: _Way) -> S | None:
        """The spec of the one that counts."""
        return self._spec(kind, self._one(kind.__name__, way))

    def one_of_all(self, kind: type[S], ways: Iterable[_Way]) -> S | None:
        """The spec of the one that counts wherever it leads: one for any service, where there is
        one, and of several the oldest.
        """
        for_any: list[LegacyPolicy] = []
        for_one: list[LegacyPolicy] = []
        for way in ways:
            policy = self._one(kind.__name__, way)
            if policy is None:
                continue
            services = {each.get(SERVICE) for each in policy.destinations}
            if ANY_SERVICE in services:
                for_any.append(policy)
            elif way.destination.service in services:
                for_one.append(policy)
        oldest = min(for_any or for_one, key=lambda each: each.created_at, default=None)
        return self._spec(kind, oldest)

    def _one(self, type_name: str, way: _Way) -> LegacyPolicy | None:
        sources, destination = (dict(way.host.tags),), dict(way.destination.tags)
        return policy_for_destination(self.policies.get(type_name, ()), sources, destination)

    def _spec(self, kind: type[S], policy: LegacyPolicy | None) -> S | None:
        if policy is None:
            return None
        return spec_of(kind, self._world.of_type(policy.type), policy)


def _cluster(cluster: ClusterDraft, way: _Way, known: _Connections) -> None:
    timeout = known.one(Timeout, way)
    if timeout is not None and timeout.conf is not None:
        limit_cluster(cluster, timeout.conf)
    breaker = known.one(CircuitBreaker, way)
    if breaker is not None and breaker.conf is not None:
        break_circuits(cluster.message, breaker.conf)
    check = known.one(HealthCheck, way)
    if check is not None and check.conf is not None:
        probe_endpoints(cluster.message, cluster.protocol, check.conf)


def _routes(draft: GatewayDraft, planned: GatewayListener, known: _Connections) -> None:
    for host, route, message in planned_routes(draft, planned):
        if not message.HasField("route"):
            continue
        ways = [_Way(host, each) for each in route.destinations]
        retry = known.one_of_all(Retry, ways)
        if retry is not None and retry.conf is not None:
            # Whatever the services speak, as in the original.
            retry_requests(message.route, HTTP, retry.conf)
        timeout = known.one_of_all(Timeout, ways)
        limit = 0 if timeout is None or timeout.conf is None else request_timeout(timeout.conf)
        if limit:
            message.route.timeout.CopyFrom(duration(limit))
        rate = known.one_of_all(RateLimit, ways)
        if rate is not None and rate.conf is not None and rate.conf.http is not None:
            limit_route(message, rate.conf.http)


def _connections(draft: GatewayDraft, planned: GatewayListener, known: _Connections) -> None:
    listener = draft.listener(planned)
    ways = [
        _Way(host, each)
        for host in planned.hosts
        for route in host.routes
        for each in route.leads_to
    ]
    retry = known.one_of_all(Retry, ways)
    if listener is not None and retry is not None and retry.conf is not None:
        for chain in listener.chains:
            retry_connections(chain, retry.conf)
