"""Routes as Envoy has them.

Source: docs/wire/envoy-policies.md#routes
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import floor
from typing import Final

from kong_mesh_cp.core.policy.kinds.mesh_http_route import Match, PathMatch
from kong_mesh_cp.core.policy.spec_parts.http_fields import HeaderMatch
from kong_mesh_cp.core.policy.spec_parts.http_filters import (
    Filter,
    HeaderModifier,
    PathRewrite,
    RequestRedirect,
    UrlRewrite,
)
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message, Route
from kong_mesh_cp.core.xds.envoy.http import header_option
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError, number

RESPONSE_CODES: Final = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}


def route_messages(
    name: str,
    match: Match,
    filters: Iterable[Filter],
    clusters: tuple[tuple[str, int], ...],
    mirrors: tuple[str | None, ...],
    *,
    host_rewritten: bool = False,
) -> Iterator[Message]:
    """The routes for one match: two for the prefix of a path. `mirrors` has a cluster for each
    filter that mirrors; None: it does nothing. `host_rewritten`: requests name the host that they
    go to.
    """
    by_prefix = match.path is not None and match.path.type == "PathPrefix"
    for matched in _matches(match):
        route: Message = Route(name=name, match=matched, route=_action(clusters))
        if host_rewritten:
            route.route.auto_host_rewrite.value = True
        to_mirror = iter(mirrors)
        for each in filters:
            _filter(route, each, to_mirror, by_prefix=by_prefix)
        yield route


def _action(clusters: tuple[tuple[str, int], ...]) -> dict[str, object]:
    if len(clusters) == 1:
        return {"cluster": clusters[0][0], "timeout": {}}
    weighted = [{"name": name, "weight": {"value": weight}} for name, weight in clusters]
    return {"weighted_clusters": {"clusters": weighted}, "timeout": {}}


def _matches(match: Match) -> Iterator[dict[str, object]]:
    headers = list(_headers(match))
    parameters = list(_parameters(match))
    for path in _paths(match.path):
        found: dict[str, object] = dict(path)
        if headers:
            found["headers"] = headers
        if parameters:
            found["query_parameters"] = parameters
        yield found


def _paths(path: PathMatch | None) -> Iterator[dict[str, object]]:
    match path:
        case None:
            yield {}
        case PathMatch(type="Exact"):
            yield {"path": path.value}
        case PathMatch(type="RegularExpression"):
            yield {"safe_regex": {"regex": path.value}}
        case PathMatch(value="/"):
            yield {"prefix": "/"}
        case _:
            # Whole segments only. Envoy's own match of that kind leaves two slashes behind where
            # the prefix is replaced by one.
            whole = path.value.removesuffix("/")
            yield {"path": whole}
            yield {"prefix": f"{whole}/"}


def _headers(match: Match) -> Iterator[dict[str, object]]:
    if match.method is not None:
        yield {"name": ":method", "string_match": {"exact": match.method}}
    named: set[str] = set()
    for header in match.headers or ():
        if header.name not in named:
            named.add(header.name)
            yield header_matcher(header)


def header_matcher(header: HeaderMatch) -> dict[str, object]:
    """The members of Envoy's HeaderMatcher for `header`."""
    match header.type:
        case "RegularExpression":
            return {"name": header.name, "string_match": {"safe_regex": {"regex": header.value}}}
        case "Prefix" if header.value:
            return {"name": header.name, "string_match": {"prefix": header.value}}
        case "Present" | "Prefix":  # an empty prefix is one that every value has
            return {"name": header.name, "present_match": True}
        case "Absent":
            return {"name": header.name, "present_match": False}
        case _:
            return {"name": header.name, "string_match": {"exact": header.value}}


def _parameters(match: Match) -> Iterator[dict[str, object]]:
    named: set[str] = set()
    for parameter in match.query_params or ():
        if parameter.name in named:
            continue
        named.add(parameter.name)
        by_regex = parameter.type == "RegularExpression"
        compared: dict[str, object] = (
            {"safe_regex": {"regex": parameter.value}} if by_regex else {"exact": parameter.value}
        )
        yield {"name": parameter.name, "string_match": compared}


