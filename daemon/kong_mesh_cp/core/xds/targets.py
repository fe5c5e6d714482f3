"""Where a proxy takes traffic from its application: listed outbounds, or addresses behind names.

Source: docs/wire/virtual-addresses.md#transparent-proxies
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

from kong_mesh_cp.core.meshes.virtual_outbounds import VirtualDestinations
from kong_mesh_cp.core.resources.kinds.dataplane import TransparentProxying
from kong_mesh_cp.core.resources.kinds.mesh import MeshServicesMode
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.proxy_view import OutboundTarget, ProxyView, outbounds_of, place_of
from kong_mesh_cp.core.xds.world import MeshWorld, pairs


def targets_of(view: ProxyView, parts: Parts) -> tuple[OutboundTarget, ...]:
    """The outbounds of a proxy. `parts` are of its mesh."""
    transparent = view.networking.transparent_proxying
    if transparent is None:
        return outbounds_of(view)
    targets = _virtual_targets(view.world, transparent, parts)
    own = set(_own_places(view))
    return tuple(each for each in targets if not own or not _is_own(each, own))


def _virtual_targets(
    world: MeshWorld, transparent: TransparentProxying, parts: Parts
) -> tuple[OutboundTarget, ...]:
    """Shared by all that reach the same services."""
    services = world.mesh.spec.mesh_services
    if services is not None and services.mode is MeshServicesMode.Exclusive:
        return ()
    addresses = world.addresses
    reachable = frozenset(transparent.reachable_services)
    # The addresses are held with what was made of them: the key only says which object they were.
    targets, _ = parts.made(
        ("targets", id(addresses), reachable), lambda: (_reached(addresses, reachable), addresses)
    )
    return targets


def _reached(
    addresses: VirtualDestinations, reachable: frozenset[str]
) -> tuple[OutboundTarget, ...]:
    """Without any `reachable` all are."""
    return tuple(
        OutboundTarget(address=each.address, port=each.port, tags=pairs(each.tags))
        for each in addresses.outbounds
        if not reachable or each.tags.get(SERVICE, "") in reachable
    )


_Place = tuple[IPv4Address | IPv6Address, int]


def _own_places(view: ProxyView) -> Iterator[_Place]:
    """Where the proxy takes traffic for its application, and where that one listens."""
    for inbound in view.networking.inbound:
        place = place_of(inbound, view.networking)
        for address, port in (
            (place.address, place.port),
            (place.workload_address, place.workload_port),
        ):
            found = _address(address)
            if found is not None:
                yield found, port


def _is_own(target: OutboundTarget, own: set[_Place]) -> bool:
    """The application would call itself, and two listeners would have one address."""
    found = _address(target.address)
    return any(
        port == target.port and found is not None and (address == found or address.is_unspecified)
        for address, port in own
    )


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
