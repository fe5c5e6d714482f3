"""Where a proxy takes traffic from its application: listed outbounds, or addresses behind names.

Source: docs/wire/virtual-addresses.md#transparent-proxies
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import product

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.meshes.virtual_outbounds import NO_DESTINATIONS, VirtualDestinations
from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.rules.mesh_resources import meta_of
from kong_mesh_cp.core.resources.kinds.dataplane import TransparentProxying
from kong_mesh_cp.core.resources.kinds.mesh import MeshServicesMode
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.proxy_view import LOCALHOST, OutboundTarget, ProxyView, place_of
from kong_mesh_cp.core.xds.services.backends import Reference, service_meant
from kong_mesh_cp.core.xds.services.known_services import NO_SERVICES, ServiceResources
from kong_mesh_cp.core.xds.services.service_resources import EXTERNAL, SERVICE_TYPES
from kong_mesh_cp.core.xds.world import pairs


def targets_of(view: ProxyView, parts: Parts) -> tuple[OutboundTarget, ...]:
    """The outbounds of a proxy: the same tuple as long as nothing of it has changed. `parts` are of
    its mesh.
    """
    networking, world = view.networking, view.world
    # Held with what was made of them: the key only says which objects they were.
    held: tuple[object, ...] = (networking,)
    if networking.transparent_proxying is not None:
        held = (networking, world.mesh, world.addresses, world.services)
    elif any(each.backend_ref is not None for each in networking.outbound):
        held = (networking, view.dataplane, world.services)
    targets, _ = parts.made(
        ("targets of", *map(id, held)), lambda: (_targets_of(view, parts), held)
    )
    return targets


def _targets_of(view: ProxyView, parts: Parts) -> tuple[OutboundTarget, ...]:
    transparent = view.networking.transparent_proxying
    if transparent is None:
        listed = tuple(_listed(view))
        # The same object for the same list: replicas of a service have it, and share what is made.
        return parts.made(("listed", listed), lambda: listed)
    targets, places = _virtual_targets(view, transparent, parts)
    own = _own_places(view)
    # Hardly any proxy has one of these, and what is left as it is stays shared.
    if not any(port in places and places[port].overlaps(address) for address, port in own):
        return targets
    return tuple(each for each in targets if not _is_own(each, own))


def _listed(view: ProxyView) -> Iterator[OutboundTarget]:
    """Those that the Dataplane lists."""
    for each in view.networking.outbound:
        address, ref = each.address or LOCALHOST, each.backend_ref
        if ref is None:
            yield OutboundTarget(address=address, port=each.port, tags=pairs(each.tags))
        elif ref.kind in SERVICE_TYPES:
            named = Reference(ref.kind, ref.name, "", ref.labels, ref.port)
            meant = service_meant(view.world.services, named, meta_of(view.dataplane))
            if meant is not None:
                yield OutboundTarget(address=address, port=each.port, resource=meant)


_Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class _Addresses:
    """Those on one port."""

    known: frozenset[_Address]

    def overlaps(self, address: _Address) -> bool:
        return address.is_unspecified or address in self.known


def _virtual_targets(
    view: ProxyView, transparent: TransparentProxying, parts: Parts
) -> tuple[tuple[OutboundTarget, ...], Mapping[int, _Addresses]]:
    """With their addresses by port; shared by all that reach the same services."""
    world = view.world
    mode = world.mesh.spec.mesh_services
    by_tags = mode is None or mode.mode is not MeshServicesMode.Exclusive
    addresses = world.addresses if by_tags else NO_DESTINATIONS
    services = frozenset(transparent.reachable_services)
    backends = _reachable_backends(view, transparent)
    # What names tags that it reaches, and no resources, reaches none of these.
    is_without_resources = backends is None and bool(services)
    held = (addresses, NO_SERVICES if is_without_resources else world.services)

    def make() -> tuple[tuple[OutboundTarget, ...], Mapping[int, _Addresses], object]:
        known, resources = held
        targets = (*_reached(known, services), *_reached_resources(resources, backends))
        return targets, _by_port(targets), held

    # Held with what was made of them: the key only says which objects they were.
    targets, places, _ = parts.made(("targets", *map(id, held), services, backends), make)
    return targets, places


def _reached(addresses: VirtualDestinations, reachable: frozenset[str]) -> Iterator[OutboundTarget]:
    """Services by tags. Without any `reachable` all are."""
    for each in addresses.outbounds:
        if not reachable or each.tags.get(SERVICE, "") in reachable:
            yield OutboundTarget(address=each.address, port=each.port, tags=pairs(each.tags))


def _reached_resources(
    services: ServiceResources, reachable: frozenset[DestinationId] | None
) -> Iterator[OutboundTarget]:
    """Services that are resources, by their virtual addresses. None: all are reachable."""
    for service_type in SERVICE_TYPES:
        for service in services.of_type(service_type):
            for address, port in product(service.addresses, service.ports):
                # An external service has one port, which has no name.
                section = "" if service_type == EXTERNAL else port.section_name
                wanted = service.id._replace(section_name=section)
                if reachable is None or wanted in reachable or service.id in reachable:
                    yield OutboundTarget(address=address, port=port.number, resource=wanted)


def _reachable_backends(
    view: ProxyView, transparent: TransparentProxying
) -> frozenset[DestinationId] | None:
    """Services and ports of services that the proxy names; None: it names none, and has all."""
    mode, named = view.world.mesh.spec.mesh_services, transparent.reachable_backends
    if named is None:
        is_strict = mode is not None and mode.mode is MeshServicesMode.ReachableBackends
        return frozenset() if is_strict else None
    services, found = view.world.services, set[DestinationId]()
    for ref in named.refs:
        if ref.labels:
            meant = [each.id for each in services.by_labels(ref.kind, ref.labels)]
        else:
            source = meta_of(view.dataplane)
            meant = [services.meant(ref.kind, ref.name, ref.namespace, source)]
        found |= {_section(services, each, ref.port) for each in meant}
    return frozenset(found)


def _section(services: ServiceResources, meant: DestinationId, port: int | None) -> DestinationId:
    """`meant` as it is called by on `port`; None: on all of its ports."""
    if port is None:
        return meant
    service = None if meant.type == EXTERNAL else services.find(meant)
    ports = () if service is None else service.ports
    known = next((each.section_name for each in ports if each.number == port), str(port))
    return meant._replace(section_name=known)


def _by_port(targets: Iterable[OutboundTarget]) -> Mapping[int, _Addresses]:
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
