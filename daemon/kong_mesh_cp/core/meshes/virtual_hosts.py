"""Which names of a mesh have virtual addresses, and what their ports are for.

Source: docs/wire/virtual-addresses.md#names
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import PORT_MAX, is_dns_name, split_host_port
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.meshes.virtual_addresses import (
    EXTERNAL_SERVICE_ORIGIN,
    GATEWAY_ORIGIN,
    SERVICE_ORIGIN,
    VIRTUAL_OUTBOUND_ORIGIN,
    HostKind,
    VirtualHost,
    VirtualPort,
)
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane, InboundState
from kong_mesh_cp.core.resources.tags import SERVICE, Tags

if TYPE_CHECKING:
    from kong_mesh_cp.core.resources.kinds.legacy import virtual_outbound
    from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
    from kong_mesh_cp.core.resources.kinds.services.external_service import ExternalService
    from kong_mesh_cp.core.resources.kinds.zone_proxies import ZoneIngress
else:  # most meshes have none
    virtual_outbound = lazy_import("kong_mesh_cp.core.resources.kinds.legacy.virtual_outbound")

MESH_TAG: Final = "kuma.io/mesh"
RESERVED_PORT: Final = 49151  # of a proxy that offers no service
CONFLICTS_MAX: Final = 20  # told of one mesh

_NUMBER: Final = re.compile(r"[+-]?[0-9]+")


class ExternalHost(NamedTuple):
    """What an ExternalService has to do with names."""

    resource: str
    service: str
    host: str
    port: int
    has_name: bool  # its host is a name in the mesh, too


class NamedGateway(NamedTuple):
    """A listener that other meshes call, by the name that it has there."""

    host: str
    port: int
    tags: Tags
    origin: str


class NamingRule(NamedTuple):
    """A VirtualOutbound."""

    resource: str
    created_at: datetime
    spec: virtual_outbound.VirtualOutbound


@dataclass(frozen=True, slots=True, kw_only=True)
class NameSources:
    """All of a mesh that has a say. What comes first has a port that two want."""

    inbounds: Sequence[Tags] = ()  # of Dataplanes, the oldest first
    remote: Iterable[Tags] = ()  # of services in other zones
    external: Sequence[ExternalHost] = ()  # by name
    rules: Sequence[NamingRule] = ()
    gateways: Iterable[NamedGateway] = ()  # of all meshes


class Names(NamedTuple):
    """The names, and why some that were asked for are not among them."""

    hosts: Mapping[VirtualHost, tuple[VirtualPort, ...]]
    conflicts: tuple[str, ...]  # no more than CONFLICTS_MAX


def inbound_tags(dataplane: Dataplane) -> tuple[Tags, ...]:
    """The tags of each inbound that others may call."""
    if dataplane.networking is None:
        return ()
    return tuple(
        each.tags
        for each in dataplane.networking.inbound
        if each.state is not InboundState.Ignored and each.port != RESERVED_PORT
    )


def remote_tags(ingress: ZoneIngress, zone: str) -> tuple[tuple[str, Tags], ...]:
    """Mesh and tags of the services behind an ingress of another zone than `zone`."""
    if ingress.zone in ("", zone):
        return ()
    return tuple((each.mesh, each.tags) for each in ingress.available_services)


def external_host(resource: str, service: ExternalService) -> ExternalHost:
    networking = service.networking
    host, port = split_host_port(networking.address if networking else "") or ("", "0")
    return ExternalHost(
        resource=resource,
        service=service.tags.get(SERVICE, ""),
        host=host,
        port=int(port) if port.isascii() and port.isdigit() else 0,
        has_name=networking is not None and not networking.disable_host_dns_entry,
    )


def named_gateways(
    mesh: str, resource: str, gateway: MeshGateway, domain: str
) -> tuple[NamedGateway, ...]:
    """The listeners of a gateway of `mesh` that other meshes call."""
    found = []
    for listener in gateway.conf.listeners if gateway.conf else ():
        if not listener.cross_mesh:
            continue
        host = listener.hostname
        if not host or "*" in host:
            host = f"internal.{resource}.{mesh}.{domain}"
        for selector in gateway.selectors:
            tags = {**gateway.tags, **listener.tags, MESH_TAG: mesh, **selector.match}
            origin = f"{GATEWAY_ORIGIN}{mesh}:{resource}:{host}"
            found.append(NamedGateway(host, listener.port, tags, origin))
    return tuple(found)


def names(sources: NameSources, *, service_names: bool) -> Names:
    """`service_names`: whether each service has a name of its own."""
    found = _Found()
    seen: set[tuple[tuple[str, str], ...]] = set()
    for tags in (*sources.inbounds, *sources.remote):
        # Most proxies are instances of a few services.
        key = tuple(tags.items())
        if key in seen:
            continue
        seen.add(key)
        if service_names and (service := tags.get(SERVICE)):
            found.add_service(service, 0)
        found.add_by_rules(sources.rules, tags)
    for external in sources.external:
        tags = {SERVICE: external.service}
        if service_names and external.service:
            found.add_service(external.service, external.port)
        if external.has_name and external.host:
            origin = f"{EXTERNAL_SERVICE_ORIGIN}{external.resource}"
            port = VirtualPort(external.port, tags, origin)
            found.add(VirtualHost(HostKind.HOST, external.host), port)
        found.add_by_rules(sources.rules, tags)
    for gateway in sources.gateways:
        port = VirtualPort(gateway.port, gateway.tags, gateway.origin)
        found.add(VirtualHost(HostKind.FULL_NAME, gateway.host), port)
    return Names(
        {
            host: tuple(sorted(found.ports[host], key=lambda each: each.port))
            for host in sorted(found.ports)
        },
        tuple(found.conflicts),
    )


class _Found:
    """Names as they come."""

    def __init__(self) -> None:
        self.ports: dict[VirtualHost, list[VirtualPort]] = {}
        self.conflicts: dict[str, None] = {}

    def add(self, host: VirtualHost, port: VirtualPort) -> None:
        ports = self.ports.setdefault(host, [])
        there = next((each for each in ports if each.port == port.port), None)
        if there is None:
            ports.append(port)
        elif there != port:
            self._complain(
                f"port {port.port} of {host.name} for {port.origin} is taken by {there.origin}"
            )

    def add_service(self, service: str, port: int) -> None:
        own = VirtualPort(port, {SERVICE: service}, SERVICE_ORIGIN)
        self.add(VirtualHost(HostKind.SERVICE, service), own)

    def add_by_rules(self, rules: Sequence[NamingRule], tags: Tags) -> None:
        """What VirtualOutbounds make of `tags`, the most specific one first."""
        for rule in _matching(rules, tags):
            conf = rule.spec.conf
            if conf is None:
                continue
            origin = f"{VIRTUAL_OUTBOUND_ORIGIN}{rule.resource}"
            values = parameter_values(conf, tags)
            host = virtual_outbound.evaluated(conf.host, values)
            port = _port(virtual_outbound.evaluated(conf.port, values))
            if host is None or not is_dns_name(host) or port is None:
                what = "host" if host is None or not is_dns_name(host) else "port"
                self._complain(f"{origin} makes no {what} for {tags.get(SERVICE, '')}")
                continue
            own = VirtualPort(port, _declared(conf, tags), origin)
            self.add(VirtualHost(HostKind.FULL_NAME, host), own)

    def _complain(self, conflict: str) -> None:
        if len(self.conflicts) < CONFLICTS_MAX:
            self.conflicts[conflict] = None


def _matching(rules: Iterable[NamingRule], tags: Tags) -> list[NamingRule]:
    """Those that select `tags`: more tags first, then more exact ones, then the youngest."""
    ranked = [
        (rank, rule.created_at, rule)
        for rule in rules
        if (rank := _rank(rule.spec, tags)) is not None
    ]
    ranked.sort(key=lambda each: (each[0], each[1]), reverse=True)
    return [rule for _, _, rule in ranked]


def _rank(spec: virtual_outbound.VirtualOutbound, tags: Tags) -> tuple[int, int] | None:
    """Of the best selector: its tags, and how many of them are exact."""
    ranks = [
        (len(match), sum(value != "*" for value in match.values()))
        for match in (each.match for each in spec.selectors)
        if match
        and all(value in ("*", tags.get(name)) and name in tags for name, value in match.items())
    ]
    return max(ranks, default=None)


def parameter_values(conf: virtual_outbound.Conf, tags: Tags) -> Mapping[str, str]:
    """What the templates of a VirtualOutbound are filled in with."""
    return {
        each.name: tags[key]
        for each in conf.parameters
        if (key := each.tag_key or each.name) in tags
    }


def _declared(conf: virtual_outbound.Conf, tags: Tags) -> Tags:
    """The tags that the parameters stand for: all instances that have them are behind the name."""
    keys = (each.tag_key or each.name for each in conf.parameters)
    return {key: tags[key] for key in keys if key in tags}


def _port(text: str | None) -> int | None:
    if text is None or len(text) > virtual_outbound.PORT_DIGITS_MAX or not _NUMBER.fullmatch(text):
        return None
    port = int(text)
    return port if 1 <= port <= PORT_MAX else None
