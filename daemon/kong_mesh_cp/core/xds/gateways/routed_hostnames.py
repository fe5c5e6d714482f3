"""What MeshHTTPRoutes and MeshTCPRoutes say about the listeners of a gateway.

Source: docs/wire/gateways.md#routes
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kong_mesh_cp.core.policy.kinds import mesh_http_route, mesh_tcp_route
from kong_mesh_cp.core.policy.rules.policy import HTTP_ROUTE, TCP_ROUTE
from kong_mesh_cp.core.policy.rules.proxies import HostListener
from kong_mesh_cp.core.policy.rules.subset_rules import SubsetRule
from kong_mesh_cp.core.policy.service_rules import backend_origins
from kong_mesh_cp.core.policy.typed_confs import TypedConf
from kong_mesh_cp.core.xds.gateways.gateway_hostnames import covers, exactness, meets
from kong_mesh_cp.core.xds.gateways.gateway_plan import (
    ANY_HOST,
    HTTP_PROTOCOLS,
    GatewayHost,
    GatewayRoute,
    ListenedHostname,
    ListenedPort,
    ListenerHostname,
)
from kong_mesh_cp.core.xds.gateways.route_tables import route_table
from kong_mesh_cp.core.xds.gateways.routed_rules import GatewayBackends, http_routes, tcp_route
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.services.backends import ServiceKey


def routed_hostnames(
    view: ProxyView,
    matched: Matched,
    port: ListenedPort,
    asked: set[ServiceKey],
) -> tuple[ListenerHostname, ...] | None:
    """The host names of one port, the most exact first; without those that no route is about.

    None: no route for traffic of that kind (HTTP, or connections) is about any listener of the
    gateway, so that those of the older generation count. `asked` gets the services that were asked
    about. Raises: UnreadableConfError.
    """
    is_http = port.protocol in HTTP_PROTOCOLS
    found = matched.of_type(HTTP_ROUTE if is_http else TCP_ROUTE)
    if not found.is_about_gateway:
        return None
    listened = sorted(port.hostnames, key=lambda each: exactness(each.hostname))
    seen: list[str] = []
    routed = []
    for each in listened:
        place = HostListener(view.networking.address, port.port, each.hostname)
        rules = found.at_host(place)
        if rules is None:
            continue
        backends = GatewayBackends(view.world, each.tags, asked)
        if is_http:
            hosts = tuple(_http_hosts(each, _confs(rules.services), seen, backends))
        else:
            hosts = (_tcp_host(each, rules.services, backends),)
        seen.append(each.hostname)
        if hosts:
            routed.append(ListenerHostname(hostname=each.hostname, tls=each.tls, hosts=hosts))
    return tuple(routed)


class _Conf(NamedTuple):
    """What merged routes say together."""

    rule: SubsetRule
    conf: mesh_http_route.Conf

    @property
    def hostnames(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.conf.hostnames)) or (ANY_HOST,)


def _confs(rules: Iterable[SubsetRule]) -> list[_Conf]:
    # Whatever services they name: a gateway takes requests for none in particular.
    return [
        _Conf(each, TypedConf(HTTP_ROUTE, each.conf).of_kind(mesh_http_route.Conf))
        for each in rules
    ]


def _http_hosts(
    listened: ListenedHostname, confs: list[_Conf], seen: list[str], backends: GatewayBackends
) -> Iterator[GatewayHost]:
    """The hosts of one listener, the most exact first. What those before it have `seen` comes to
    them.
    """
    by_hostname: dict[str, list[_Conf]] = {}
    for conf in confs:
        for hostname in conf.hostnames:
            by_hostname.setdefault(hostname, []).append(conf)
    own = {
        listened.hostname if covers(each, listened.hostname) else each
        for each in by_hostname
        if meets(listened.hostname, [each])
    }
    for hostname in sorted(own, key=exactness):
        if any(covers(each, hostname) for each in seen):
            continue
        routes = [
            route
            for each in sorted(by_hostname, key=exactness)
            # One that is for a part of the host alone is a host of its own.
            if meets(hostname, [each]) and (each not in own or covers(each, hostname))
            for conf in by_hostname[each]
            for route in _http_routes(conf, backends)
        ]
        yield GatewayHost(hostname=hostname, tags=listened.tags, routes=route_table(routes))


def _http_routes(conf: _Conf, backends: GatewayBackends) -> Iterator[GatewayRoute]:
    origins = backend_origins(conf.rule)
    for rule in conf.conf.rules:
        yield from http_routes(_origin(conf.rule), rule, origins, backends)


def _tcp_host(
    listened: ListenedHostname, rules: Iterable[SubsetRule], backends: GatewayBackends
) -> GatewayHost:
    routes = tuple(
        tcp_route(
            _origin(each),
            TypedConf(TCP_ROUTE, each.conf).of_kind(mesh_tcp_route.Conf),
            backend_origins(each),
            backends,
        )
        for each in rules
    )
    return GatewayHost(hostname=listened.hostname, tags=listened.tags, routes=routes)


def _origin(rule: SubsetRule) -> str:
    return "_".join(sorted(each.meta.name for each in rule.origins))