def _filter(
    route: Message, each: Filter, mirrors: Iterator[str | None], *, by_prefix: bool
) -> None:
    match each.type:
        case "RequestHeaderModifier" if each.request_header_modifier is not None:
            _request_headers(route, each.request_header_modifier)
        case "ResponseHeaderModifier" if each.response_header_modifier is not None:
            _response_headers(route, each.response_header_modifier)
        case "RequestRedirect" if each.request_redirect is not None:
            _redirect(route, each.request_redirect, by_prefix=by_prefix)
        case "URLRewrite" if each.url_rewrite is not None:
            _rewrite(route, each.url_rewrite, by_prefix=by_prefix)
        case "RequestMirror" if each.request_mirror is not None:
            _mirror(route, next(mirrors), each.request_mirror.percentage)
        case _:
            pass


def _request_headers(route: Message, modifier: HeaderModifier) -> None:
    for each in _options(modifier):
        route.request_headers_to_add.add(**each)
    route.request_headers_to_remove.extend(modifier.remove or ())


def _response_headers(route: Message, modifier: HeaderModifier) -> None:
    for each in _options(modifier):
        route.response_headers_to_add.add(**each)
    route.response_headers_to_remove.extend(modifier.remove or ())


def _options(modifier: HeaderModifier) -> Iterator[dict[str, object]]:
    for header in modifier.set or ():
        yield header_option(header.name, header.value, append=False)
    for header in modifier.add or ():
        yield header_option(header.name, header.value, append=True)


def _redirect(route: Message, conf: RequestRedirect, *, by_prefix: bool) -> None:
    redirect = route.redirect  # takes the place of the action
    redirect.SetInParent()
    if conf.hostname is not None:
        redirect.host_redirect = conf.hostname
    if conf.port is not None:
        redirect.port_redirect = conf.port
    if conf.scheme is not None:
        redirect.scheme_redirect = conf.scheme
    if conf.path is not None:
        _path(route, redirect, conf.path, by_prefix=by_prefix)
    redirect.response_code = type(redirect).RedirectResponseCode.Value(
        RESPONSE_CODES[conf.status_code]
    )


def _rewrite(route: Message, conf: UrlRewrite, *, by_prefix: bool) -> None:
    if not route.HasField("route"):
        raise UnmakeableError("a request that is redirected cannot be rewritten")
    if conf.hostname is not None:
        route.route.host_rewrite_literal = conf.hostname
    if conf.path is not None:
        _path(route, route.route, conf.path, by_prefix=by_prefix)


def _path(route: Message, action: Message, rewrite: PathRewrite, *, by_prefix: bool) -> None:
    if rewrite.type == "ReplaceFullPath":
        _whole_path(action, rewrite.replace_full_path or "")
    elif by_prefix:
        replacement = rewrite.replace_prefix_match or ""
        if route.match.path:
            _whole_path(action, replacement)
        elif route.match.prefix:
            action.prefix_rewrite = replacement


def _whole_path(action: Message, path: str) -> None:
    action.regex_rewrite.pattern.regex = ".*"
    action.regex_rewrite.substitution = path


def _mirror(route: Message, cluster: str | None, percentage: int | str | None) -> None:
    if cluster is None:
        return
    if not route.HasField("route"):
        raise UnmakeableError("a request that is redirected cannot be mirrored")
    policy = route.route.request_mirror_policies.add(cluster=cluster)
    if percentage is not None:
        value = number(percentage, "the percentage of a mirror")
        set_share(policy.runtime_fraction.default_value, float(value))


def set_share(field: Message, percentage: float) -> None:
    """`field`, a FractionalPercent."""
    field.numerator, denominator = fraction(percentage)
    field.denominator = type(field).DenominatorType.Value(denominator)


def fraction(percentage: float) -> tuple[int, str]:
    """Numerator and denominator of Envoy's FractionalPercent, as exact as it can be."""
    if floor(percentage) == percentage:
        return int(percentage), "HUNDRED"
    if floor(percentage * 100) == percentage * 100:
        return int(percentage * 100), "TEN_THOUSAND"
    return round(percentage * 10_000), "MILLION"
