"""One outbound of a mesh with TrafficRoutes before it is made: which policies count, where its
traffic goes.

Source: docs/wire/older-policies.md#outbounds
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kinds.legacy import (
    circuit_breaker,
    health_check,
    rate_limit,
    retry,
    timeout,
)
from kong_mesh_cp.core.resources.kinds.legacy.traffic_route import LoadBalancer
from kong_mesh_cp.core.resources.kinds.services.external_service import ExternalService
from kong_mesh_cp.core.resources.meta import has_spec
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.generators.older.logs import LogTarget, log_target
from kong_mesh_cp.core.xds.generators.older.older_policies import OlderPolicies
from kong_mesh_cp.core.xds.generators.older.older_routes import (
    OlderRoute,
    Share,
    older_routes,
)
from kong_mesh_cp.core.xds.generators.older.traces import Tracer, tracer_of
from kong_mesh_cp.core.xds.generators.outbound_clusters import (
    Upstream,
    is_secured,
    placed_outside,
    tagged_upstream,
)
from kong_mesh_cp.core.xds.outside.external_services import EXTERNAL, ExternalPlace
from kong_mesh_cp.core.xds.protocols import HTTP2, common_protocol
from kong_mesh_cp.core.xds.services.backends import ServiceKey
from kong_mesh_cp.core.xds.world import MeshWorld, TagPairs

NO_LIMITS: Final = timeout.Conf()
NO_BALANCER: Final = LoadBalancer()


@dataclass(frozen=True, slots=True, kw_only=True)
class OlderPlan:
    """One outbound, wherever it listens."""

    tags: TagPairs
    protocol: str  # what all have in common that it leads to
    routes: tuple[OlderRoute, ...]
    timeouts: timeout.Conf
    balancer: LoadBalancer
    limit: rate_limit.RateLimit | None  # None: what it leads to limits requests itself
    retries: retry.Conf | None
    log: LogTarget | None
    tracer: Tracer | None

    @property
    def service(self) -> str:
        return dict(self.tags).get(SERVICE, "")

    @property
    def shares(self) -> tuple[Share, ...]:
        """All that it leads to, as often as routes say so."""
        return tuple(share for route in self.routes for share in route.shares)


def older_plan(
    tags: TagPairs,
    policies: OlderPolicies,
    world: MeshWorld,
    asked: set[ServiceKey],
    *,
    policed: bool,
) -> OlderPlan:
    """`policed`: some outbound leads to the service by default. `asked` gets the services that
    were asked about. Raises: UnmakeableError.
    """
    service = dict(tags).get(SERVICE, "")
    route = policies.route(service)
    routes = older_routes(route, tags)
    timeouts = policies.for_service(timeout.Timeout, service)
    retries = policies.for_service(retry.Retry, service) if policed else None
    leads_to = [share.service for each in routes for share in each.shares]
    asked.update((service, *leads_to))
    routing = world.mesh.spec.routing
    is_limited_here = routing is None or not routing.zone_egress
    balancer = None if route is None or route.conf is None else route.conf.load_balancer
    return OlderPlan(
        tags=tags,
        protocol=common_protocol(map(world.protocol, leads_to)),
        routes=routes,
        timeouts=NO_LIMITS if timeouts is None else timeouts.conf or NO_LIMITS,
        balancer=balancer or NO_BALANCER,
        limit=policies.for_service(rate_limit.RateLimit, service) if is_limited_here else None,
        retries=None if retries is None else retries.conf,
        log=log_target(policies.log(service)),
        tracer=tracer_of(policies.trace),
    )


def permitted_places(
    world: MeshWorld, policies: OlderPolicies, service: str
) -> tuple[ExternalPlace, ...]:
    """Where the proxy may go for a service outside of the mesh, by itself."""
    outside = world.external.get(service)
    if outside is None:
        return ()
    resources = world.of_type(EXTERNAL)
    found = ((each, resources.get(each.name)) for each in outside.places)
    return tuple(
        place
        for place, resource in found
        if resource is not None
        and has_spec(resource, ExternalService)
        and policies.may_call(resource)
    )


def older_upstream(tags: TagPairs, world: MeshWorld, policies: OlderPolicies) -> Upstream:
    """What a share of the traffic goes to. A proxy goes out of the mesh by itself only where a
    TrafficPermission lets it.
    """
    found, service = tagged_upstream(tags, world), dict(tags)[SERVICE]
    if found.mesh:
        return found
    outside = world.outside(service)
    if outside is not None and outside.gates:
        return found
    places = permitted_places(world, policies, service)
    if places:
        return placed_outside(found, places)
    return found._replace(
        places=(), protocol=HTTP2, secured=is_secured(world, ready=service in world.tls_ready)
    )


def is_outside(upstream: Upstream, world: MeshWorld) -> bool:
    """It is no proxy, whoever is in between."""
    if upstream.mesh:
        return False
    outside = world.outside(dict(upstream.destination.tags)[SERVICE])
    return bool(upstream.places or (outside is not None and outside.gates))


def breaker_of(policies: OlderPolicies, service: str) -> circuit_breaker.Conf | None:
    found = policies.for_service(circuit_breaker.CircuitBreaker, service)
    return None if found is None else found.conf


def probe_of(policies: OlderPolicies, service: str) -> health_check.Conf | None:
    found = policies.for_service(health_check.HealthCheck, service)
    return None if found is None else found.conf
