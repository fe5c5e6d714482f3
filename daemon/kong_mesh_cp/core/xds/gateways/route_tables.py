"""Routes of one host as they are tried: prefixes of whole segments, the more exact first.

Source: docs/wire/gateways.md#tables
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256

from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.gateways.gateway_plan import (
    GatewayRoute,
    PathChange,
    RequestMatch,
    Rewrite,
)
from kong_mesh_cp.core.xds.services.instances import TagPairs


def gateway_cluster(tags: TagPairs, host_tags: TagPairs) -> str:
    """The cluster that a host with `host_tags` sends to for the instances with `tags`, of which one
    is the service: each host has its own, as policies may differ.
    """
    text = "".join(key + value for some in (tags, host_tags) for key, value in sorted(some))
    return f"{dict(tags)[SERVICE]}-{sha256(text.encode()).hexdigest()[:16]}"


def route_table(routes: Iterable[GatewayRoute]) -> tuple[GatewayRoute, ...]:
    """`routes` in the order in which they are tried, each with at most one path.

    A prefix is of whole segments, as the Gateway API has it, and Envoy compares bytes: it becomes
    two routes, one for what is below it and one for the path itself, unless another one is for
    exactly that.
    """
    others: list[GatewayRoute] = []
    exact: dict[str, list[GatewayRoute]] = {}
    prefixes: dict[str, list[GatewayRoute]] = {}
    for route in routes:
        match = route.match
        if match.exact_path:
            exact.setdefault(match.exact_path, []).append(route)
        elif match.prefix_path:
            prefixes.setdefault(match.prefix_path, []).append(route)
        else:
            others.append(route)
    for prefix, some in prefixes.items():
        whole = prefix.rstrip("/")
        is_there = whole in exact
        for route in some:
            others.append(_below(route, whole))
            if not is_there:
                exact.setdefault(whole, []).append(_itself(route, whole))
    others += [route for some in exact.values() for route in some]
    return tuple(sorted(others, key=lambda route: _precedence(route.match)))


def _below(route: GatewayRoute, whole: str) -> GatewayRoute:
    """`route` for what is below the path `whole`."""
    route = replace(route, match=replace(route.match, prefix_path=f"{whole}/"))
    rewrite, redirect = route.rewrite, route.redirect
    if rewrite is not None and rewrite.path.prefix is not None:
        path = PathChange(prefix=f"{rewrite.path.prefix.rstrip('/')}/", full=rewrite.path.full)
        route = replace(route, rewrite=replace(rewrite, path=path))
    if redirect is not None and redirect.path is not None and redirect.path.prefix is not None:
        path = PathChange(prefix=f"{redirect.path.prefix.rstrip('/')}/", full=redirect.path.full)
        route = replace(route, redirect=replace(redirect, path=path))
    return route


def _itself(route: GatewayRoute, whole: str) -> GatewayRoute:
    """`route` for the path `whole` alone."""
    match = replace(route.match, prefix_path="", exact_path=whole or "/")
    route = replace(route, match=match)
    rewrite, redirect = route.rewrite, route.redirect
    if rewrite is not None and rewrite.path.prefix is not None:
        # As in the original, the host stays as it was.
        path = PathChange(full=rewrite.path.prefix.rstrip("/") or "/")
        route = replace(route, rewrite=Rewrite(path=path))
    if redirect is not None and redirect.path is not None and redirect.path.prefix is not None:
        path = PathChange(full=redirect.path.prefix.rstrip("/") or "/")
        route = replace(route, redirect=replace(redirect, path=path))
    return route


def _precedence(match: RequestMatch) -> tuple[int | str, ...]:
    """The path first: exact, then by prefix, then by expression, the longer before the shorter;
    then what asks for more. Of two expressions of one length nothing else is compared.
    """
    by_path = (*_longest(match.exact_path), *_longest(match.prefix_path))
    if match.regex_path:
        return (*by_path, *_longest(match.regex_path), 0, 0, 0, "")
    headers = len(match.exact_headers) + len(match.regex_headers)
    headers += len(match.absent_headers) + len(match.present_headers)
    parameters = len(match.exact_parameters) + len(match.regex_parameters)
    return (
        *by_path,
        *_longest(""),
        int(not match.method),
        -headers,
        -parameters,
        match.exact_path + match.prefix_path,
    )


def _longest(path: str) -> tuple[int, int]:
    return (int(not path), -len(path.encode()))
