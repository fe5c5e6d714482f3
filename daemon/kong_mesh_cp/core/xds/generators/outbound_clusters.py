"""Clusters that outbounds send to, and from where their endpoints come.

Source: docs/wire/envoy-names.md#outbounds, docs/wire/service-resources.md#clusters
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from kong_mesh_cp.core.discovery.snapshots import Resource
from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.meshes.spiffe import server_name
from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.typed_confs import DestinationConfs
from kong_mesh_cp.core.resources.kinds.mesh import MtlsMode
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.assignments import EndpointSource
from kong_mesh_cp.core.xds.draft import WRONG_INPUT
from kong_mesh_cp.core.xds.effects import OutboundFacts
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message
from kong_mesh_cp.core.xds.envoy.outside_tls import match_outside
from kong_mesh_cp.core.xds.envoy.tls import upstream_tls
from kong_mesh_cp.core.xds.generators.outbound_plan import Confs, Destination, about, confs_of
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.names import service_cluster
from kong_mesh_cp.core.xds.outside.external_services import ExternalPlace
from kong_mesh_cp.core.xds.parts import resource
from kong_mesh_cp.core.xds.policies.effect_catalogue import EFFECTS
from kong_mesh_cp.core.xds.policies.load_balancing_effects import BALANCING, locality_of
from kong_mesh_cp.core.xds.protocols import HTTP2
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.services.backends import Backend, Destined
from kong_mesh_cp.core.xds.services.instances import GatewayService, mesh_asked, without_mesh
from kong_mesh_cp.core.xds.services.service_endpoints import port_id
from kong_mesh_cp.core.xds.services.service_resources import (
    EXTERNAL,
    MESH_SERVICE,
    ServiceResource,
)
from kong_mesh_cp.core.xds.world import (
    Endpoint,
    EndpointKey,
    MeshWorld,
    TagPairs,
    protocol_of_all,
)
from kong_mesh_cp.core.xds.zones.localities import Locality

CONNECT: Final = 5 * SECOND
NOTHING_SAID: Final = DestinationConfs()
ZONE_EGRESS: Final = "zone-egress"  # as which the egress of a zone is known


class Upstream(NamedTuple):
    """All that a cluster is made of beside policies. Equal ones are equal clusters."""

    name: str
    destination: Destination
    source: Destined  # of its endpoints: tags, or a port by its number
    secured: bool  # spoken to in the mesh's TLS
    identities: tuple[str, ...]  # one of which it has to be; without any: of the mesh
    server_name: str
    protocol: str = HTTP2  # between proxies, whatever their applications speak
    places: tuple[ExternalPlace, ...] = ()  # where it is, if it is outside and gone to directly
    mesh: str = ""  # whose gateways it is; "": it is of the own mesh


class Clustered(NamedTuple):
    """The cluster of a service, or of some of its instances."""

    made: Resource | None = None
    error: str = ""


def upstream_of(backend: Backend, world: MeshWorld) -> Upstream | None:
    """None: what it goes to is not there."""
    if not isinstance(backend.to, DestinationId):
        return tagged_upstream(backend.to, world)
    found = world.services.find(backend.to)
    port = None if found is None else found.port(backend.to.section_name)
    if found is None or port is None:
        return None
    key = port_id(found, port.number)
    endpoints = world.reached.get(key, ())
    # An external service is behind the egress; without one it is told as any other, with nothing
    # behind it.
    is_external = found.id.type == EXTERNAL and bool(endpoints)
    if is_external or found.id.type == MESH_SERVICE:
        protocol = port.protocol
    else:
        protocol = protocol_of_all(endpoints)
    return Upstream(
        backend.cluster,
        Destination(backend.to, backend.cluster, protocol),
        key,
        is_secured(world, ready=found.tls_ready or not found.is_local),
        (ZONE_EGRESS,) if is_external else _identities(found, world),
        found.server_name(port.number),
        protocol if is_external else HTTP2,
    )


def tagged_upstream(tags: TagPairs, world: MeshWorld) -> Upstream:
    """Of a service by its tag. One outside of the mesh is spoken to as it speaks itself."""
    service, mesh = dict(tags)[SERVICE], mesh_asked(tags)
    if mesh is not None:
        return _gateway_upstream(tags, service, mesh, world)
    found = Upstream(
        service_cluster(dict(tags)),
        Destination(tags, service, world.protocol(service)),
        tags,
        is_secured(world, ready=service in world.tls_ready),
        (service,),
        server_name(world.name, dict(tags)),
    )
    outside = world.outside(service)
    if outside is None:
        return found
    if outside.gates:
        return found._replace(identities=(ZONE_EGRESS,), protocol=outside.protocol)
    return placed_outside(found, outside.places)


def _gateway_upstream(tags: TagPairs, service: str, mesh: str, world: MeshWorld) -> Upstream:
    """Of gateways of `mesh` that other meshes may call."""
    return Upstream(
        service_cluster(dict(tags)),
        Destination(tags, service, world.protocol(service)),
        tags,
        is_secured_across(world, mesh, ready=service in world.tls_ready),
        (service,),
        server_name(mesh, dict(without_mesh(tags))),
        mesh=mesh,
    )


def placed_outside(upstream: Upstream, places: tuple[ExternalPlace, ...]) -> Upstream:
    """Gone to directly: no proxy translates, or takes the mesh's TLS."""
    protocol = upstream.destination.protocol
    return upstream._replace(places=places, protocol=protocol, secured=False)


