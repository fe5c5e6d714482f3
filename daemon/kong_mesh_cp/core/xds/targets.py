"""Where a proxy takes traffic from its application: listed outbounds, or addresses behind names.

Source: docs/wire/virtual-addresses.md#transparent-proxies
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.meshes.virtual_outbounds import VirtualDestinations
from kong_mesh_cp.core.resources.kinds.dataplane import TransparentProxying
from kong_mesh_cp.core.resources.kinds.mesh import MeshServicesMode
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.proxy_view import OutboundTarget, ProxyView, outbounds_of, place_of
from kong_mesh_cp.core.xds.world import MeshWorld, pairs


def targets_of(view: ProxyView, parts: Parts) -> tuple[OutboundTarget, ...]:
    """The outbounds of a proxy: the same tuple as long as nothing of it has changed. `parts` are of
    its mesh.
    """
    networking, world = view.networking, view.world
    # Held with what was made of them: the key only says which objects they were.
    of_world = () if networking.transparent_proxying is None else (world.mesh, world.addresses)
    held = (networking, *of_world)
    targets, _ = parts.made(
        ("targets of", *map(id, held)), lambda: (_targets_of(view, parts), held)
    )
    return targets


def _targets_of(view: ProxyView, parts: Parts) -> tuple[OutboundTarget, ...]:
    transparent = view.networking.transparent_proxying
    if transparent is None:
        return outbounds_of(view)
    targets, places = _virtual_targets(view.world, transparent, parts)
    own = _own_places(view)
    # Hardly any proxy has one of these, and what is left as it is stays shared.
    if not any(port in places and places[port].overlaps(address) for address, port in own):
        return targets
    return tuple(each for each in targets if not _is_own(each, own))


_Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class _Addresses:
    """Those on one port."""

    known: frozenset[_Address]

    def overlaps(self, address: _Address) -> bool:
        return address.is_unspecified or address in self.known


def _virtual_targets(
    world: MeshWorld, transparent: TransparentProxying, parts: Parts
) -> tuple[tuple[OutboundTarget, ...], Mapping[int, _Addresses]]:
    """With their addresses by port; shared by all that reach the same services."""
    services = world.mesh.spec.mesh_services
    if services is not None and services.mode is MeshServicesMode.Exclusive:
        return (), {}
    addresses = world.addresses
    reachable = frozenset(transparent.reachable_services)

    def make() -> tuple[tuple[OutboundTarget, ...], Mapping[int, _Addresses], object]:
        targets = _reached(addresses, reachable)
        return targets, _by_port(targets), addresses

    # The addresses are held with what was made of them: the key only says which object they were.
    targets, places, _ = parts.made(("targets", id(addresses), reachable), make)
    return targets, places


def _reached(
    addresses: VirtualDestinations, reachable: frozenset[str]
) -> tuple[OutboundTarget, ...]:
    """Without any `reachable` all are."""
    return tuple(
        OutboundTarget(address=each.address, port=each.port, tags=pairs(each.tags))
        for each in addresses.outbounds
        if not reachable or each.tags.get(SERVICE, "") in reachable
    )


def _by_port(targets: tuple[OutboundTarget, ...]) -> Mapping[int, _Addresses]:
    found: dict[int, set[_Address]] = {}
    for target in targets:
        address = _address(target.address)
        if address is not None:
            found.setdefault(target.port, set()).add(address)
    return {port: _Addresses(frozenset(known)) for port, known in found.items()}


def _own_places(view: ProxyView) -> tuple[tuple[_Address, int], ...]:
    """Where the proxy takes traffic for its application, and where that one listens."""
    places = (place_of(each, view.networking) for each in view.networking.inbound)
    return tuple(
        (found, port)
        for place in places
        for text, port in (
            (place.address, place.port),
            (place.workload_address, place.workload_port),
        )
        if (found := _address(text)) is not None
    )


def _is_own(target: OutboundTarget, own: tuple[tuple[_Address, int], ...]) -> bool:
    """The application would call itself, and two listeners would have one address."""
    address = _address(target.address)
    return any(
        port == target.port and (each.is_unspecified or each == address) for each, port in own
    )


def _address(text: str) -> _Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
