"""MeshGatewayRoute: what the listeners of a MeshGateway do with requests, in the older form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kong_mesh_cp.core.resources.kinds.connections import HttpMethod
from kong_mesh_cp.core.resources.proto import EMPTY, Message, ProtoEnum, Uint32, oneof, proto
from kong_mesh_cp.core.resources.tags import Selector

_HTTP_MATCH = "kuma.mesh.v1alpha1.MeshGatewayRoute.HttpRoute.Match"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend(Message):
    weight: Uint32 = 0
    destination: Mapping[str, str] = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpRule(Message):
    backends: tuple[Backend, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpRoute(Message):
    rules: tuple[TcpRule, ...] = ()


class PathMatchType(ProtoEnum):
    """How a path is compared."""

    __proto_name__ = f"{_HTTP_MATCH}.Path.MatchType"
    EXACT = 0
    PREFIX = 1
    REGEX = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PathMatch(Message):
    match: PathMatchType = PathMatchType.EXACT
    value: str = ""


class HeaderMatchType(ProtoEnum):
    """How a header is compared, if it is at all."""

    __proto_name__ = f"{_HTTP_MATCH}.Header.MatchType"
    EXACT = 0
    REGEX = 1
    ABSENT = 2
    PRESENT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderMatch(Message):
    match: HeaderMatchType = HeaderMatchType.EXACT
    name: str = ""
    value: str = ""


class QueryMatchType(ProtoEnum):
    """How a query parameter is compared."""

    __proto_name__ = f"{_HTTP_MATCH}.Query.MatchType"
    EXACT = 0
    REGEX = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryMatch(Message):
    match: QueryMatchType = QueryMatchType.EXACT
    name: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match(Message):
    path: PathMatch | None = None
    method: HttpMethod = HttpMethod.NONE
    headers: tuple[HeaderMatch, ...] = ()
    query_parameters: tuple[QueryMatch, ...] = proto((), original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header(Message):
    name: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderFilter(Message):
    set: tuple[Header, ...] = ()
    add: tuple[Header, ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror(Message):
    backend: Backend | None = None
    percentage: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite(Message):
    replace_full: str | None = oneof("path", original=True)
    replace_prefix_match: str | None = oneof("path", original=True)
    host_to_backend_hostname: bool = proto(default=False, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect(Message):
    scheme: str = ""
    hostname: str = ""
    port: Uint32 = 0
    status_code: Uint32 = proto(0, original=True)
    path: Rewrite | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter(Message):
    request_header: HeaderFilter | None = oneof("filter", original=True)
    mirror: Mirror | None = oneof("filter")
    redirect: Redirect | None = oneof("filter")
    rewrite: Rewrite | None = oneof("filter")
    response_header: HeaderFilter | None = oneof("filter", original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRule(Message):
    matches: tuple[Match, ...] = ()
    filters: tuple[Filter, ...] = ()
    backends: tuple[Backend, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRoute(Message):
    hostnames: tuple[str, ...] = ()
    rules: tuple[HttpRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf(Message):
    tcp: TcpRoute | None = oneof("route")
    http: HttpRoute | None = oneof("route")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshGatewayRoute(Message):
    selectors: tuple[Selector, ...] = ()
    conf: Conf | None = None
