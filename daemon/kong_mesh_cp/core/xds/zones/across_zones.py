"""Instances of services by their tags in other zones: reached through those zones' ingresses.

Source: docs/wire/envoy-names.md#endpoints
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.meshes.virtual_hosts import MESH_TAG
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.kinds.zone_proxies import (
    AvailableService,
    ZoneIngress,
)
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.resources.tags import SERVICE, ZONE
from kong_mesh_cp.core.xds.services.instances import Endpoint, pairs, protocol_of_all
from kong_mesh_cp.core.xds.services.service_endpoints import INGRESS, egress_places


@dataclass(frozen=True, slots=True, kw_only=True)
class AcrossZones:
    """What other zones offer to a mesh, as far as it is reached from this one."""

    endpoints: Mapping[str, tuple[Endpoint, ...]] = field(default_factory=dict)  # by service tag
    protocols: Mapping[str, str] = field(default_factory=dict)  # by service tag
    # Each instance of this zone counts as often: many ingresses lead to the same instances.
    weight: int = 1


NOTHING_ACROSS: Final = AcrossZones()

_Place = tuple[str, int]


def across_zones(
    mesh: Resource[Mesh], zone: str, resources: Mapping[str, Mapping[str, Resource[object]]]
) -> AcrossZones:
    """What is there for the proxies of `mesh` in `zone`; `resources` are by type, then by name.

    Ingresses tell services apart by what clients ask for in TLS: without mTLS there is no way.
    """
    return _across(mesh, zone, resources.get(INGRESS, {}).values(), _gates(mesh, resources))


def behind_ingresses(
    mesh: Resource[Mesh], zone: str, ingresses: Iterable[Resource[object]]
) -> AcrossZones:
    """The same for the egress of `zone`, which calls the `ingresses` of other zones itself."""
    return _across(mesh, zone, ingresses, None)


def gateways_across_zones(
    mesh: Resource[Mesh],
    other: str,
    zone: str,
    resources: Mapping[str, Mapping[str, Resource[object]]],
) -> AcrossZones:
    """What other zones have of the gateways of the mesh `other`, for the proxies of `mesh`."""
    gates = _gates(mesh, resources)
    return _across(mesh, zone, resources.get(INGRESS, {}).values(), gates, gateways_of=other)


def _gates(
    mesh: Resource[Mesh], resources: Mapping[str, Mapping[str, Resource[object]]]
) -> tuple[_Place, ...] | None:
    """None: traffic leaves the zone by itself, not by its egresses."""
    by_egress = mesh.spec.routing is not None and mesh.spec.routing.zone_egress
    return tuple(egress_places(resources)) if by_egress else None


def _across(
    mesh: Resource[Mesh],
    zone: str,
    ingresses: Iterable[Resource[object]],
    gates: tuple[_Place, ...] | None,
    *,
    gateways_of: str = "",
) -> AcrossZones:
    """`gateways_of`: only gateways that other meshes may call, those of this mesh."""
    # As the original asks: a backend that is not there counts here.
    if mesh.spec.mtls is None or not mesh.spec.mtls.enabled_backend:
        return NOTHING_ACROSS
    found: dict[str, list[Endpoint]] = {}
    places = set[_Place]()
    for place, ingress in _remote(ingresses, zone):
        # Those behind one balancer are one. What it has not filled yet does not stand for them.
        if place in places:
            continue
        if ingress.available_services:
            places.add(place)
        for service in ingress.available_services:
            # What is offered to other meshes, too, says of which mesh it is.
            if service.mesh == (gateways_of or mesh.name) and not (
                gateways_of and MESH_TAG not in service.tags
            ):
                endpoints = found.setdefault(service.tags.get(SERVICE, ""), [])
                endpoints.extend(_endpoints(service, place, gates))
    if not places:
        return NOTHING_ACROSS
    by_service = {each: tuple(endpoints) for each, endpoints in found.items() if endpoints}
    return AcrossZones(
        endpoints=by_service,
        protocols={each: protocol_of_all(some) for each, some in by_service.items()},
        weight=len(places),
    )


def _remote(
    ingresses: Iterable[Resource[object]], zone: str
) -> Iterator[tuple[_Place, ZoneIngress]]:
    """Those of other zones that can be called, each with where."""
    for each in ingresses:
        if has_spec(each, ZoneIngress) and each.spec.zone not in ("", zone):
            networking = each.spec.networking
            if networking and networking.advertised_address and networking.advertised_port:
                yield (networking.advertised_address, networking.advertised_port), each.spec


def _endpoints(
    service: AvailableService, ingress: _Place, gates: tuple[_Place, ...] | None
) -> Iterator[Endpoint]:
    tags, zone = pairs(service.tags), service.tags.get(ZONE)
    if gates is None:
        yield Endpoint(*ingress, tags=tags, weight=service.instances, zone=zone)
        return
    # The egress balances among the ingresses itself.
    for place in gates:
        yield Endpoint(*place, tags=tags, zone=zone)
