"""The tables of a gateway's routes: virtual hosts, and routes as Envoy has them.

Source: docs/wire/gateways.md#tables
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.formats.go.canonical_header import canonical_header
from kong_mesh_cp.core.resources.kinds.mesh_gateway import Protocol
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message, RouteConfiguration, duration
from kong_mesh_cp.core.xds.envoy.http import header_option
from kong_mesh_cp.core.xds.envoy.routes import RESPONSE_CODES, set_share
from kong_mesh_cp.core.xds.envoy.tags_header import TAGS_HEADER
from kong_mesh_cp.core.xds.gateways.gateway_plan import (
    GatewayDestination,
    GatewayHost,
    GatewayListener,
    GatewayRoute,
    HeaderChanges,
    Mirror,
    PathChange,
    Redirect,
    RequestMatch,
    Rewrite,
)
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError

NO_ROUTES: Final = "This is a Kuma MeshGateway. No routes match this MeshGateway!\n"
NOT_FOUND: Final = 404
NOWHERE_STATUS: Final = 500  # as the Gateway API has it, of routes that lead nowhere
STREAM_IDLE: Final = 5 * SECOND
HOST_HEADERS: Final = frozenset({":authority", "Host", "host"})
STRICT_TRANSPORT: Final = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")

TellsTags = Callable[[GatewayDestination], str]
"""What the header of tags says to a destination; "": it gets none."""


def route_configuration(name: str) -> Message:
    """Without virtual hosts."""
    return RouteConfiguration(
        name=name,
        validate_clusters={"value": False},
        ignore_port_in_host_matching=True,
        # Who comes from outside says nothing about whose request it carries.
        request_headers_to_remove=[TAGS_HEADER],
    )


def add_host(
    table: Message, listener: GatewayListener, host: GatewayHost, tells_tags: TellsTags
) -> Iterator[str]:
    """`table` with a virtual host. Yields why routes are left out; each is answered as if nothing
    were there.
    """
    made = table.virtual_hosts.add(name=host.hostname, domains=[host.hostname])
    if listener.protocol is Protocol.HTTPS or listener.is_cross_mesh:
        made.require_tls = made.ALL
        name, value = STRICT_TRANSPORT
        made.response_headers_to_add.add(**header_option(name, value, append=False))
    if not host.routes:
        _answer(made.routes.add(match={"prefix": "/"}), NOT_FOUND, NO_ROUTES)
    for route in host.routes:
        message: Message = made.routes.add(name=route.name)
        try:
            fill_route(message, route, listener.port, tells_tags)
        except UnmakeableError as error:
            message.Clear()
            message.name = route.name
            _match(message.match, route.match)
            _answer(message, NOWHERE_STATUS)
            yield f"{route.origin}: {error}"


def fill_route(message: Message, route: GatewayRoute, port: int, tells_tags: TellsTags) -> None:
    """Raises: UnmakeableError."""
    _match(message.match, route.match)
    if route.redirect is not None:
        _redirect(message.redirect, route.redirect, port)
    if route.destinations:
        _forward(message, route.destinations, tells_tags)
    if message.WhichOneof("action") is None:
        raise UnmakeableError("the route leads nowhere")
    if route.rewrite is not None:
        _rewrite_host(message, route.rewrite)
    if route.request_headers is not None:
        _request_headers(message, route.request_headers)
    if route.response_headers is not None:
        _changes(message.response_headers_to_add, route.response_headers, frozenset())
        message.response_headers_to_remove.extend(filter(None, route.response_headers.deleted))
    if route.mirror is not None:
        _mirror(message, route.mirror)
    if route.rewrite is not None:
        _rewrite_path(message, route.rewrite)


def _answer(message: Message, status: int, text: str = "") -> None:
    message.direct_response.status = status
    if text:
        message.direct_response.body.inline_string = text


def _match(message: Message, match: RequestMatch) -> None:
    # Of several the last one counts.
    if match.exact_path:
        message.path = match.exact_path
    if match.prefix_path:
        message.prefix = match.prefix_path
    if match.regex_path:
        message.safe_regex.regex = match.regex_path
    for header in _headers(match):
        message.headers.add(**header)
    for name, value in match.exact_parameters:
        if name and value:
            message.query_parameters.add(name=name, string_match={"exact": value})
    for name, value in match.regex_parameters:
        if name and value:
            by_regex = {"safe_regex": {"regex": value}}
            message.query_parameters.add(name=name, string_match=by_regex)


def _headers(match: RequestMatch) -> Iterator[dict[str, object]]:
    """Members of Envoy's HeaderMatcher."""
    if match.method:
        yield {"name": ":method", "string_match": {"exact": match.method}}
    for name, value in match.exact_headers:
        if name and value:
            yield {"name": name, "string_match": {"exact": value}}
    for name, value in match.regex_headers:
        if name and value:
            yield {"name": name, "string_match": {"safe_regex": {"regex": value}}}
    for name in filter(None, match.present_headers):
        yield {"name": name, "present_match": True}
    for name in filter(None, match.absent_headers):
        yield {"name": name, "present_match": False}
    for name, value in match.prefix_headers:
        if name:
            yield {"name": name, "prefix_match": value}


