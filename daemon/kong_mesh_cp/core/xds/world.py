"""All that decides what the proxies of one mesh are told: its resources, typed and indexed.

A world is a value: whoever needs the next one makes it from this one and a change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.meshes.virtual_outbounds import NO_DESTINATIONS, VirtualDestinations
from kong_mesh_cp.core.policy.rules.matched import MeshView
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane, Inbound, InboundState, Networking
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority, Mesh
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.resources.tags import PROTOCOL, SERVICE, ZONE
from kong_mesh_cp.core.xds.protocols import common_protocol, protocol_of

DATAPLANE: Final = "Dataplane"

T = TypeVar("T")

TagPairs = tuple[tuple[str, str], ...]
"""Tags in their order by name: equal tags are equal pairs, and can be a key."""


def pairs(tags: Mapping[str, str]) -> TagPairs:
    return tuple(sorted(tags.items()))


class Endpoint(NamedTuple):
    """Where one instance of a service is reached."""

    address: str
    port: int
    tags: TagPairs = ()
    weight: int = 1
    zone: str | None = None  # of its locality; None: it has none
    priority: int = 0  # 0 is tried first


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideTls:
    """How TLS is spoken to what is no proxy. Certificates and keys are PEM; None: there is none."""

    authority: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)
    server_name: str = ""  # "": the name of the host
    any_name: bool = False  # whatever name its certificate has
    allow_renegotiation: bool = False


@dataclass(frozen=True, slots=True)
class ExternalPlace:
    """One ExternalService: where it is reached, and how it is spoken to."""

    name: str
    endpoint: Endpoint
    tls: OutsideTls | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalDestination:
    """All ExternalServices with one service tag."""

    protocol: str
    places: tuple[ExternalPlace, ...] = ()  # where callers go themselves
    gates: tuple[Endpoint, ...] = ()  # egresses through which they go instead
    faults: tuple[str, ...] = ()  # why some of the places are not there

    @property
    def is_known(self) -> bool:
        """There is some way to it."""
        return bool(self.places or self.gates)


NOTHING_OUTSIDE: Final[Mapping[str, ExternalDestination]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshWorld:
    """One mesh at one moment. What is by name is sorted by name."""

    mesh: Resource[Mesh]
    zone: str  # of this control plane
    resources: Mapping[str, Mapping[str, Resource[object]]]  # by type, then by name
    policies: MeshView  # as they are matched: targetRef policies, gateways, destinations
    endpoints: Mapping[str, tuple[Endpoint, ...]]  # by service tag
    protocols: Mapping[str, str]  # by service tag; absent is as unknown
    tls_ready: frozenset[str] = frozenset()  # services all of whose proxies have a certificate
    # What transparent proxies call by name: of services by their tags.
    addresses: VirtualDestinations = NO_DESTINATIONS
    # Services outside of the mesh that are known by their tag, by it.
    external: Mapping[str, ExternalDestination] = field(default_factory=dict)

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

    def of_type(self, type_name: str) -> Mapping[str, Resource[object]]:
        return self.resources.get(type_name, {})

    def dataplane(self, name: str) -> Resource[Dataplane] | None:
        found = self.of_type(DATAPLANE).get(name)
        return found if found is not None and has_spec(found, Dataplane) else None

    def protocol(self, service: str) -> str:
        outside = self.outside(service)
        return self.protocols.get(service, "") if outside is None else outside.protocol

    def outside(self, service: str) -> ExternalDestination | None:
        """What a service by its tag is if it is outside of the mesh: no proxy offers it."""
        found = None if self.endpoints.get(service) else self.external.get(service)
        return found if found is not None and found.is_known else None


def mesh_world(
    mesh: Resource[Mesh],
    resources: Iterable[Resource[object]],
    policies: MeshView,
    *,
    zone: str,
    tls_ready: frozenset[str] = frozenset(),
    addresses: VirtualDestinations = NO_DESTINATIONS,
    external: Mapping[str, ExternalDestination] = NOTHING_OUTSIDE,
) -> MeshWorld:
    """The world of `mesh` from scratch. `resources` are all others of it."""
    by_type: dict[str, dict[str, Resource[object]]] = {}
    for resource in resources:
        by_type.setdefault(resource.type, {})[resource.name] = resource
    by_type = {
        type_name: {name: named[name] for name in sorted(named)}
        for type_name, named in by_type.items()
    }
    endpoints = endpoints_by_service(
        each for each in by_type.get(DATAPLANE, {}).values() if has_spec(each, Dataplane)
    )
    return MeshWorld(
        mesh=mesh,
        zone=zone,
        resources=by_type,
        policies=policies,
        endpoints=endpoints,
        protocols={service: protocol_of_all(found) for service, found in endpoints.items()},
        tls_ready=tls_ready,
        addresses=addresses,
        external=external,
    )


def endpoints_by_service(
    dataplanes: Iterable[Resource[Dataplane]],
) -> dict[str, tuple[Endpoint, ...]]:
    """The instances of each service, in the order of `dataplanes`."""
    found: dict[str, list[Endpoint]] = {}
    for dataplane in dataplanes:
        for service, endpoint in endpoints_of(dataplane.spec):
            found.setdefault(service, []).append(endpoint)
    return {service: tuple(endpoints) for service, endpoints in found.items()}


def endpoints_of(dataplane: Dataplane) -> Iterable[tuple[str, Endpoint]]:
    """What a proxy offers to others, with the service of each.

    Source: docs/wire/envoy-names.md#endpoints
    """
    networking = dataplane.networking or Networking()
    for inbound in networking.inbound:
        # What is not ready gets no traffic, and what is ignored has an identity only.
        if inbound.is_ready and inbound.state is not InboundState.Ignored:
            service = inbound.tags.get(SERVICE, "")
            yield (
                service,
                Endpoint(
                    address=advertised_address(inbound, networking),
                    port=inbound.port,
                    tags=pairs(inbound.tags),
                    zone=inbound.tags.get(ZONE),
                ),
            )


def advertised_address(inbound: Inbound, networking: Networking) -> str:
    """Where others reach an inbound: behind NAT not where it listens."""
    return networking.advertised_address or inbound.address or networking.address


def protocol_of_all(endpoints: Iterable[Endpoint]) -> str:
    """What all instances of a service speak."""
    return common_protocol(protocol_of(dict(each.tags).get(PROTOCOL)) for each in endpoints)