def _identities(service: ServiceResource, world: MeshWorld) -> tuple[str, ...]:
    parts = (world.services.find(each) for each in service.parts)
    of_parts = {each for part in parts if part is not None for each in part.identities}
    return tuple(sorted(of_parts)) if service.parts else service.identities


def is_secured(world: MeshWorld, *, ready: bool) -> bool:
    """Whether a service is called in the mesh's TLS. `ready`: all its instances take it; of a
    strict mesh they have to.
    """
    authority = world.authority
    if authority is None:
        return False
    return authority.mode is not MtlsMode.PERMISSIVE or ready


def is_secured_across(world: MeshWorld, mesh: str, *, ready: bool) -> bool:
    """Likewise, of gateways of `mesh`: both meshes have to have mTLS."""
    if world.authority is None or mesh == world.name:
        return is_secured(world, ready=ready)
    mode = world.crossing.modes.get(mesh)
    return mode is not None and (mode is not MtlsMode.PERMISSIVE or ready)


def clustered(
    upstream: Upstream, view: ProxyView, matched: Matched, *, is_called: bool
) -> Clustered:
    try:
        facts, confs = about(view, upstream.destination, matched, is_called=is_called)
        made = _cluster(upstream, facts, confs, ipv6=is_ipv6(view))
        return Clustered(resource(upstream.name, made))
    except WRONG_INPUT as error:
        return Clustered(error=str(error))


def _cluster(upstream: Upstream, facts: OutboundFacts, confs: Confs, *, ipv6: bool) -> Message:
    draft = ClusterDraft(upstream.name, facts.protocol)
    draft.connect_within(CONNECT)
    lead(draft, upstream, facts.mesh, ipv6=ipv6)
    apply_effects(draft, upstream, facts, confs)
    return draft.whole()


def apply_effects(
    draft: ClusterDraft, upstream: Upstream, facts: OutboundFacts, confs: Confs
) -> None:
    """What policies with a targetRef say of a cluster."""
    # None is about gateways of another mesh, as in the original: they are the other mesh's.
    for effect, conf in zip(EFFECTS, confs, strict=True) if not upstream.mesh else ():
        if effect.outbound_cluster is not None:
            effect.outbound_cluster(draft, facts, conf)


def is_asked_for(to: Destined, called: frozenset[str]) -> bool:
    """Whether policies about destinations are about it, and not a route alone leads there.
    `called` are the services by tag that outbounds of the proxy are for.
    """
    return isinstance(to, DestinationId) or dict(to)[SERVICE] in called


def lead(draft: ClusterDraft, upstream: Upstream, mesh: str, *, ipv6: bool) -> None:
    """From a proxy of `mesh` to `upstream`."""
    draft.speak(upstream.protocol)
    if upstream.secured:
        other = upstream.mesh or mesh
        draft.tls = upstream_tls(mesh, other, upstream.identities, upstream.server_name)
    if not upstream.places:
        draft.with_endpoints_from_ads()
        return
    # Whatever tags are asked for, as in the original: all places are equal.
    draft.with_endpoints([each.endpoint for each in upstream.places], ipv6=ipv6)
    for place in upstream.places:
        if place.tls is not None:
            tags = [tag for tag in place.endpoint.tags if tag[0] != SERVICE]
            match_outside(draft.message, place.endpoint.address, tags, place.tls)


def is_ipv6(view: ProxyView) -> bool:
    """Names are looked up for both versions of IP."""
    return ":" in view.networking.address


class Reached(NamedTuple):
    """A cluster that is there."""

    cluster: str  # its name
    source: Destined  # of its endpoints
    to: Destined  # what policies are about


def sources_of(
    reached: Iterable[Reached], view: ProxyView, matched: Matched, called: frozenset[str]
) -> Mapping[str, EndpointSource]:
    """By cluster. `called` are the services by tag that outbounds of the proxy are for."""
    found: dict[str, EndpointSource] = {}
    for cluster, source, to in reached:
        key = _endpoint_key(source)
        locality = _locality(to, view, matched, called)
        found[cluster] = EndpointSource((key,), endpoints_of_cluster, (source,), locality)
    return found


def _endpoint_key(source: Destined) -> EndpointKey:
    if isinstance(source, DestinationId):
        return source
    service, mesh = dict(source)[SERVICE], mesh_asked(source)
    return service if mesh is None else GatewayService(mesh, service)


def _locality(
    to: Destined, view: ProxyView, matched: Matched, called: frozenset[str]
) -> Locality | None:
    is_resource = isinstance(to, DestinationId)
    # What is outside of the mesh is balanced by the egress.
    is_outside = isinstance(to, DestinationId) and to.type == EXTERNAL
    is_gateway = not isinstance(to, DestinationId) and mesh_asked(to) is not None
    is_said = is_asked_for(to, called) and not is_outside and not is_gateway
    confs = confs_of(matched, BALANCING, to) if is_said else NOTHING_SAID
    return locality_of(confs, view, is_resource=is_resource)


def endpoints_of_cluster(world: MeshWorld, source: Destined) -> tuple[Endpoint, ...]:
    """The instances that carry all tags of `source`, of which one is the service; or what is behind
    a port.
    """
    if isinstance(source, DestinationId):
        return world.reached.get(source, ())
    key = _endpoint_key(source)
    if isinstance(key, GatewayService):
        wanted = set(without_mesh(source))
        found = world.behind(key) or ()
    else:
        wanted = set(source)
        found = world.instances(dict(source)[SERVICE])
    return found if len(wanted) == 1 else tuple(each for each in found if wanted <= set(each.tags))