def _redirect(message: Message, redirect: Redirect, port: int) -> None:
    message.strip_query = True
    if redirect.scheme:
        message.scheme_redirect = redirect.scheme
    message.host_redirect = redirect.host
    message.port_redirect = redirect.port or port
    if redirect.path is not None:
        _change_path(message, redirect.path)
    code = RESPONSE_CODES.get(redirect.status)
    if code is None:
        raise UnmakeableError(f"a redirect cannot have the status {redirect.status}")
    message.response_code = type(message).RedirectResponseCode.Value(code)


def _forward(
    message: Message, destinations: tuple[GatewayDestination, ...], tells_tags: TellsTags
) -> None:
    by_name = {each.cluster: each for each in destinations}
    # One alone gets everything.
    weights = {name: each.weight for name, each in by_name.items()}
    if len(destinations) == 1 and not destinations[0].weight:
        weights = {destinations[0].cluster: 1}
    if not sum(weights.values()):
        raise UnmakeableError("none of the places that the route leads to gets any share")
    action = message.route
    action.cluster_not_found_response_code = action.INTERNAL_SERVER_ERROR
    action.idle_timeout.CopyFrom(duration(STREAM_IDLE))
    for name in sorted(by_name):
        share = action.weighted_clusters.clusters.add(name=name)
        share.weight.value = weights[name]
        tags = tells_tags(by_name[name])
        if tags:
            share.request_headers_to_add.add(header={"key": TAGS_HEADER, "value": tags})


def _rewrite_host(message: Message, rewrite: Rewrite) -> None:
    if not message.HasField("route"):
        return
    if rewrite.to_backend_host:
        message.route.auto_host_rewrite.value = True
    if rewrite.host:
        message.route.host_rewrite_literal = rewrite.host


def _request_headers(message: Message, changes: HeaderChanges) -> None:
    for name, value in changes.replaced:
        if name in HOST_HEADERS and value and message.HasField("route"):
            message.route.host_rewrite_literal = value
    _changes(message.request_headers_to_add, changes, HOST_HEADERS)
    message.request_headers_to_remove.extend(filter(None, changes.deleted))


def _changes(field: Message, changes: HeaderChanges, apart: Iterable[str]) -> None:
    for name, value in changes.replaced:
        if name not in apart:
            field.add(**header_option(canonical_header(name), value, append=False))
    for name, value in changes.appended:
        field.add(**header_option(canonical_header(name), value, append=True))


def _mirror(message: Message, mirror: Mirror) -> None:
    if mirror.percentage <= 0:
        return
    if not message.HasField("route"):
        raise UnmakeableError("a request that is not passed on cannot be mirrored")
    policy = message.route.request_mirror_policies.add(cluster=mirror.to.cluster)
    set_share(policy.runtime_fraction.default_value, mirror.percentage)


def _rewrite_path(message: Message, rewrite: Rewrite) -> None:
    if not message.HasField("route"):
        raise UnmakeableError("a request that is not passed on cannot be rewritten")
    _change_path(message.route, rewrite.path)


def _change_path(message: Message, change: PathChange) -> None:
    if change.full is not None:
        message.regex_rewrite.pattern.regex = ".*"
        message.regex_rewrite.substitution = change.full
    if change.prefix is not None:
        message.prefix_rewrite = change.prefix
