"""Virtual addresses: what a transparent proxy's clients connect to when they call a name.

Each name of a mesh keeps its address for as long as it is there. The text is that of the Config
`kuma-<mesh>-dns-vips`, in both forms in which it may be found.

Source: docs/wire/virtual-addresses.md#addresses, docs/wire/virtual-addresses.md#stored-form
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final, NamedTuple

from kong_mesh_cp.core.formats.addresses import is_ip
from kong_mesh_cp.core.resources.tags import SERVICE, Tags

EXTERNAL_SERVICE_ORIGIN: Final = "external-service:"
GATEWAY_ORIGIN: Final = "mesh-gateway:"
SERVICE_ORIGIN: Final = "service"
VIRTUAL_OUTBOUND_ORIGIN: Final = "virtual-outbound:"

_KUBERNETES_ORIGIN: Final = "kubernetes"
_SHORT_ORIGINS: Final = {"svc": SERVICE_ORIGIN, "k8s": _KUBERNETES_ORIGIN}

Network = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address


class HostKind(IntEnum):
    """Where a name comes from; the numbers are those of the stored form."""

    SERVICE = 0  # the value of a service's tag, without the domain
    HOST = 1  # the host of an ExternalService
    FULL_NAME = 2  # of a VirtualOutbound or a MeshGateway


class VirtualHost(NamedTuple):
    """A name that has an address, sorted as addresses are given out."""

    kind: HostKind
    name: str


class VirtualPort(NamedTuple):
    """A port of a virtual address, and the tags of what is behind it."""

    port: int  # 0: the one for all services
    tags: Tags
    origin: str  # what it was made for: `service`, or a resource with its name


class VirtualService(NamedTuple):
    """The address of a name, and what its ports are for."""

    address: str  # "" while there is none
    ports: tuple[VirtualPort, ...]  # by number, one at least


VirtualServices = Mapping[VirtualHost, VirtualService]


class Allocation(NamedTuple):
    """What names have which address, and what there is to tell of it."""

    services: VirtualServices
    without: tuple[VirtualHost, ...]  # the range is exhausted
    outside: tuple[VirtualHost, ...]  # they keep an address of a range that was set before


class MalformedAddressesError(ValueError):
    """A text that is in neither form."""


def config_name(mesh: str) -> str:
    """Of the Config that holds the virtual addresses of `mesh`."""
    return f"{_PREFIX}{mesh}{_SUFFIX}"


def mesh_of_config(name: str) -> str | None:
    """The mesh whose addresses are in the Config `name`; None for any other Config."""
    if not name.startswith(_PREFIX) or not name.endswith(_SUFFIX):
        return None
    return name[len(_PREFIX) : -len(_SUFFIX)] or None


_PREFIX: Final = "kuma-"
_SUFFIX: Final = "-dns-vips"


def allocate(
    wanted: Mapping[VirtualHost, tuple[VirtualPort, ...]],
    known: VirtualServices,
    network: Network,
    lately: Mapping[VirtualHost, str],
) -> Allocation:
    """An address for each of `wanted`: the one of `known`, else the lowest free one of `network`.

    `lately`: addresses of names that went a short while ago, the longest gone first. They come
    back to their names, and to others only when no more are free.
    """
    kept = _kept(wanted, known)
    taken = {ip_address(address) for address in kept.values()}
    outside = tuple(
        host for host, address in kept.items() if not _is_fixed(host) and not _in(network, address)
    )
    remembered = {
        host: address
        for host, text in lately.items()
        if host not in kept and (address := _address(text)) is not None
    }
    free = _free(network, taken, remembered)
    without = []
    given = dict(kept)
    for host in sorted(wanted.keys() - kept.keys()):
        address = remembered.pop(host, None)
        if address is None or address in taken or address not in network:
            address = next(free, None)
        if address is None:
            without.append(host)
            continue
        taken.add(address)
        given[host] = str(address)
    services = {host: VirtualService(given.get(host, ""), wanted[host]) for host in sorted(wanted)}
    return Allocation(services, tuple(without), outside)


def _kept(wanted: Iterable[VirtualHost], known: VirtualServices) -> dict[VirtualHost, str]:
    """Addresses that are not given anew, each once."""
    kept: dict[VirtualHost, str] = {}
    taken: set[_Address] = set()
    for host in sorted(wanted):
        if _is_fixed(host):
            kept[host] = host.name
            continue
        address = _address(known[host].address) if host in known else None
        if address is not None and address not in taken:
            taken.add(address)
            kept[host] = str(address)
    return kept


def _free(
    network: Network, taken: set[_Address], remembered: Mapping[VirtualHost, _Address]
) -> Iterator[_Address]:
    """Addresses that are not `taken`, which may grow meanwhile; remembered ones come last."""
    withheld = set(remembered.values())
    # Not `hosts()`: the first and the last address are as good as any other here.
    for address in network:
        if address not in taken and address not in withheld:
            yield address
    for address in tuple(remembered.values()):
        if address not in taken and address in network:
            yield address


def _is_fixed(host: VirtualHost) -> bool:
    """An external service by address is called at that address."""
    return host.kind is HostKind.HOST and is_ip(host.name)


def _address(text: str) -> _Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _in(network: Network, text: str) -> bool:
    return ip_address(text) in network


def render(services: VirtualServices) -> str:
    """The text of the Config."""
    document = {
        f"{host.kind:d}:{host.name}": {
            **({"address": service.address} if service.address else {}),
            "outbounds": [
                {
                    "Port": port.port,
                    "TagSet": dict(sorted(port.tags.items())),
                    "Origin": port.origin,
                }
                for port in service.ports
            ],
        }
        for host, service in services.items()
    }
    ordered = {key: document[key] for key in sorted(document)}
    return json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))


def parse(text: str) -> dict[VirtualHost, VirtualService]:
    """Raises: MalformedAddressesError."""
    if not text:
        return {}
    try:
        document = json.loads(text)
        by_service = document.get("v")
        if by_service:
            return _by_service(by_service)
        return {_host(key): _service(value) for key, value in document.items()}
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise MalformedAddressesError(str(error)) from error


def _host(key: str) -> VirtualHost:
    kind, _, name = key.partition(":")
    return VirtualHost(HostKind(int(kind)), name)


def _service(value: Any) -> VirtualService:
    ports = tuple(
        VirtualPort(
            _port(each.get("Port")), _tags(each.get("TagSet")), _text(each.get("Origin") or "")
        )
        for each in value.get("outbounds") or ()
    )
    if not ports:
        raise ValueError("a name without outbounds")
    return VirtualService(_text(value.get("address") or ""), ports)


def _by_service(services: Mapping[str, Any]) -> dict[VirtualHost, VirtualService]:
    """The shorter form, in which tags stand once for all ports that have them."""
    found: dict[VirtualHost, VirtualService] = {}
    for service, value in services.items():
        for outbound in value.get("oe") or ():
            tags = {SERVICE: service, **_tags(outbound.get("t"))}
            for each in outbound.get("ap") or ():
                origin = _text(each.get("o") or "")
                address = _text(each.get("a") or "")
                host = _host_of(_SHORT_ORIGINS.get(origin, origin), service, each, address)
                before = found.get(host, VirtualService(address, ()))
                port = VirtualPort(_port(each.get("p")), tags, _SHORT_ORIGINS.get(origin, origin))
                found[host] = before._replace(
                    ports=tuple(sorted((*before.ports, port), key=lambda one: one.port))
                )
    return found


def _host_of(origin: str, service: str, each: Mapping[str, Any], address: str) -> VirtualHost:
    domain = _text(each.get("d") or address)
    if origin == _KUBERNETES_ORIGIN or origin.startswith(EXTERNAL_SERVICE_ORIGIN):
        return VirtualHost(HostKind.HOST, domain)
    if origin.startswith((VIRTUAL_OUTBOUND_ORIGIN, GATEWAY_ORIGIN)):
        return VirtualHost(HostKind.FULL_NAME, domain)
    return VirtualHost(HostKind.SERVICE, service)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _port(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("not a port")
    return value


def _tags(value: Mapping[str, object] | None) -> Tags:
    return {name: _text(each) for name, each in (value or {}).items()}
