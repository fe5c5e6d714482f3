"""The plan of a builtin gateway: its MeshGateway, and what routes say about that one's listeners.

Source: docs/wire/gateways.md#listeners
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from kong_mesh_cp.core.policy.rules.mesh_resources import proxy_of
from kong_mesh_cp.core.policy.rules.proxies import served_gateway
from kong_mesh_cp.core.resources.kinds.mesh_gateway import Listener, MeshGateway
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.xds.gateways.gateway_plan import (
    ANY_HOST,
    GatewayListener,
    GatewayPlan,
    ListenedHostname,
    ListenedPort,
    ListenerHostname,
)
from kong_mesh_cp.core.xds.gateways.older_gateway_routes import ROUTE, older_hostnames
from kong_mesh_cp.core.xds.gateways.routed_hostnames import routed_hostnames
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.names import gateway_listener
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.services.backends import ServiceKey
from kong_mesh_cp.core.xds.services.instances import pairs

GATEWAY: Final = "MeshGateway"


def planned_gateway(
    view: ProxyView, matched: Matched, asked: set[ServiceKey]
) -> GatewayPlan | None:
    """None: there is no MeshGateway for the proxy. `asked` gets the services that were asked about.

    Raises: TooManySubsetsError, UnreadableConfError.
    """
    gateway = gateway_of_proxy(view)
    if gateway is None:
        return None
    planned: list[GatewayListener] = []
    for port, said in _ports(view, gateway):
        hostnames = routed_hostnames(view, matched, port, asked)
        # A port that none of the newer generation is about: the original fails at that for HTTP.
        if not hostnames:
            hostnames = older_hostnames(view.world.of_type(ROUTE), port)
            asked.update(_services(hostnames))
        planned.append(_listener(gateway, said, hostnames))
    # Of HTTP first: of two clusters of one name, as two protocols make them, the last one counts.
    listeners = sorted(planned, key=lambda each: (not each.is_http, each.port))
    return GatewayPlan(gateway=gateway, listeners=tuple(listeners))


def _services(hostnames: Iterable[ListenerHostname]) -> Iterator[str]:
    """The tags of all services that are sent anything."""
    for hostname in hostnames:
        for host in hostname.hosts:
            for route in host.routes:
                yield from (each.service for each in route.leads_to)


def gateway_of_proxy(view: ProxyView) -> Resource[MeshGateway] | None:
    """The MeshGateway that the proxy serves."""
    served = served_gateway(proxy_of(view.dataplane), view.world.policies.gateways)
    found = None if served is None else view.world.of_type(GATEWAY).get(served.meta.name)
    return found if found is not None and has_spec(found, MeshGateway) else None


def _ports(
    view: ProxyView, gateway: Resource[MeshGateway]
) -> Iterator[tuple[ListenedPort, Listener]]:
    """Each with the first listener that is there, which says what holds for all."""
    conf, role = gateway.spec.conf, view.dataplane.spec.gateway
    own = {} if role is None else role.tags
    by_port: dict[int, list[Listener]] = {}
    for each in () if conf is None else conf.listeners:
        by_port.setdefault(each.port, []).append(each)
    for port, listeners in by_port.items():
        listened = (
            ListenedHostname(
                each.hostname or ANY_HOST,
                pairs({**own, **gateway.spec.tags, **each.tags}),
                each.tls,
            )
            for each in listeners
        )
        yield ListenedPort(port, listeners[0].protocol, tuple(listened)), listeners[0]


def _listener(
    gateway: Resource[MeshGateway], said: Listener, hostnames: tuple[ListenerHostname, ...]
) -> GatewayListener:
    return GatewayListener(
        name=gateway_listener(gateway.name, said.protocol.name, said.port),
        port=said.port,
        protocol=said.protocol,
        is_cross_mesh=said.cross_mesh,
        connection_limit=0 if said.resources is None else said.resources.connection_limit,
        hostnames=hostnames,
    )
