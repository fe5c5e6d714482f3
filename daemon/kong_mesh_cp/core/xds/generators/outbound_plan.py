"""One outbound before it is made: what it is about, which confs hold, where its traffic goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TCP_ROUTE
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.effects import OutboundFacts, ProxyFacts, proxy_facts
from kong_mesh_cp.core.xds.envoy.http import HttpTerms
from kong_mesh_cp.core.xds.matching import DestinationConfs, Matched, TypedConf
from kong_mesh_cp.core.xds.policies.effect_catalogue import EFFECTS
from kong_mesh_cp.core.xds.protocols import HTTP_LIKE, NOT_CARRIED
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.routing import (
    Backend,
    Route,
    http_routes,
    tcp_backends,
)
from kong_mesh_cp.core.xds.world import MeshWorld, TagPairs

Confs = tuple[DestinationConfs, ...]
"""One for each of EFFECTS."""


class AskedServices:
    """The services of a world, and which of them were asked about: their protocol, their TLS."""

    def __init__(self, world: MeshWorld) -> None:
        self.world = world
        self.asked: set[str] = set()

    def protocol(self, service: str) -> str:
        self.asked.add(service)
        return self.world.protocol(service)

    def is_outside(self, service: str) -> bool:
        self.asked.add(service)
        return self.world.outside(service) is not None


@dataclass(frozen=True, slots=True)
class OutboundPlan:
    """One outbound, wherever it listens."""

    tags: TagPairs
    facts: OutboundFacts
    confs: Confs
    terms: HttpTerms
    redirected: bool
    http_conf: TypedConf | None = None
    routes: tuple[Route, ...] = ()  # of HTTP
    backends: tuple[Backend, ...] = ()  # of everything else
    outside: frozenset[str] = frozenset()  # of the services that it leads to

    @property
    def sent_to(self) -> Iterator[Backend]:
        """All that its listener refers to."""
        yield from self.backends
        for route in self.routes:
            yield from route.backends
            yield from route.mirrors


def plan_of(
    view: ProxyView, tags: TagPairs, matched: Matched, services: AskedServices
) -> OutboundPlan:
    service = dict(tags).get(SERVICE, "")
    facts, confs = about_service(view, service, matched, services)
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
    plan = OutboundPlan(
        tags,
        facts,
        confs,
        view.http_terms,
        view.is_redirected,
        http_conf if routes else None,
        routes,
        backends,
    )
    services_of = {each.service for each in plan.sent_to}
    return replace(plan, outside=frozenset(filter(services.is_outside, services_of)))


def about_service(
    view: ProxyView, service: str, matched: Matched, services: AskedServices
) -> tuple[OutboundFacts, Confs]:
    facts = OutboundFacts(
        mesh=view.world.name,
        service=service,
        protocol=services.protocol(service),
        proxy=proxy_named(view, matched),
    )
    return facts, tuple(matched.of_type(each.policy_type).service(service) for each in EFFECTS)


def proxy_named(view: ProxyView, matched: Matched) -> ProxyFacts | None:
    """The proxy, where what is made of its outbounds names it."""
    is_asked_for = any(
        each.names_proxy and matched.of_type(each.policy_type).policies for each in EFFECTS
    )
    return proxy_facts(view) if is_asked_for else None
