"""The clusters that a gateway sends to, and from where their endpoints come.

Source: docs/wire/gateways.md#clusters
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.meshes.spiffe import server_name
from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.rules.subsets import selects
from kong_mesh_cp.core.resources.kinds.legacy.timeout import Conf as Timeouts
from kong_mesh_cp.core.resources.tags import PROTOCOL, SERVICE
from kong_mesh_cp.core.xds.assignments import EndpointSource
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.outside_tls import match_outside
from kong_mesh_cp.core.xds.envoy.tls import upstream_tls
from kong_mesh_cp.core.xds.gateways.gateway_plan import GatewayDestination
from kong_mesh_cp.core.xds.generators.gateway.gateway_chains import (
    CONNECTION_BUFFER,
    CONNECTION_WINDOW,
    STREAM_WINDOW,
)
from kong_mesh_cp.core.xds.generators.older.older_plan import permitted_places
from kong_mesh_cp.core.xds.generators.older.older_policies import PERMISSION, older_policies
from kong_mesh_cp.core.xds.generators.older.timeouts import limit_cluster
from kong_mesh_cp.core.xds.generators.outbound_clusters import (
    NOTHING_SAID,
    ZONE_EGRESS,
    Upstream,
    endpoints_of_cluster,
    is_ipv6,
    upstream_of,
)
from kong_mesh_cp.core.xds.outside.external_services import ExternalPlace
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.policies.load_balancing_effects import locality_of
from kong_mesh_cp.core.xds.protocols import GRPC, HTTP, HTTP2, TCP, UNKNOWN, protocol_of
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.services.backends import Backend
from kong_mesh_cp.core.xds.services.service_resources import EXTERNAL
from kong_mesh_cp.core.xds.world import MeshWorld, TagPairs

ANY_TIME: Final = Timeouts()
_HTTP2_LIKE: Final = frozenset({HTTP2, GRPC})


class GatewayClusters:
    """Makes the clusters of one gateway."""

    def __init__(self, view: ProxyView, parts: Parts) -> None:
        self._view = view
        self._world = view.world
        routing = view.world.mesh.spec.routing
        self._by_egress = routing is not None and bool(routing.zone_egress)
        self._permissions = None
        if view.world.of_type(PERMISSION):
            tags = view.dataplane.spec.tag_sets
            self._permissions = older_policies(view.world, tags, (PERMISSION,), parts)

    def is_outside(self, service: str) -> bool:
        """A service by its tag is outside of the mesh, and the gateway may call it.

        With TrafficPermissions it is the one that they let the gateway call; else it would be
        called as one of the mesh, and not be there.
        """
        if self._permissions is not None and not self._by_egress:
            return bool(permitted_places(self._world, self._permissions, service))
        return self._world.outside(service) is not None

    def takes_tags(self, destination: GatewayDestination) -> bool:
        """Whether it is told whose requests it gets: what is outside of the mesh is not."""
        if self._by_egress:
            return True
        to = destination.to
        if isinstance(to, DestinationId):
            # Behind no egress there is nobody that it could be told to.
            upstream = self._upstream(to, destination)
            is_reached = upstream is not None and _has_endpoints(upstream, self._world)
            return to.type != EXTERNAL or not is_reached
        return not self.is_outside(destination.service)

    def made(self, destination: GatewayDestination) -> ClusterDraft | None:
        """None: what it leads to is not there."""
        to = destination.to
        if to is None:
            return None
        if isinstance(to, DestinationId):
            return self._of_resource(to, destination)
        places = self._places(to)
        if places:
            return self._outside(destination, places)
        return self._of_tags(to, destination)

    def source(self, destination: GatewayDestination) -> EndpointSource | None:
        """Of its endpoints; None: they are known without asking."""
        to = destination.to
        if to is None:
            return None
        if isinstance(to, DestinationId):
            upstream = self._upstream(to, destination)
            if upstream is None or not isinstance(upstream.source, DestinationId):
                return None
            locality = locality_of(NOTHING_SAID, self._view, is_resource=True)
            key = upstream.source
            return EndpointSource((key,), endpoints_of_cluster, (key,), locality)
        if self._places(to):
            return None
        locality = locality_of(NOTHING_SAID, self._view)
        return EndpointSource((destination.service,), endpoints_of_cluster, (to,), locality)

    def _upstream(self, to: DestinationId, destination: GatewayDestination) -> Upstream | None:
        backend = Backend(to, destination.weight, destination.cluster)
        return upstream_of(backend, self._world)

    def _places(self, tags: TagPairs) -> tuple[ExternalPlace, ...]:
        """Where a service outside of the mesh is gone to directly."""
        wanted = dict(tags)
        if self._by_egress or not self.is_outside(wanted[SERVICE]):
            return ()
        outside = self._world.external.get(wanted[SERVICE])
        places = () if outside is None else outside.places
        return tuple(each for each in places if selects(wanted, dict(each.endpoint.tags)))

    def _of_tags(self, tags: TagPairs, destination: GatewayDestination) -> ClusterDraft:
        service = destination.service
        draft = _cluster(service, protocol_of(dict(tags).get(PROTOCOL)), destination)
        limit_cluster(draft, ANY_TIME)
        draft.with_endpoints_from_ads()
        draft.name_in_metrics()
        if self._world.authority is not None:
            mesh = self._world.name
            is_behind_egress = self._by_egress and self.is_outside(service)
            identity = ZONE_EGRESS if is_behind_egress else service
            draft.tls = upstream_tls(mesh, mesh, (identity,), server_name(mesh, dict(tags)))
        return _finished(draft, destination)

    def _outside(
        self, destination: GatewayDestination, places: tuple[ExternalPlace, ...]
    ) -> ClusterDraft:
        service = destination.service
        draft = _cluster(service, self._world.protocol(service), destination)
        limit_cluster(draft, ANY_TIME)
        draft.with_endpoints([each.endpoint for each in places], ipv6=is_ipv6(self._view))
        draft.name_in_metrics()
        for place in places:
            if place.tls is not None:
                tags = [tag for tag in place.endpoint.tags if tag[0] != SERVICE]
                match_outside(draft.message, place.endpoint.address, tags, place.tls)
        return _finished(draft, destination)

    def _of_resource(
        self, to: DestinationId, destination: GatewayDestination
    ) -> ClusterDraft | None:
        upstream = self._upstream(to, destination)
        if upstream is None:
            return None
        draft = _cluster(destination.service, upstream.destination.protocol, destination)
        draft.with_endpoints_from_ads()
        draft.name_in_metrics()
        if self._world.authority is not None:
            mesh = self._world.name
            # As in the original any proxy of the mesh may be the egress.
            identities = () if to.type == EXTERNAL else upstream.identities
            draft.tls = upstream_tls(mesh, mesh, identities, upstream.server_name)
        return _finished(draft, destination)


def _has_endpoints(upstream: Upstream, world: MeshWorld) -> bool:
    return isinstance(upstream.source, DestinationId) and bool(world.behind(upstream.source))


def _cluster(name: str, protocol: str, destination: GatewayDestination) -> ClusterDraft:
    """Under the name that it has in metrics; what is not known speaks as the route does."""
    if protocol == UNKNOWN:
        protocol = TCP if destination.protocol == TCP else HTTP
    return ClusterDraft(name, protocol)


def _finished(draft: ClusterDraft, destination: GatewayDestination) -> ClusterDraft:
    """Under its own name: hosts with other tags have others for the same service."""
    draft.speak(draft.protocol)
    if draft.protocol in _HTTP2_LIKE:
        options = draft.http.explicit_http_config.http2_protocol_options
        options.initial_stream_window_size.value = STREAM_WINDOW
        options.initial_connection_window_size.value = CONNECTION_WINDOW
    draft.message.per_connection_buffer_limit_bytes.value = CONNECTION_BUFFER
    draft.name = draft.message.name = destination.cluster
    return draft
