"""All that decides what the proxies of one mesh are told: its resources, typed and indexed.

A world is a value: whoever needs the next one makes it from this one and a change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.meshes.virtual_outbounds import NO_DESTINATIONS, VirtualDestinations
from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.rules.matched import MeshView
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority, Mesh
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.xds.cross_mesh.other_meshes import (
    NO_OTHERS,
    CrossMesh,
    OtherMeshes,
    cross_mesh,
    meshes_with_gateways,
)
from kong_mesh_cp.core.xds.outside.external_services import ExternalDestination, external_of
from kong_mesh_cp.core.xds.protocols import common_protocol
from kong_mesh_cp.core.xds.services.instances import (
    Endpoint,
    GatewayService,
    TagPairs,
    advertised_address,
    endpoints_by_service,
    endpoints_of,
    pairs,
    protocol_of_all,
)
from kong_mesh_cp.core.xds.services.known_services import (
    NO_SERVICES,
    ServiceResources,
    service_resources,
)
from kong_mesh_cp.core.xds.services.service_endpoints import PortEndpoints, gates
from kong_mesh_cp.core.xds.services.service_index import ServiceIndex, service_index
from kong_mesh_cp.core.xds.sorted_map import SortedMap
from kong_mesh_cp.core.xds.zones.across_zones import NOTHING_ACROSS, AcrossZones, across_zones

DATAPLANE: Final = "Dataplane"

EndpointKey = str | DestinationId | GatewayService
"""What endpoints are behind: a service by its tag; a port of one that is a resource, by number; or
gateways of some mesh.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshWorld:
    """One mesh at one moment. What is by name is sorted by name."""

    mesh: Resource[Mesh]
    zone: str  # of this control plane
    resources: Mapping[str, Mapping[str, Resource[object]]]  # by type, then by name
    policies: MeshView  # as they are matched: targetRef policies, gateways, destinations
    endpoints: Mapping[str, tuple[Endpoint, ...]]  # by service tag; of this zone
    protocols: Mapping[str, str]  # by service tag; of those
    tls_ready: frozenset[str] = frozenset()  # services all of whose proxies have a certificate
    # What transparent proxies call by name: of services by their tags.
    addresses: VirtualDestinations = NO_DESTINATIONS
    across: AcrossZones = NOTHING_ACROSS  # services by their tags in other zones
    services: ServiceResources = NO_SERVICES  # those that are resources
    reached: PortEndpoints = field(default_factory=dict)  # what is behind each of their ports
    # Services outside of the mesh that are known by their tag, by it.
    external: Mapping[str, ExternalDestination] = field(default_factory=dict)
    others: OtherMeshes = field(default_factory=OtherMeshes)
    crossing: CrossMesh = field(
        default_factory=CrossMesh
    )  # what follows from `others`, and the own gateways

    @property
    def name(self) -> str:
        return self.mesh.name

    @property
    def authority(self) -> CertificateAuthority | None:
        """The backend of mTLS in force; None while it is off."""
        return self.mesh.spec.enabled_ca

    @property
    def tells_tags(self) -> bool:
        """Proxies tell each other whose request they carry: some policy is about who asks."""
        return bool(
            self.of_type("RateLimit")
            or self.of_type("FaultInjection")
            or self.policies.of_type("MeshFaultInjection")
        )

    @property
    def allows_passthrough(self) -> bool:
        """Transparent proxies may call what the mesh does not know, unless a policy says else."""
        networking = self.mesh.spec.networking
        outbound = networking.outbound if networking is not None else None
        return outbound is None or outbound.passthrough is not False

    @property
    def with_gateways(self) -> frozenset[str]:
        """The meshes that have gateways for others, as far as they are known."""
        return meshes_with_gateways(self.name, self.resources, self.others)

    def of_type(self, type_name: str) -> Mapping[str, Resource[object]]:
        return self.resources.get(type_name, {})

    def dataplane(self, name: str) -> Resource[Dataplane] | None:
        found = self.of_type(DATAPLANE).get(name)
        return found if found is not None and has_spec(found, Dataplane) else None

    @property
    def beside(self) -> tuple[object, ...]:
        """See `EndpointWorld`."""
        return self.across, self.external

    def behind(self, key: EndpointKey) -> tuple[Endpoint, ...] | None:
        """The endpoints of `key`; None: there are none."""
        if isinstance(key, DestinationId):
            return self.reached.get(key)
        if isinstance(key, GatewayService):
            return self.crossing.gateways.get(key.mesh, {}).get(key.service)
        return self.endpoints.get(key)

    def protocol(self, service: str) -> str:
        """What all instances of a service speak, wherever they are; absent is as unknown."""
        outside = self.outside(service)
        if outside is not None:
            return outside.protocol
        here, across = self.protocols.get(service), self.across.protocols.get(service)
        return common_protocol(each for each in (across, here) if each is not None)

    def instances(self, service: str) -> tuple[Endpoint, ...]:
        """Of a service by its tag, in all zones."""
        across = self.across
        here = self.endpoints.get(service, ())
        if across.weight > 1:
            here = tuple(each._replace(weight=across.weight) for each in here)
        outside = self.outside(service)
        gates = () if outside is None else outside.gates
        return here + across.endpoints.get(service, ()) + gates

    def outside(self, service: str) -> ExternalDestination | None:
        """What a service by its tag is if it is outside of the mesh: no proxy offers it."""
        found = self.external.get(service)
        if found is None or not found.is_known:
            return None
        is_offered = self.endpoints.get(service) or self.across.endpoints.get(service)
        return None if is_offered else found


