"""Where policies of the older generation meet a built-in gateway: listener, host, route.

Of MeshGatewayRoutes only; what MeshHTTPRoutes make of a gateway is shown by `_rules`.

Source: docs/wire/inspection.md#older-paths
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.legacy.attachments import PASS_THROUGH, LegacyView, PolicyName
from kong_mesh_cp.core.policy.legacy.selectors import (
    of_type,
    policy_for_destination,
    policy_for_proxy,
    policy_for_service,
)
from kong_mesh_cp.core.policy.rules.proxies import ANY_HOSTNAME
from kong_mesh_cp.core.policy.rules.subsets import Tags, selects
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh_gateway import Listener, MeshGateway, Protocol
from kong_mesh_cp.core.resources.kinds.mesh_gateway_route import MeshGatewayRoute

_OF_CONNECTIONS: Final = (
    "CircuitBreaker",
    "FaultInjection",
    "HealthCheck",
    "RateLimit",
    "Retry",
    "Timeout",
)
_HTTP: Final = (Protocol.HTTP, Protocol.HTTPS)
_TCP: Final = (Protocol.TCP, Protocol.TLS)


class Destination(NamedTuple):
    """Where a route sends, and the policies on the way by their type."""

    tags: Tags
    policies: Mapping[str, str]


class RouteEntry(NamedTuple):
    """A MeshGatewayRoute of a host, with the destinations it leads to."""

    route: str
    destinations: tuple[Destination, ...]


class Host(NamedTuple):
    """A hostname that a gateway serves, with its routes."""

    name: str
    routes: tuple[RouteEntry, ...]


class ListenerEntry(NamedTuple):
    """A port of a gateway, with the hosts it serves."""

    port: int
    protocol: str
    hosts: tuple[Host, ...]


@dataclass(frozen=True, slots=True)
class GatewayAttachments:
    """`policies` are those of the gateway as a whole, by their type."""

    listeners: tuple[ListenerEntry, ...] = ()
    policies: Mapping[str, str] = field(default_factory=dict)

    def routes(self) -> set[str]:
        """The names of the routes that send anywhere."""
        return {route.route for route in self._entries()}

    def names(self) -> set[PolicyName]:
        """All policies in it."""
        found = {PolicyName(*each) for each in self.policies.items()}
        for route in self._entries():
            for destination in route.destinations:
                found |= {PolicyName(*each) for each in destination.policies.items()}
        return found

    def _entries(self) -> Iterator[RouteEntry]:
        for listener in self.listeners:
            for host in listener.hosts:
                yield from host.routes


def gateway_attachments(
    dataplane: Dataplane,
    gateway: MeshGateway | None,
    routes: Mapping[str, MeshGatewayRoute],
    view: LegacyView,
) -> GatewayAttachments:
    """What a built-in gateway that serves `gateway` gets; without one only what is for all."""
    whole = {}
    logs = of_type(view.policies, "TrafficLog")
    # As the original does it: the log of a gateway is that of traffic to nowhere in particular.
    log = policy_for_service(logs, dataplane.tag_sets, PASS_THROUGH)
    if log is not None:
        whole[log.type] = log.name
    trace = policy_for_proxy(of_type(view.policies, "TrafficTrace"), dataplane.tag_sets)
    if trace is not None:
        whole[trace.type] = trace.name
    if gateway is None or gateway.conf is None:
        return GatewayAttachments((), whole)
    by_port: dict[int, list[Listener]] = {}
    for listener in gateway.conf.listeners:
        by_port.setdefault(listener.port, []).append(listener)
    own: Tags = dataplane.gateway.tags if dataplane.gateway else {}
    # The nearer tags win: listener over gateway over proxy.
    common = {**own, **gateway.tags}
    return GatewayAttachments(
        tuple(
            ListenerEntry(
                # Listeners of one port have one protocol, which a write checks.
                port,
                by_port[port][0].protocol.name,
                _hosts(listeners, common, routes, view),
            )
            for port, listeners in sorted(by_port.items())
        ),
        whole,
    )


def attached_to_gateway(
    found: GatewayAttachments, policy: PolicyName
) -> tuple[ListenerEntry, ...] | None:
    """The part of `found` that `policy` is in: () as a whole, None not at all."""
    if found.policies.get(policy.type) == policy.name:
        return ()
    listeners = []
    for listener in found.listeners:
        hosts = []
        for host in listener.hosts:
            entries = [
                RouteEntry(route.route, kept)
                for route in host.routes
                if (kept := _with(route.destinations, policy))
            ]
            if entries:
                hosts.append(Host(host.name, tuple(entries)))
        if hosts:
            listeners.append(listener._replace(hosts=tuple(hosts)))
    return tuple(listeners) or None


def _with(destinations: Iterable[Destination], policy: PolicyName) -> tuple[Destination, ...]:
    return tuple(each for each in destinations if each.policies.get(policy.type) == policy.name)


def _hosts(
    listeners: Sequence[Listener],
    common: Tags,
    routes: Mapping[str, MeshGatewayRoute],
    view: LegacyView,
) -> tuple[Host, ...]:
    found: dict[str, dict[str, tuple[Destination, ...]]] = {}
    for listener in listeners:
        tags = {**common, **listener.tags}
        hostname = listener.hostname or ANY_HOSTNAME
        found.setdefault(hostname, {})  # whether any route is for it or not
        for name, route in sorted(routes.items()):
            if not any(selects(each.match, tags) for each in route.selectors):
                continue
            destinations = tuple(
                Destination(each, _policies(tags, each, view))
                for each in _backends(route, listener.protocol)
            )
            if not destinations:
                continue
            for host in _host_names(hostname, route):
                # A route that two listeners of a port select is one entry, with the tags of the
                # later one.
                found.setdefault(host, {})[name] = destinations
    return tuple(
        Host(host, tuple(RouteEntry(name, found[host][name]) for name in sorted(found[host])))
        for host in sorted(found)
    )


def _host_names(listener: str, route: MeshGatewayRoute) -> tuple[str, ...]:
    """The hosts of a listener that a route is for: those it names, where the listener is for any.

    A listener for one host, or for those below one, is for no others.
    """
    names = route.conf.http.hostnames if route.conf and route.conf.http else ()
    if not names:
        return (listener,)
    if listener == ANY_HOSTNAME:
        return tuple(dict.fromkeys(names))
    return (listener,) if any(_overlap(listener, name) for name in names) else ()


def _overlap(one: str, other: str) -> bool:
    """Some host has both names; each may begin with `*`."""
    return one == other or _below(one, other) or _below(other, one)


def _below(name: str, pattern: str) -> bool:
    return pattern.startswith("*") and name.endswith(pattern[1:])


def _backends(route: MeshGatewayRoute, protocol: Protocol) -> list[Tags]:
    """Where the rules of a route send or mirror, each place once."""
    conf, found = route.conf, list[Tags]()
    # A route whose protocol is another than the listener's is not served by it.
    if conf is not None and conf.http is not None and protocol in _HTTP:
        for rule in conf.http.rules:
            mirrors = [each.mirror.backend for each in rule.filters if each.mirror]
            found += [each.destination for each in (*mirrors, *rule.backends) if each]
    if conf is not None and conf.tcp is not None and protocol in _TCP:
        for tcp_rule in conf.tcp.rules:
            found += [each.destination for each in tcp_rule.backends]
    # By their tags as sorted text, which is the order in the answer of the original.
    ordered = {tuple(sorted(tags.items())): tags for tags in found}
    return [ordered[key] for key in sorted(ordered)]


def _policies(source: Tags, destination: Tags, view: LegacyView) -> Mapping[str, str]:
    found = {}
    for type_name in _OF_CONNECTIONS:
        policies = of_type(view.policies, type_name)
        best = policy_for_destination(policies, (source,), destination)
        if best is not None:
            found[type_name] = best.name
    return found
