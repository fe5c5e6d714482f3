"""Clusters of services outside of the mesh that are known by their tag.

Source: docs/wire/older-policies.md#services-outside-of-the-mesh
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.meshes.spiffe import server_name
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.assignments import EndpointSource
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.outside_tls import match_outside
from kong_mesh_cp.core.xds.envoy.tls import upstream_tls
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.world import (
    Endpoint,
    ExternalDestination,
    ExternalPlace,
    MeshWorld,
    TagPairs,
)

EGRESS_SERVICE: Final = "zone-egress"  # the identity of zone egresses


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOut:
    """How one proxy gets to a service outside: by itself, or through an egress."""

    places: tuple[ExternalPlace, ...] = ()
    gates: tuple[Endpoint, ...] = ()
    secured: bool = False  # in the mesh's TLS, which egresses alone take
    ipv6: bool = False  # names are looked up for both versions of IP

    @staticmethod
    def of(outside: ExternalDestination, view: ProxyView, *, secured: bool) -> WayOut:
        return WayOut(
            places=outside.places,
            gates=outside.gates,
            secured=secured and bool(outside.gates),
            ipv6=is_ipv6(view),
        )


def is_ipv6(view: ProxyView) -> bool:
    return ":" in view.networking.address


def lead_outside(draft: ClusterDraft, mesh: str, tags: TagPairs, way: WayOut) -> None:
    """The service is spoken to as it speaks itself: no proxy translates."""
    draft.speak(draft.protocol)
    if way.gates:
        draft.with_endpoints_from_ads()
        if way.secured:
            sni = server_name(mesh, dict(tags))
            draft.tls = upstream_tls(mesh, mesh, [EGRESS_SERVICE], sni)
        return
    # Whatever tags are asked for, as in the original: all places are equal.
    draft.with_endpoints([each.endpoint for each in way.places], ipv6=way.ipv6)
    for place in way.places:
        if place.tls is not None:
            own = [tag for tag in place.endpoint.tags if tag[0] != SERVICE]
            match_outside(draft.message, place.endpoint.address, own, place.tls)


def gate_source(way: WayOut, tags: TagPairs) -> EndpointSource | None:
    """The egresses that lead to instances with `tags`; None: the cluster has its endpoints."""
    if not way.gates:
        return None
    wanted = set(tags)
    found = tuple(each for each in way.gates if wanted <= set(each.tags))
    return EndpointSource((dict(tags)[SERVICE],), _gates, (found,))


def _gates(_world: MeshWorld, found: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    return found
