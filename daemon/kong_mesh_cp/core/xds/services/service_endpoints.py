"""Where ports of services that are resources are reached: instances, or what is before them.

Source: docs/wire/service-resources.md#endpoints
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.resources import labels
from kong_mesh_cp.core.resources.kinds.dataplane import (
    Dataplane,
    Inbound,
    InboundState,
    Networking,
)
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.kinds.zone_proxies import ZoneEgress, ZoneIngress
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.resources.tags import SERVICE, ZONE
from kong_mesh_cp.core.xds.services.instances import Endpoint, advertised_address, pairs
from kong_mesh_cp.core.xds.services.known_services import ServiceResources
from kong_mesh_cp.core.xds.services.service_resources import (
    EXTERNAL,
    MESH_SERVICE,
    MULTI_ZONE,
    ServicePort,
    ServiceResource,
)

INGRESS: Final = "ZoneIngress"
EGRESS: Final = "ZoneEgress"
REMOTE: Final = 1  # the priority of what is in another zone


PortEndpoints = Mapping[DestinationId, tuple[Endpoint, ...]]
"""By a service and the number of its port, as the section. Ports without any are left out."""


class Gates(NamedTuple):
    """What stands between this zone and elsewhere."""

    ingresses: tuple[tuple[str, str, int], ...] = ()  # of other zones: zone, address, port
    egresses: tuple[tuple[str, int], ...] = ()  # address, port
    is_locality_aware: bool = False
    zone: str = ""  # this one


def gates(mesh: Mesh, zone: str, resources: Mapping[str, Mapping[str, Resource[object]]]) -> Gates:
    """As proxies of `mesh` in `zone` use them; `resources` are by type and name.

    Ingresses tell services apart by what clients ask for in TLS, so that without mTLS there is no
    way to other zones.
    """
    has_mtls = mesh.enabled_ca is not None
    return Gates(
        tuple(_ingresses(resources.get(INGRESS, {}).values(), zone)) if has_mtls else (),
        tuple(egress_places(resources)),
        mesh.routing is not None and bool(mesh.routing.locality_aware_load_balancing),
        zone,
    )


def _ingresses(found: Iterable[Resource[object]], zone: str) -> Iterator[tuple[str, str, int]]:
    for each in found:
        if not has_spec(each, ZoneIngress) or each.spec.zone in ("", zone):
            continue
        networking = each.spec.networking
        # Before it knows its own address nobody can call it.
        if networking is not None and networking.advertised_address:
            yield each.spec.zone, networking.advertised_address, networking.advertised_port


def egress_places(
    resources: Mapping[str, Mapping[str, Resource[object]]],
) -> Iterator[tuple[str, int]]:
    """The address and the port of each egress; `resources` are by type and name."""
    for each in resources.get(EGRESS, {}).values():
        if has_spec(each, ZoneEgress) and each.spec.networking is not None:
            yield each.spec.networking.address, each.spec.networking.port


def port_id(service: ServiceResource, port: int) -> DestinationId:
    """What the endpoints of one port are found by."""
    return service.id._replace(section_name=str(port))


def port_ids(service: ServiceResource) -> list[DestinationId]:
    return [port_id(service, each.number) for each in service.ports]


def instances(service: ServiceResource, name: str, dataplane: Dataplane) -> PortEndpoints:
    """What the proxy called `name` offers of a MeshService of this zone, by port."""
    networking = dataplane.networking or Networking()
    ready = [
        each
        for each in networking.inbound
        if each.is_ready and each.state is not InboundState.Ignored
    ]
    if not service.is_local or not _selects(service, name, ready):
        return {}
    found: dict[DestinationId, tuple[Endpoint, ...]] = {}
    for port in service.ports:
        for inbound in ready:
            if _offers(inbound, port):
                endpoint = Endpoint(
                    address=advertised_address(inbound, networking),
                    port=inbound.port,
                    tags=pairs(inbound.tags),
                    zone=inbound.tags.get(ZONE),
                )
                key = port_id(service, port.number)
                found[key] = (*found.get(key, ()), endpoint)
    return found


def _selects(service: ServiceResource, name: str, ready: list[Inbound]) -> bool:
    selector = service.selector
    if selector is None or not ready:
        return False
    if selector.dataplane_ref is not None:
        return selector.dataplane_ref.name == name
    wanted = selector.dataplane_tags.items()
    return bool(wanted) and any(wanted <= each.tags.items() for each in ready)


def _offers(inbound: Inbound, port: ServicePort) -> bool:
    target = port.target or port.number
    return target == (inbound.name if isinstance(target, str) else inbound.port)


def behind_gates(service: ServiceResource, gates: Gates) -> PortEndpoints:
    """The endpoints of a MeshService of another zone, and of one outside of the mesh, by port."""
    found: dict[DestinationId, tuple[Endpoint, ...]] = {}
    if service.id.type == EXTERNAL:
        (port,) = service.ports
        # All calls leave by the zone's egress, which knows the service's own endpoints.
        zone = service.labels.get(labels.ZONE)
        is_remote = gates.is_locality_aware and zone not in (None, gates.zone)
        found[port_id(service, port.number)] = tuple(
            Endpoint(
                address=address,
                port=number,
                tags=pairs(service.labels),
                zone=zone,
                priority=REMOTE if is_remote else 0,
            )
            for address, number in gates.egresses
        )
    elif service.id.type == MESH_SERVICE and not service.is_local:
        zone = service.labels.get(labels.ZONE, "")
        for port in service.ports:
            tags = pairs({SERVICE: service.cluster(port.number), ZONE: zone})
            found[port_id(service, port.number)] = tuple(
                Endpoint(address, number, tags, zone=zone, priority=REMOTE)
                for of_zone, address, number in gates.ingresses
                if of_zone == zone
            )
    return {key: some for key, some in found.items() if some}


def of_parts(
    service: ServiceResource,
    services: ServiceResources,
    known: PortEndpoints,
) -> PortEndpoints:
    """The endpoints of a service of several zones, by port: what its parts have on the same."""
    if service.id.type != MULTI_ZONE:
        return {}
    found: dict[DestinationId, tuple[Endpoint, ...]] = {}
    for id_of_part in service.parts:
        part = services.find(id_of_part)
        # A zone without instances is called by nobody; of this zone the instances are known.
        if part is None or not (part.is_local or part.is_available):
            continue
        for port in service.ports:
            some = known.get(port_id(part, port.number), ())
            if some:
                key = port_id(service, port.number)
                found[key] = (*found.get(key, ()), *some)
    return found


Members = Mapping[DestinationId, Mapping[str, tuple[Endpoint, ...]]]
"""By the port of a MeshService of this zone, then by proxy."""


def members_of(
    services: ServiceResources, dataplanes: Iterable[Resource[object]]
) -> dict[DestinationId, dict[str, tuple[Endpoint, ...]]]:
    """Those of all MeshServices of this zone."""
    found: dict[DestinationId, dict[str, tuple[Endpoint, ...]]] = {}
    for each in dataplanes:
        if has_spec(each, Dataplane):
            for service in services.selecting(each.name, tags_of_inbounds(each.spec)):
                for key, some in instances(service, each.name, each.spec).items():
                    found.setdefault(key, {})[each.name] = some
    return found


def tags_of_inbounds(dataplane: Dataplane) -> frozenset[tuple[str, str]]:
    networking = dataplane.networking or Networking()
    return frozenset(pair for each in networking.inbound for pair in each.tags.items())


def behind_port(
    service: ServiceResource | None, port: DestinationId, members: Members, gates: Gates
) -> tuple[Endpoint, ...]:
    """The endpoints of one port that stands for no other services."""
    if service is None:
        return ()
    if service.id.type == MESH_SERVICE and service.is_local:
        return tuple(each for some in members.get(port, {}).values() for each in some)
    return behind_gates(service, gates).get(port, ())


def service_endpoints(
    services: ServiceResources, members: Members, gates: Gates
) -> dict[DestinationId, tuple[Endpoint, ...]]:
    """All of one world, from scratch."""
    found: dict[DestinationId, tuple[Endpoint, ...]] = {}
    for service_type in (MESH_SERVICE, EXTERNAL):
        for service in services.of_type(service_type):
            for port in port_ids(service):
                some = behind_port(service, port, members, gates)
                if some:
                    found[port] = some
    parts = (of_parts(each, services, found) for each in services.of_type(MULTI_ZONE))
    return found | {port: some for each in [*parts] for port, some in each.items()}
