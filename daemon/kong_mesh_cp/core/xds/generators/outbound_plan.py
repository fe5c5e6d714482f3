"""One outbound before it is made: what it is about, which confs hold, where its traffic goes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TCP_ROUTE
from kong_mesh_cp.core.policy.typed_confs import NO_DESTINATION_CONFS, DestinationConfs, TypedConf
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.effects import OutboundFacts, named_by, own_tags
from kong_mesh_cp.core.xds.envoy.http import HttpTerms
from kong_mesh_cp.core.xds.facts.proxy_facts import ProxyFacts
from kong_mesh_cp.core.xds.matching import Matched, MatchedType
from kong_mesh_cp.core.xds.policies.effect_catalogue import EFFECT_TYPES, EFFECTS
from kong_mesh_cp.core.xds.protocols import HTTP_LIKE, NOT_CARRIED
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.routing import Route, http_routes, tcp_backends
from kong_mesh_cp.core.xds.services.backends import Backend, Backends, Destined, ServiceKey
from kong_mesh_cp.core.xds.services.instances import mesh_asked
from kong_mesh_cp.core.xds.services.service_resources import EXTERNAL
from kong_mesh_cp.core.xds.world import MeshWorld, TagPairs

Confs = tuple[DestinationConfs, ...]
"""One for each of EFFECTS."""

_ASKING_FOR_TAGS: Final = tuple(each.policy_type for each in EFFECTS if each.asks_for_tags)


class Destination(NamedTuple):
    """What an outbound is for."""

    to: Destined
    service: str  # the tag, or the name of a resource's cluster
    protocol: str

    @property
    def is_external(self) -> bool:
        return isinstance(self.to, DestinationId) and self.to.type == EXTERNAL

    @property
    def tags(self) -> TagPairs:
        """A service that is a resource has none."""
        return () if isinstance(self.to, DestinationId) else self.to


def destination_of(to: Destined, world: MeshWorld, asked: set[ServiceKey]) -> Destination | None:
    """None: there is no such service, or it has no such port."""
    if not isinstance(to, DestinationId):
        service = dict(to).get(SERVICE, "")
        asked.add(service)
        return Destination(to, service, world.protocol(service))
    asked.add(to._replace(section_name=""))
    found = world.services.find(to)
    port = None if found is None else found.port(to.section_name)
    if found is None or port is None:
        return None
    return Destination(to, found.cluster(port.number), port.protocol)


@dataclass(frozen=True, slots=True)
class OutboundPlan:
    """One outbound, wherever it listens."""

    destination: Destination
    facts: OutboundFacts
    confs: Confs
    terms: HttpTerms
    redirected: bool
    tells_tags: bool
    made_by: str  # the type of route that makes it
    http_conf: TypedConf | None = None
    routes: tuple[Route, ...] = ()  # of HTTP
    backends: tuple[Backend, ...] = ()  # of everything else
    # Routes of HTTP that would count, did it not take connections as they are. The original has
    # made their clusters by then.
    overruled: tuple[Route, ...] = ()
    listens: bool = True

    @property
    def sent_to(self) -> Iterator[Backend]:
        """Of what there are clusters: all that its listener refers to, and what is overruled."""
        yield from self.backends
        for route in (*self.routes, *self.overruled):
            yield from route.backends
            yield from (each for each in route.mirrors if each is not None)


def plan_of(
    view: ProxyView, destination: Destination, matched: Matched, asked: set[ServiceKey]
) -> OutboundPlan:
    facts, confs = about(view, destination, matched)
    http = confs_of(matched, HTTP_ROUTE, destination.to)
    tcp = confs_of(matched, TCP_ROUTE, destination.to)
    is_http = facts.protocol in HTTP_LIKE
    routes: tuple[Route, ...] = ()
    if is_http or http.conf is not None:
        backends = Backends(view.world, HTTP_LIKE.__contains__, asked)
        routes = http_routes(http.conf, destination.to, backends, http.origins)
    plan = partial(
        OutboundPlan,
        destination,
        facts,
        confs,
        view.http_terms,
        view.is_redirected,
        view.world.tells_tags,
    )
    if is_http and (tcp.conf is None or http.conf is not None):
        # Of HTTP there is no answer that says that there is no route, and connections are refused.
        return plan(HTTP_ROUTE, http_conf=http.conf, routes=routes, listens=bool(routes))
    backends = Backends(view.world, lambda protocol: protocol not in NOT_CARRIED, asked)
    ends = tcp_backends(tcp.conf, destination.to, backends, tcp.origins)
    return plan(TCP_ROUTE, backends=ends or (), overruled=routes, listens=ends is not None)


def about(
    view: ProxyView, destination: Destination, matched: Matched, *, is_called: bool = True
) -> tuple[OutboundFacts, Confs]:
    facts = OutboundFacts(
        mesh=view.world.name,
        service=destination.service,
        protocol=destination.protocol,
        resource=destination.to.name if isinstance(destination.to, DestinationId) else "",
        is_resource=isinstance(destination.to, DestinationId),
        is_external=destination.is_external or _is_outside(destination, view.world),
        is_called=is_called,
        tags=told_tags_of(view, matched),
        proxy=proxy_named(view, matched),
    )
    types = matched.of_types(EFFECT_TYPES)
    return facts, tuple([_confs_of(each, destination.to) for each in types])


def _is_outside(destination: Destination, world: MeshWorld) -> bool:
    return mesh_asked(destination.tags) is None and world.outside(destination.service) is not None


def confs_of(matched: Matched, policy_type: str, to: Destined) -> DestinationConfs:
    return _confs_of(matched.of_type(policy_type), to)


def _confs_of(found: MatchedType, to: Destined) -> DestinationConfs:
    if not found.policies:
        return NO_DESTINATION_CONFS
    if isinstance(to, DestinationId):
        return found.destination(to)
    return found.service(dict(to).get(SERVICE, ""))


def proxy_named(view: ProxyView, matched: Matched) -> ProxyFacts | None:
    """The proxy, where what is made of its outbounds names it."""
    types = matched.of_types(EFFECT_TYPES)
    about = [each for each, found in zip(EFFECTS, types, strict=True) if found.is_about_outgoing]
    return named_by(about, view, matched)


def told_tags_of(view: ProxyView, matched: Matched) -> str:
    """The proxy's tags, where requests tell them; "": none does."""
    is_asked_for = view.world.tells_tags or any(
        each.policies for each in matched.of_types(_ASKING_FOR_TAGS)
    )
    return own_tags(view) if is_asked_for else ""