def by_type(
    resources: Iterable[Resource[object]],
) -> dict[str, SortedMap[str, Resource[object]]]:
    """And then by name."""
    found: dict[str, dict[str, Resource[object]]] = {}
    for each in resources:
        found.setdefault(each.type, {})[each.name] = each
    return {each: SortedMap(named) for each, named in found.items()}


def services_behind(
    mesh: Mesh, zone: str, resources: Mapping[str, Mapping[str, Resource[object]]]
) -> ServiceIndex:
    """From scratch; `resources` are by type, then by name."""
    dataplanes = resources.get(DATAPLANE, {}).values()
    return service_index(service_resources(resources), dataplanes, gates(mesh, zone, resources))


def mesh_world(
    mesh: Resource[Mesh],
    resources: Mapping[str, Mapping[str, Resource[object]]],
    policies: MeshView,
    *,
    zone: str,
    behind: ServiceIndex | None = None,
    tls_ready: frozenset[str] = frozenset(),
    addresses: VirtualDestinations = NO_DESTINATIONS,
    others: OtherMeshes = NO_OTHERS,
) -> MeshWorld:
    """The world of `mesh` from scratch. `resources` are all others of it, `by_type`; `behind` are
    the `services_behind` of them, for who has these already.
    """
    dataplanes = resources.get(DATAPLANE, {}).values()
    endpoints = endpoints_by_service(each for each in dataplanes if has_spec(each, Dataplane))
    protocols = {service: protocol_of_all(found) for service, found in endpoints.items()}
    behind = behind or services_behind(mesh.spec, zone, resources)
    return MeshWorld(
        mesh=mesh,
        zone=zone,
        resources=resources,
        policies=policies,
        endpoints=SortedMap(endpoints),
        protocols=SortedMap(protocols),
        tls_ready=tls_ready,
        addresses=addresses,
        across=across_zones(mesh, zone, resources),
        services=behind.services,
        reached=behind.reached,
        external=external_of(mesh.spec, zone, resources),
        others=others,
        crossing=cross_mesh(mesh, zone, resources, others, dataplanes),
    )


__all__ = [
    "DATAPLANE",
    "Endpoint",
    "EndpointKey",
    "MeshWorld",
    "TagPairs",
    "advertised_address",
    "by_type",
    "endpoints_by_service",
    "endpoints_of",
    "mesh_world",
    "pairs",
    "protocol_of_all",
    "services_behind",
]
