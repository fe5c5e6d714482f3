"""What MeshGatewayRoutes say about the hosts of a listener.

Source: docs/wire/gateways.md#older-routes
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from kong_mesh_cp.core.policy.rules.subsets import Tags, selects
from kong_mesh_cp.core.resources.kinds.legacy.connections import HttpMethod
from kong_mesh_cp.core.resources.kinds.mesh_gateway import Protocol
from kong_mesh_cp.core.resources.kinds.mesh_gateway_route import (
    Backend,
    Filter,
    HeaderFilter,
    HeaderMatchType,
    HttpRule,
    Match,
    MeshGatewayRoute,
    PathMatchType,
    QueryMatchType,
    TcpRule,
)
from kong_mesh_cp.core.resources.kinds.mesh_gateway_route import Rewrite as SaidRewrite
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.xds.gateways.gateway_hostnames import exactness, meets
from kong_mesh_cp.core.xds.gateways.gateway_plan import (
    ANY_HOST,
    HTTP_PROTOCOLS,
    GatewayDestination,
    GatewayHost,
    GatewayRoute,
    HeaderChanges,
    ListenedHostname,
    ListenedPort,
    ListenerHostname,
    Mirror,
    Pair,
    PathChange,
    Redirect,
    RequestMatch,
    Rewrite,
)
from kong_mesh_cp.core.xds.gateways.route_tables import gateway_cluster, route_table
from kong_mesh_cp.core.xds.protocols import HTTP, TCP
from kong_mesh_cp.core.xds.services.instances import TagPairs, pairs

ROUTE: Final = "MeshGatewayRoute"

Route = Resource[MeshGatewayRoute]
Routes = dict[str, Route]
"""By name."""


def older_hostnames(
    resources: Mapping[str, Resource[object]], port: ListenedPort
) -> tuple[ListenerHostname, ...]:
    """What is done at `port`, the most exact host name first. `resources` are all routes of the
    mesh, by name.
    """
    with_tls = port.protocol in (Protocol.HTTPS, Protocol.TLS)
    grouped: dict[str, list[ListenedHostname]] = {}
    for each in port.hostnames:
        grouped.setdefault(each.hostname if with_tls else ANY_HOST, []).append(each)
    found = [each for each in resources.values() if has_spec(each, MeshGatewayRoute)]
    is_http = port.protocol in HTTP_PROTOCOLS
    return tuple(
        ListenerHostname(
            hostname=hostname,
            tls=grouped[hostname][0].tls,
            hosts=tuple(_hosts(grouped[hostname], _fitting(found, is_http=is_http))),
        )
        for hostname in sorted(grouped, key=exactness)
    )


def _fitting(routes: Iterable[Route], *, is_http: bool) -> list[Route]:
    """Those for traffic of the kind."""
    return [
        each
        for each in routes
        if each.spec.conf is not None
        and (each.spec.conf.http if is_http else each.spec.conf.tcp) is not None
    ]


def _hosts(listened: Sequence[ListenedHostname], routes: Sequence[Route]) -> Iterator[GatewayHost]:
    """In an order in which "*" is the last one."""
    found: dict[str, tuple[TagPairs, Routes]] = {}
    for each in listened:
        tags = dict(each.tags)
        own = {route.name: route for route in routes if _selects(route, tags)}
        found[each.hostname] = each.tags, own
    if ANY_HOST in found:
        found = _redistributed(found)
    for hostname in sorted(found, reverse=True):
        tags_of_host, of_host = found[hostname]
        made = [
            route
            for name in sorted(of_host)
            if _is_for(of_host[name], hostname)
            for route in _routes(of_host[name], tags_of_host)
        ]
        yield GatewayHost(hostname=hostname, tags=tags_of_host, routes=route_table(made))


def _selects(route: Route, tags: Tags) -> bool:
    return any(selects(each.match, tags) for each in route.spec.selectors)


def _is_for(route: Route, hostname: str) -> bool:
    names = _names(route)
    return hostname == ANY_HOST or not names or meets(hostname, names)


def _names(route: Route) -> tuple[str, ...]:
    conf = route.spec.conf
    return () if conf is None or conf.http is None else conf.http.hostnames


def _redistributed(
    hosts: Mapping[str, tuple[TagPairs, Routes]],
) -> dict[str, tuple[TagPairs, Routes]]:
    """Routes of the listener for any host that name hosts are of these: each is a host of its own
    from then on, beside what other listeners say about it.
    """
    found = {hostname: (tags, dict(routes)) for hostname, (tags, routes) in hosts.items()}
    tags_of_any, of_any = found[ANY_HOST]
    for route in hosts[ANY_HOST][1].values():
        names = [each for each in _names(route) if each != ANY_HOST]
        if names and ANY_HOST not in _names(route):
            del of_any[route.name]
        for name in names:
            found.setdefault(name, (tags_of_any, {}))[1][route.name] = route
            if name.startswith("*."):
                for hostname, (_, routes) in found.items():
                    if hostname != ANY_HOST and hostname.endswith(name[2:]):
                        routes[route.name] = route
    return found


def _routes(resource: Route, host_tags: TagPairs) -> Iterator[GatewayRoute]:
    conf = resource.spec.conf
    if conf is not None and conf.http is not None:
        for rule in conf.http.rules:
            yield from _http_routes(resource.name, rule, host_tags)
    if conf is not None and conf.tcp is not None:
        for tcp_rule in conf.tcp.rules:
            yield _tcp_route(resource.name, tcp_rule, host_tags)


def _tcp_route(name: str, rule: TcpRule, host_tags: TagPairs) -> GatewayRoute:
    sent_to = tuple(_destination(each, TCP, host_tags) for each in rule.backends)
    return GatewayRoute(origin=name, destinations=sent_to)


def _http_routes(name: str, rule: HttpRule, host_tags: TagPairs) -> Iterator[GatewayRoute]:
    sent_to = tuple(_destination(each, HTTP, host_tags) for each in rule.backends)
    route = GatewayRoute(origin=name, destinations=sent_to)
    for each in rule.filters:
        route = _filtered(route, each, host_tags)
    for match in rule.matches:
        yield replace(route, match=_match(match))


def _destination(backend: Backend, protocol: str, host_tags: TagPairs) -> GatewayDestination:
    tags = pairs(backend.destination)
    return GatewayDestination(
        to=tags,
        weight=backend.weight,
        protocol=protocol,
        cluster=gateway_cluster(tags, host_tags),
        tags=tags,
    )


def _filtered(route: GatewayRoute, each: Filter, host_tags: TagPairs) -> GatewayRoute:
    """`route` with what the filter says; of most kinds the last one counts."""
    if each.redirect is not None:
        said = each.redirect
        return replace(
            route,
            redirect=Redirect(
                status=said.status_code,
                scheme=said.scheme,
                host=said.hostname,
                port=said.port,
                path=None if said.path is None else _path_change(said.path),
            ),
        )
    if each.mirror is not None:
        if each.mirror.backend is None:
            return route
        to = _destination(each.mirror.backend, HTTP, host_tags)
        percentage = each.mirror.percentage or 0.0
        return replace(route, mirror=Mirror(to=to, percentage=percentage))
    if each.request_header is not None:
        changes = _with_headers(route.request_headers, each.request_header)
        return replace(route, request_headers=changes)
    if each.response_header is not None:
        changes = _with_headers(route.response_headers, each.response_header)
        return replace(route, response_headers=changes)
    if each.rewrite is not None:
        rewrite = Rewrite(
            path=_path_change(each.rewrite),
            to_backend_host=each.rewrite.host_to_backend_hostname,
        )
        return replace(route, rewrite=rewrite)
    return route


def _path_change(said: SaidRewrite) -> PathChange:
    return PathChange(full=said.replace_full, prefix=said.replace_prefix_match)


def _with_headers(before: HeaderChanges | None, said: HeaderFilter) -> HeaderChanges:
    before = before or HeaderChanges()
    return HeaderChanges(
        replaced=(*before.replaced, *(Pair(each.name, each.value) for each in said.set)),
        appended=(*before.appended, *(Pair(each.name, each.value) for each in said.add)),
        deleted=(*before.deleted, *said.remove),
    )


def _match(said: Match) -> RequestMatch:
    match = RequestMatch(prefix_path="/")  # Envoy asks for a path
    if said.path is not None:
        match = RequestMatch(
            exact_path=said.path.value if said.path.match is PathMatchType.EXACT else "",
            prefix_path=said.path.value if said.path.match is PathMatchType.PREFIX else "",
            regex_path=said.path.value if said.path.match is PathMatchType.REGEX else "",
        )

    def headers(kind: HeaderMatchType) -> tuple[Pair, ...]:
        return tuple(Pair(each.name, each.value) for each in said.headers if each.match is kind)

    def parameters(kind: QueryMatchType) -> tuple[Pair, ...]:
        found = (each for each in said.query_parameters if each.match is kind)
        return tuple(Pair(each.name, each.value) for each in found)

    return replace(
        match,
        method="" if said.method is HttpMethod.NONE else said.method.name,
        exact_headers=headers(HeaderMatchType.EXACT),
        regex_headers=headers(HeaderMatchType.REGEX),
        absent_headers=tuple(each.name for each in headers(HeaderMatchType.ABSENT)),
        present_headers=tuple(each.name for each in headers(HeaderMatchType.PRESENT)),
        exact_parameters=parameters(QueryMatchType.EXACT),
        regex_parameters=parameters(QueryMatchType.REGEX),
    )
