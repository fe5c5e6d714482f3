"""The routes of TrafficRoutes, and of RateLimits, as Envoy has them.

Source: docs/wire/older-policies.md#routes
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.resources.kinds.legacy.rate_limit import Http, OnRateLimit
from kong_mesh_cp.core.resources.kinds.legacy.traffic_route import (
    Match,
    Modify,
    ModifyHeaders,
    RegexReplace,
    StringMatcher,
)
from kong_mesh_cp.core.xds.envoy.envoy_messages import (
    HttpRateLimit,
    Message,
    Route,
    duration,
    packed,
)
from kong_mesh_cp.core.xds.envoy.http import header_option
from kong_mesh_cp.core.xds.envoy.listeners import HTTP_RATE_LIMIT

RATE_LIMIT_STATS: Final = "rate_limit"

Shares = tuple[tuple[str, int], ...]
"""Clusters with their weights."""


def older_route(match: Match | None, shares: Shares, timeout: int) -> Message:
    """Without a name. `timeout` of requests in nanoseconds, 0: none."""
    route: Message = Route(match=_match(match or Match()))
    action = route.route
    action.timeout.CopyFrom(duration(timeout))
    if len(shares) == 1:
        action.cluster = shares[0][0]
    else:
        for name, weight in shares:
            action.weighted_clusters.clusters.add(name=name, weight={"value": weight})
    return route


def modify_route(route: Message, modify: Modify) -> None:
    action = route.route
    if modify.path is not None:
        if modify.path.regex is not None:
            _replace(action.regex_rewrite, modify.path.regex)
        elif modify.path.rewrite_prefix is not None:
            action.prefix_rewrite = modify.path.rewrite_prefix
    if modify.host is not None:
        if modify.host.from_path is not None:
            _replace(action.host_rewrite_path_regex, modify.host.from_path)
        elif modify.host.value is not None:
            action.host_rewrite_literal = modify.host.value
    if modify.request_headers is not None:
        _headers(route.request_headers_to_add, modify.request_headers)
        removed = (each.name for each in modify.request_headers.remove)
        route.request_headers_to_remove.extend(removed)
    if modify.response_headers is not None:
        _headers(route.response_headers_to_add, modify.response_headers)
        removed = (each.name for each in modify.response_headers.remove)
        route.response_headers_to_remove.extend(removed)


def limit_route(route: Message, limit: Http) -> None:
    """It takes so many requests, if the connection manager has the filter for it."""
    config: Message = HttpRateLimit(
        stat_prefix=RATE_LIMIT_STATS,
        token_bucket={
            "max_tokens": limit.requests,
            "tokens_per_fill": {"value": limit.requests},
            "fill_interval": duration(limit.interval or 0),
        },
        filter_enabled=_always("local_rate_limit_enabled"),
        filter_enforced=_always("local_rate_limit_enforced"),
    )
    answer = limit.on_rate_limit or OnRateLimit()
    if answer.status:
        config.status.code = answer.status
    for header in answer.headers:
        option = header_option(header.key, header.value, append=bool(header.append))
        config.response_headers_to_add.add(**option)
    route.typed_per_filter_config[HTTP_RATE_LIMIT].CopyFrom(packed(config))


def limit_filter() -> Message:
    """What limits of routes need; without one of its own it lets all pass."""
    return HttpRateLimit(stat_prefix=RATE_LIMIT_STATS)


def by_tags(route: Message, header: str, expression: str) -> None:
    """For requests whose `header` fits `expression` alone."""
    route.match.headers.add(name=header, safe_regex_match={"regex": expression})


def _always(key: str) -> dict[str, object]:
    return {"default_value": {"numerator": 100}, "runtime_key": key}


def _match(match: Match) -> dict[str, object]:
    found: dict[str, object] = {"prefix": "/"} if match.path is None else _path(match.path)
    headers = [
        {"name": name, **_compared(matcher)}
        for name, matcher in sorted((match.headers or {}).items())
    ]
    if match.method is not None:
        headers.append({"name": ":method", **_compared(match.method)})
    if headers:
        found["headers"] = headers
    return found


def _path(matcher: StringMatcher) -> dict[str, object]:
    if matcher.prefix is not None:
        return {"prefix": matcher.prefix}
    if matcher.exact is not None:
        return {"path": matcher.exact}
    return {"safe_regex": {"regex": matcher.regex or ""}}


def _compared(matcher: StringMatcher) -> dict[str, object]:
    if matcher.prefix is not None:
        return {"prefix_match": matcher.prefix}
    if matcher.exact is not None:
        return {"string_match": {"exact": matcher.exact}}
    return {"safe_regex_match": {"regex": matcher.regex or ""}}


def _replace(field: Message, said: RegexReplace) -> None:
    field.pattern.regex = said.pattern
    field.substitution = said.substitution


def _headers(field: Message, said: ModifyHeaders) -> None:
    for each in said.add:
        field.add(**header_option(each.name, each.value, append=each.append))
