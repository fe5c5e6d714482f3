"""Names in a mesh's DNS, and the outbounds of transparent proxies that are behind them.

Source: docs/wire/virtual-addresses.md#outbounds
"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address
from typing import Final, NamedTuple

from kong_mesh_cp.core.formats.addresses import is_dns_name
from kong_mesh_cp.core.meshes.virtual_addresses import HostKind, VirtualService, VirtualServices
from kong_mesh_cp.core.resources.tags import SERVICE, Tags


class VirtualDomain(NamedTuple):
    """Names that resolve to one address."""

    address: str
    names: tuple[str, ...]


class NamedOutbound(NamedTuple):
    """An outbound that every transparent proxy of the mesh may have."""

    address: str
    port: int
    tags: Tags


class VirtualDestinations(NamedTuple):
    """What there is to call by name, in the order of the names."""

    domains: tuple[VirtualDomain, ...]
    outbounds: tuple[NamedOutbound, ...]


NO_DESTINATIONS: Final = VirtualDestinations((), ())


def destinations(services: VirtualServices, *, domain: str, port: int) -> VirtualDestinations:
    """`domain`: of services. `port`: on which each service is called, whatever its own is."""
    domains: list[VirtualDomain] = []
    outbounds: list[NamedOutbound] = []
    for host in sorted(services):
        service = services[host]
        if not service.address:
            continue
        if host.kind is HostKind.SERVICE:
            domains.append(VirtualDomain(service.address, _service_names(service, domain)))
            outbounds += _of_service(service, port)
            continue
        names = (host.name,) if is_dns_name(host.name) else ()
        if names:
            domains.append(VirtualDomain(service.address, names))
        outbounds += [
            NamedOutbound(service.address, each.port, each.tags)
            for each in service.ports
            if each.port
        ]
        # An external service by name is called on the port of all services, too.
        if (
            host.kind is HostKind.HOST
            and names
            and all(each.port != port for each in service.ports)
        ):
            outbounds.append(NamedOutbound(service.address, port, service.ports[0].tags))
    return VirtualDestinations(tuple(domains), tuple(outbounds))


def _service_names(service: VirtualService, domain: str) -> tuple[str, ...]:
    name = f"{service.ports[0].tags.get(SERVICE, '')}.{domain}"
    # What no resolver takes in a name: services of Kubernetes have underscores.
    plain = f"{service.ports[0].tags.get(SERVICE, '').replace('_', '.')}.{domain}"
    return tuple(dict.fromkeys((name, plain)))


def _of_service(service: VirtualService, port: int) -> list[NamedOutbound]:
    """On its own port, where it has one, and on that of all services."""
    own = service.ports[0]
    ports = dict.fromkeys((own.port, port)) if own.port else {port: None}
    return [NamedOutbound(service.address, each, own.tags) for each in ports]


def v6_form(address: str) -> str | None:
    """An IPv4 address as clients of IPv6 get it; None for one that is none.

    In Go's hexadecimal, with no zeros in front: two numbers after `::ffff:`.
    """
    try:
        number = int(IPv4Address(address))
    except AddressValueError:
        return None
    return f"::ffff:{number >> 16:x}:{number & 0xFFFF:x}"
