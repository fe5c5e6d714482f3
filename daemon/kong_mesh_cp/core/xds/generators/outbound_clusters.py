"""Clusters that outbounds send to, and from where their endpoints come.

Source: docs/wire/envoy-names.md#outbounds
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from kong_mesh_cp.core.discovery.snapshots import Resource
from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.meshes.spiffe import server_name
from kong_mesh_cp.core.resources.kinds.mesh import MtlsMode
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.assignments import EndpointSource
from kong_mesh_cp.core.xds.draft import WRONG_INPUT
from kong_mesh_cp.core.xds.effects import OutboundFacts
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message
from kong_mesh_cp.core.xds.envoy.tls import upstream_tls
from kong_mesh_cp.core.xds.generators.outbound_plan import AskedServices, Confs, about_service
from kong_mesh_cp.core.xds.generators.outside_clusters import (
    WayOut,
    gate_source,
    lead_outside,
)
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.names import (
    service_cluster,
)
from kong_mesh_cp.core.xds.parts import resource
from kong_mesh_cp.core.xds.policies.effect_catalogue import EFFECTS
from kong_mesh_cp.core.xds.protocols import HTTP2
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.world import Endpoint, MeshWorld, TagPairs

CONNECT: Final = 5 * SECOND


class Clustered(NamedTuple):
    """The cluster of a service, or of some of its instances."""

    asked: frozenset[str]
    made: Resource | None = None
    secured: bool = False  # spoken to in the mesh's TLS
    error: str = ""
    source: EndpointSource | None = None  # of endpoints that are not those of the service
    is_placed: bool = False  # it has its endpoints itself


def clustered(name: str, view: ProxyView, tags: TagPairs, matched: Matched) -> Clustered:
    services, service = AskedServices(view.world), dict(tags)[SERVICE]
    secured = is_secured(view.world, service)
    outside = view.world.outside(service)
    way = None if outside is None else WayOut.of(outside, view, secured=secured)
    try:
        facts, confs = about_service(view, service, matched, services)
        if way is None:
            message = _cluster(name, tags, facts, confs, secured=secured)
        else:
            facts = replace(facts, is_external=True)
            message = _cluster(name, tags, facts, confs, secured=way.secured, way=way)
        made = resource(name, message)
    except WRONG_INPUT as error:
        return Clustered(frozenset(services.asked), error=str(error))
    if way is None:
        return Clustered(frozenset(services.asked), made, secured)
    source = gate_source(way, tags)
    asked = frozenset(services.asked)
    return Clustered(asked, made, way.secured, source=source, is_placed=source is None)


def _cluster(
    name: str,
    tags: TagPairs,
    facts: OutboundFacts,
    confs: Confs,
    *,
    secured: bool,
    way: WayOut | None = None,
) -> Message:
    draft = ClusterDraft(name, facts.protocol)
    draft.connect_within(CONNECT)
    if way is None:
        lead_to_proxies(draft, facts, tags, secured=secured)
    else:
        lead_outside(draft, facts.mesh, tags, way)
    for effect, about in zip(EFFECTS, confs, strict=True):
        if effect.outbound_cluster is not None:
            effect.outbound_cluster(draft, facts, about)
    return draft.whole()


def lead_to_proxies(
    draft: ClusterDraft, facts: OutboundFacts, tags: TagPairs, *, secured: bool
) -> None:
    draft.with_endpoints_from_ads()
    # Proxies speak HTTP/2 with each other, whatever their applications speak.
    draft.speak(HTTP2)
    if secured:
        sni = server_name(facts.mesh, dict(tags))
        draft.tls = upstream_tls(facts.mesh, facts.mesh, [facts.service], sni)


def is_secured(world: MeshWorld, service: str) -> bool:
    """Whether all instances of a service take the mesh's TLS; of a strict mesh they have to."""
    authority = world.authority
    if authority is None:
        return False
    return authority.mode is not MtlsMode.PERMISSIVE or service in world.tls_ready


def sources_of(reached: tuple[TagPairs, ...]) -> Mapping[str, EndpointSource]:
    """By cluster."""
    return {
        service_cluster(dict(tags)): EndpointSource(
            (dict(tags)[SERVICE],), endpoints_of_cluster, (tags,)
        )
        for tags in reached
    }


def endpoints_of_cluster(world: MeshWorld, tags: TagPairs) -> tuple[Endpoint, ...]:
    """The instances that carry all of `tags`, of which one is the service."""
    wanted = set(tags)
    found = world.endpoints.get(dict(tags)[SERVICE], ())
    return found if len(wanted) == 1 else tuple(each for each in found if wanted <= set(each.tags))
