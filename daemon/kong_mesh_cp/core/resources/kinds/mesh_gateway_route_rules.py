"""Checks of MeshGatewayRoutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.legacy.connections import (
    CANNOT_BE_EMPTY,
    WITH_SERVICE,
    percentage_violations,
)
from kong_mesh_cp.core.resources.kinds.mesh_gateway_route import (
    Backend,
    Conf,
    Filter,
    Header,
    HeaderFilter,
    HeaderMatch,
    HeaderMatchType,
    HttpRoute,
    HttpRule,
    Match,
    MeshGatewayRoute,
    PathMatch,
    PathMatchType,
    QueryMatch,
    Redirect,
)
from kong_mesh_cp.core.resources.tags import (
    port_violations,
    selector_violations,
    selectors_violations,
)
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

_HOST_HEADERS: Final = frozenset({":authority", "Host", "host"})


def violations(route: MeshGatewayRoute) -> list[Violation]:
    """Everything that is wrong with a MeshGatewayRoute."""
    found = selectors_violations(root("selectors"), route.selectors, WITH_SERVICE)
    path = root("conf")
    conf = route.conf or Conf()
    # A TCP route has no checks of its own in Kuma, not even of its backends.
    if conf.tcp is None and conf.http is None:
        found.append(path.violation(CANNOT_BE_EMPTY))
    if conf.http is not None:
        found += _http(conf.http, path.field("http").field("rules"))
    return found


def _http(http: HttpRoute, path: FieldPath) -> list[Violation]:
    # Host names are not checked: what fits no listener has no effect.
    if not http.rules:
        return [path.violation(CANNOT_BE_EMPTY)]
    found: list[Violation] = []
    for index, rule in enumerate(http.rules):
        found += _rule(rule, path.index(index))
    return found


def _rule(rule: HttpRule, path: FieldPath) -> list[Violation]:
    # Stops at a rule without matches: what it would do does not matter then.
    if not rule.matches:
        return [path.field("matches").violation(CANNOT_BE_EMPTY)]
    found: list[Violation] = []
    for index, match in enumerate(rule.matches):
        found += _match(match, path.field("matches").index(index))
    # One match by prefix is enough here; MeshHTTPRoute asks that all are.
    by_prefix = any(
        match.path is not None and match.path.match == PathMatchType.PREFIX
        for match in rule.matches
    )
    # Clients see places that do not count the filters that only rewrite the host.
    filters = [each for each in rule.filters if not _rewrites_host(each)]
    keeps_host = len(filters) == len(rule.filters)
    for index, each in enumerate(filters):
        at = path.field("filters").index(index)
        found += _filter(each, at, by_prefix=by_prefix, keeps_host=keeps_host)
    redirects = any(each.redirect is not None for each in filters)
    # Counts all filters, those that rewrite the host too.
    if redirects and len(rule.filters) != 1:
        reason = "redirects cannot be used with other filters"
        return [*found, path.field("filters").violation(reason)]
    return found + _backends(rule.backends, path.field("backends"), redirects=redirects)


def _rewrites_host(each: Filter) -> bool:
    return each.rewrite is not None and each.rewrite.host_to_backend_hostname


def _backends(backends: Sequence[Backend], path: FieldPath, *, redirects: bool) -> list[Violation]:
    found = []
    # A redirect answers by itself, so it excludes backends, and all else needs them.
    if not backends and not redirects:
        found.append(path.violation(CANNOT_BE_EMPTY))
    if backends and redirects:
        found.append(path.violation("must be empty when using redirect filters"))
    for index, backend in enumerate(backends):
        found += selector_violations(path.index(index), backend.destination, WITH_SERVICE)
    return found


def _match(match: Match, path: FieldPath) -> list[Violation]:
    found = [path.violation(CANNOT_BE_EMPTY)] if match == Match() else []
    if match.path is not None:
        found += _path(match.path, path)
    for index, header in enumerate(match.headers):
        found += _header_match(header, path.field("headers").index(index))
    for index, parameter in enumerate(match.query_parameters):
        found += _named_value(parameter, path.field("query_parameters").index(index))
    return found


def _path(match: PathMatch, path: FieldPath) -> list[Violation]:
    at = path.field("value")
    # Envoy's RE2 decides whether it is one.
    if match.match == PathMatchType.REGEX:
        return [] if match.value else [at.violation(CANNOT_BE_EMPTY)]
    return [] if match.value.startswith("/") else [at.violation("must be an absolute path")]


def _header_match(header: HeaderMatch, path: FieldPath) -> list[Violation]:
    if header.match not in {HeaderMatchType.ABSENT, HeaderMatchType.PRESENT}:
        return _named_value(header, path)
    # Present and Absent look at the name alone.
    found = [] if header.name else [path.field("name").violation(CANNOT_BE_EMPTY)]
    if header.value:
        found.append(path.field("value").violation("cannot be set"))
    return found


def _named_value(entry: HeaderMatch | QueryMatch | Header, path: FieldPath) -> list[Violation]:
    return [
        path.field(name).violation(CANNOT_BE_EMPTY)
        for name in ("name", "value")
        if not getattr(entry, name)
    ]


def _filter(each: Filter, path: FieldPath, *, by_prefix: bool, keeps_host: bool) -> list[Violation]:
    # Only changes of the request are checked; those of the response are taken as they are.
    if each.request_header is not None:
        at = path.field("request_header")
        return _header_filter(each.request_header, at, keeps_host=keeps_host)
    if each.redirect is not None:
        return _redirect(each.redirect, path.field("redirect"))
    if each.mirror is not None:
        at = path.field("mirror")
        found = percentage_violations(at, each.mirror.percentage)
        backend = each.mirror.backend
        at = at.field("backend")
        if backend is None:
            return [*found, at.violation(CANNOT_BE_EMPTY)]
        return found + selector_violations(at, backend.destination, WITH_SERVICE)
    if each.rewrite is not None and each.rewrite.replace_prefix_match is not None:
        reason = "cannot be used without a match on path prefix"
        at = path.field("rewrite").field("replacePrefixMatch")
        return [] if by_prefix else [at.violation(reason)]
    return []


def _header_filter(headers: HeaderFilter, path: FieldPath, *, keeps_host: bool) -> list[Violation]:
    found = [path.violation(CANNOT_BE_EMPTY)] if headers == HeaderFilter() else []
    for name, entries in (("set", headers.set), ("add", headers.add)):
        for index, header in enumerate(entries):
            at = path.field(name).index(index)
            # Two parts of one rule would both set the host, and Envoy's order would decide.
            if header.name in _HOST_HEADERS and not keeps_host:
                reason = (
                    f"cannot modify '{header.name}' header, when route has set "
                    "'rewrite.host_to_backend_hostname' option"
                )
                found.append(at.violation(reason))
            found += _named_value(header, at)
    for index, removed in enumerate(headers.remove):
        if not removed:
            found.append(path.field("remove").index(index).violation(CANNOT_BE_EMPTY))
    return found


def _redirect(redirect: Redirect, path: FieldPath) -> list[Violation]:
    found = port_violations(path.field("port"), redirect.port) if redirect.port else []
    # Absent is 0 in proto3 and so refused: there is no default.
    if not 300 <= redirect.status_code <= 308:
        at = path.field("status_code")
        found.append(at.violation("must be in the range [300, 308]"))
    return found


KIND: Final[Kind[MeshGatewayRoute]] = proto_kind("MeshGatewayRoute", MeshGatewayRoute, violations)
