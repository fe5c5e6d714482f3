"""Instances of services by their tags: where each is reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kong_mesh_cp.core.meshes.virtual_hosts import MESH_TAG
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane, Inbound, InboundState, Networking
from kong_mesh_cp.core.resources.meta import Resource
from kong_mesh_cp.core.resources.tags import PROTOCOL, SERVICE, ZONE
from kong_mesh_cp.core.xds.protocols import common_protocol, protocol_of

TagPairs = tuple[tuple[str, str], ...]
"""Tags in their order by name: equal tags are equal pairs, and can be a key."""


class GatewayService(NamedTuple):
    """The gateways of a mesh that other meshes may call, by their service."""

    mesh: str
    service: str


def pairs(tags: Mapping[str, str]) -> TagPairs:
    return tuple(sorted(tags.items()))


def mesh_asked(tags: TagPairs) -> str | None:
    """The mesh whose gateways `tags` are about, which other meshes may call; None: its own."""
    return next((value for tag, value in tags if tag == MESH_TAG), None)


def without_mesh(tags: TagPairs) -> TagPairs:
    """As the gateways themselves have them."""
    return tuple(each for each in tags if each[0] != MESH_TAG)


class Endpoint(NamedTuple):
    """Where one instance of a service is reached."""

    address: str
    port: int
    tags: TagPairs = ()
    weight: int = 1
    zone: str | None = None  # of its locality; None: it has none
    priority: int = 0  # 0 is tried first
    sub_zone: str = ""  # of its locality
    share: int = 0  # of its locality among those of its priority; 0: it has none


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
