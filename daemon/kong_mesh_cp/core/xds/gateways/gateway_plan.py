"""What a builtin gateway does with traffic, before it is said in Envoy's words.

Whatever kind of route says it: a MeshGatewayRoute, a MeshHTTPRoute or a MeshTCPRoute.
Source: docs/wire/gateways.md#listeners
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway, Protocol, Tls
from kong_mesh_cp.core.resources.meta import Resource
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.protocols import HTTP
from kong_mesh_cp.core.xds.services.backends import Destined
from kong_mesh_cp.core.xds.services.instances import TagPairs

ANY_HOST: Final = "*"
HTTP_PROTOCOLS: Final = frozenset({Protocol.HTTP, Protocol.HTTPS})
NOWHERE: Final = "kuma.io/unresolved-backend"
"""The name of the cluster that is not there: what is sent to it is answered with an error."""


class Pair(NamedTuple):
    """A header or a parameter of the query, and its value or an expression for it."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMatch:
    """Which requests a route is for: all that is set has to hold. Of the paths one is set at most;
    without any it is for none, as Envoy asks for one.
    """

    exact_path: str = ""
    prefix_path: str = ""  # as Envoy compares it, byte by byte
    regex_path: str = ""
    method: str = ""
    exact_headers: tuple[Pair, ...] = ()
    regex_headers: tuple[Pair, ...] = ()
    absent_headers: tuple[str, ...] = ()
    present_headers: tuple[str, ...] = ()
    prefix_headers: tuple[Pair, ...] = ()
    exact_parameters: tuple[Pair, ...] = ()  # of the query
    regex_parameters: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PathChange:
    """What takes the place of a path, or of the prefix that was matched. "" is by nothing."""

    full: str | None = None
    prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """How the request that is passed on differs."""

    path: PathChange = PathChange()
    to_backend_host: bool = False  # it names the host of the endpoint
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """An answer that sends the client elsewhere. "" and 0: as in the request."""

    status: int
    scheme: str = ""
    host: str = ""
    port: int = 0  # 0: of the listener
    path: PathChange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderChanges:
    """Of a request or an answer."""

    replaced: tuple[Pair, ...] = ()
    appended: tuple[Pair, ...] = ()
    deleted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayDestination:
    """Where a share of the traffic of one host goes."""

    to: Destined | None  # None: what is referred to is not there
    weight: int = 0
    protocol: str = HTTP  # of the route that leads there
    cluster: str = NOWHERE  # the name of its cluster
    tags: TagPairs = ()  # by which policies of the older generation know it

    @property
    def service(self) -> str:
        """As `tags` have it."""
        return dict(self.tags).get(SERVICE, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """A share of the requests goes to a second place, too, whose answers nobody waits for."""

    to: GatewayDestination
    percentage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRoute:
    """What is done with requests that fulfil one match of one rule, or with connections."""

    origin: str  # the resource that says it; several: their names, sorted, with "_" between
    name: str = ""  # the hash of all matches of the rule; of MeshGatewayRoutes none
    match: RequestMatch = RequestMatch()
    destinations: tuple[GatewayDestination, ...] = ()
    redirect: Redirect | None = None
    mirror: Mirror | None = None
    request_headers: HeaderChanges | None = None
    response_headers: HeaderChanges | None = None
    rewrite: Rewrite | None = None

    @property
    def leads_to(self) -> Iterator[GatewayDestination]:
        """All places that it sends anything to."""
        if self.mirror is not None:
            yield self.mirror.to
        yield from self.destinations


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayHost:
    """The requests for one host name, or for all of a domain: a virtual host."""

    hostname: str
    tags: TagPairs  # of the listener it is of, with those of the gateway and its proxy
    routes: tuple[GatewayRoute, ...] = ()  # in the order in which they are tried


class ListenedHostname(NamedTuple):
    """One of the listeners that a MeshGateway has on a port, as routes are matched to it."""

    hostname: str  # "*": any
    tags: TagPairs  # with those of the gateway and its proxy
    tls: Tls | None


class ListenedPort(NamedTuple):
    """A port of a MeshGateway, which takes one protocol."""

    port: int
    protocol: Protocol
    hostnames: tuple[ListenedHostname, ...]  # as the MeshGateway lists them


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerHostname:
    """What one filter chain of a listener is for. Of HTTP without TLS, and of TCP, all is of "*":
    which host is meant is found out later or never.
    """

    hostname: str
    tls: Tls | None = None
    hosts: tuple[GatewayHost, ...] = ()  # in the order in which they are told


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayListener:
    """One port of a gateway."""

    name: str
    port: int
    protocol: Protocol
    is_cross_mesh: bool = False  # it is called from other meshes, in their TLS
    connection_limit: int = 0  # 0: none
    hostnames: tuple[ListenerHostname, ...] = ()  # the most exact first

    @property
    def is_http(self) -> bool:
        return self.protocol in HTTP_PROTOCOLS

    def table(self, hostname: str) -> str:
        """The name of the table of routes of the chain for `hostname`."""
        return f"{self.name}:{hostname if self.protocol is Protocol.HTTPS else ANY_HOST}"

    @property
    def hosts(self) -> Iterator[GatewayHost]:
        for each in self.hostnames:
            yield from each.hosts


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPlan:
    """All that a proxy does for the MeshGateway it serves."""

    gateway: Resource[MeshGateway]
    listeners: tuple[GatewayListener, ...]  # by port

    @property
    def destinations(self) -> Iterator[tuple[GatewayListener, GatewayHost, GatewayDestination]]:
        """All places that anything is sent to, and from where; one may be there more than once."""
        for listener in self.listeners:
            for host in listener.hosts:
                for route in host.routes:
                    for each in route.leads_to:
                        yield listener, host, each
