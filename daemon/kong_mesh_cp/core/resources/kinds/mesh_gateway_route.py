"""MeshGatewayRoute: what the listeners of a MeshGateway do with requests, in the older form."""

from __future__ import annotations

from collections.abc import Mapping

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kinds.legacy.connections import HttpMethod
from kong_mesh_cp.core.resources.tags import Selector
from kong_mesh_cp.core.schema.messages import EMPTY, Message, ProtoEnum, Uint32, oneof, proto

_HTTP_MATCH = "kuma.mesh.v1alpha1.MeshGatewayRoute.HttpRoute.Match"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend(Message):
    """A destination with its share of the traffic."""

    weight: Uint32 = proto(0, number=1)
    destination: Mapping[str, str] = proto(EMPTY, number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpRule(Message):
    """The backends of TCP connections."""

    backends: tuple[Backend, ...] = proto((), number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpRoute(Message):
    """The rules of a route of TCP connections."""

    rules: tuple[TcpRule, ...] = proto((), number=1)


class PathMatchType(ProtoEnum):
    """How a path is compared."""

    __proto_name__ = f"{_HTTP_MATCH}.Path.MatchType"
    EXACT = 0
    PREFIX = 1
    REGEX = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PathMatch(Message):
    """How the path of a request is compared."""

    match: PathMatchType = proto(PathMatchType.EXACT, number=1)
    value: str = proto("", number=2)


class HeaderMatchType(ProtoEnum):
    """How a header is compared, if it is at all."""

    __proto_name__ = f"{_HTTP_MATCH}.Header.MatchType"
    EXACT = 0
    REGEX = 1
    ABSENT = 2
    PRESENT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderMatch(Message):
    """How one header of a request is compared."""

    match: HeaderMatchType = proto(HeaderMatchType.EXACT, number=1)
    name: str = proto("", number=2)
    value: str = proto("", number=3)


class QueryMatchType(ProtoEnum):
    """How a query parameter is compared."""

    __proto_name__ = f"{_HTTP_MATCH}.Query.MatchType"
    EXACT = 0
    REGEX = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryMatch(Message):
    """How one parameter of the query is compared."""

    match: QueryMatchType = proto(QueryMatchType.EXACT, number=1)
    name: str = proto("", number=2)
    value: str = proto("", number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match(Message):
    """A condition on requests: all members that are set have to hold."""

    path: PathMatch | None = proto(number=1)
    method: HttpMethod = proto(HttpMethod.NONE, number=2)
    headers: tuple[HeaderMatch, ...] = proto((), number=3)
    query_parameters: tuple[QueryMatch, ...] = proto((), number=4, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header(Message):
    """A header that is written."""

    name: str = proto("", number=1)
    value: str = proto("", number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderFilter(Message):
    """Headers that are set, added and removed."""

    set: tuple[Header, ...] = proto((), number=1)
    add: tuple[Header, ...] = proto((), number=2)
    remove: tuple[str, ...] = proto((), number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror(Message):
    """A share of the requests is sent to a second backend, whose answers are dropped."""

    backend: Backend | None = proto(number=1)
    # A wrapper, because zero per cent and no percentage are two things.
    percentage: float | None = proto(number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite(Message):
    """Another path or host for the request that is passed on."""

    # Presence matters: "" is a replacement by nothing.
    replace_full: str | None = oneof("path", number=1, original=True)
    # Set together with `replace_full` it would be refused by protobuf: one of a group.
    replace_prefix_match: str | None = oneof("path", number=2, original=True)
    host_to_backend_hostname: bool = proto(default=False, number=3, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect(Message):
    """An answer that sends the client elsewhere."""

    scheme: str = proto("", number=1)
    hostname: str = proto("", number=2)
    port: Uint32 = proto(0, number=3)
    status_code: Uint32 = proto(0, number=4, original=True)
    # A redirect rewrites the path in the same way, but Kuma does not check it.
    path: Rewrite | None = proto(number=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter(Message):
    """Something done to requests or answers; exactly one member is set."""

    request_header: HeaderFilter | None = oneof("filter", number=1, original=True)
    mirror: Mirror | None = oneof("filter", number=2)
    redirect: Redirect | None = oneof("filter", number=3)
    rewrite: Rewrite | None = oneof("filter", number=4)
    response_header: HeaderFilter | None = oneof("filter", number=5, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRule(Message):
    """Requests that fulfil one of `matches`, what is changed in them and where they go."""

    matches: tuple[Match, ...] = proto((), number=1)
    filters: tuple[Filter, ...] = proto((), number=2)
    backends: tuple[Backend, ...] = proto((), number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRoute(Message):
    """The hostnames of a route of HTTP requests, and its rules."""

    hostnames: tuple[str, ...] = proto((), number=1)
    rules: tuple[HttpRule, ...] = proto((), number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf(Message):
    """A route of one of the protocols."""

    tcp: TcpRoute | None = oneof("route", number=2)
    http: HttpRoute | None = oneof("route", number=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshGatewayRoute(Message):
    """The spec of a MeshGatewayRoute."""

    selectors: tuple[Selector, ...] = proto((), number=1)
    conf: Conf | None = proto(number=2)
