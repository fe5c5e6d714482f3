"""Configurations of the proxies of a zone, from all of its meshes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.usecases.data_plane.authentication import ProxyKind
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy

if TYPE_CHECKING:
    from kong_mesh_cp.core.resources.kinds.zone_proxies import ZoneEgress, ZoneIngress
    from kong_mesh_cp.core.resources.meta import Resource
    from kong_mesh_cp.core.xds import parts as xds_parts
    from kong_mesh_cp.core.xds.generate import Generated
    from kong_mesh_cp.core.xds.proxy_view import AdminTls, GenerationTerms, Identity
    from kong_mesh_cp.core.xds.world import EndpointKey
    from kong_mesh_cp.core.xds.zone_proxies import generate_zone_proxy as generation
    from kong_mesh_cp.core.xds.zone_proxies import zone_view
    from kong_mesh_cp.core.xds.zone_proxies.zone_view import ZoneWorld
else:  # with the first zone proxy: they import protobuf and Envoy's messages
    xds_parts = lazy_import("kong_mesh_cp.core.xds.parts")
    generation = lazy_import("kong_mesh_cp.core.xds.zone_proxies.generate_zone_proxy")
    zone_view = lazy_import("kong_mesh_cp.core.xds.zone_proxies.zone_view")


class ZoneCredentials(Protocol):
    """With what zone proxies prove who they are."""

    def admin_tls(self, proxy: ConnectedProxy) -> AdminTls | None:
        """For the admin listener of `proxy`; None: it has none."""
        ...

    def zone_identities(
        self, proxy: ConnectedProxy, meshes: Iterable[str]
    ) -> Mapping[str, Identity]:
        """As a member of each of `meshes`; without those that are not there yet."""
        ...

    def zone_preparation(
        self, proxy: ConnectedProxy, addresses: tuple[str, ...], meshes: Iterable[str]
    ) -> Callable[[], Awaitable[object]] | None:
        """See `MeshGenerator.preparation`."""
        ...


class ZoneProxyGenerator:
    """A `MeshGenerator` of the zone, whose proxies are of no mesh."""

    def __init__(self, terms: GenerationTerms, credentials: ZoneCredentials) -> None:
        self._terms = terms
        self._credentials = credentials
        self._parts = xds_parts.Parts()

    def preparation(
        self, proxy: ConnectedProxy, world: ZoneWorld
    ) -> Callable[[], Awaitable[object]] | None:
        resource = _resource(proxy, world)
        if resource is None:
            return None
        addresses = zone_view.zone_proxy_addresses(resource.spec)
        return self._credentials.zone_preparation(proxy, addresses, _shown_in(proxy, world))

    def generate(self, proxy: ConnectedProxy, world: ZoneWorld) -> Generated | None:
        resource = _resource(proxy, world)
        if resource is None:
            return None
        view = zone_view.ZoneProxyView(
            proxy=resource,
            metadata=proxy.metadata,
            world=world,
            terms=self._terms,
            admin_tls=self._credentials.admin_tls(proxy),
            identities=self._credentials.zone_identities(proxy, _shown_in(proxy, world)),
        )
        return generation.generate_zone_proxy(view, self._parts)

    def with_endpoints(
        self, made: Generated, services: Collection[EndpointKey], world: ZoneWorld
    ) -> Generated:
        return made.with_endpoints(services, world, self._parts)

    def turn(self) -> None:
        self._parts.turn()


def _resource(
    proxy: ConnectedProxy, world: ZoneWorld
) -> Resource[ZoneEgress] | Resource[ZoneIngress] | None:
    if proxy.kind is ProxyKind.EGRESS:
        return world.egress(proxy.name)
    return world.ingress(proxy.name)


def _shown_in(proxy: ConnectedProxy, world: ZoneWorld) -> tuple[str, ...]:
    """The meshes as whose member it may show itself: an ingress ends no TLS."""
    if proxy.kind is not ProxyKind.EGRESS:
        return ()
    return tuple(
        name for name, each in world.meshes.items() if zone_view.speaks_tls(each.mesh.spec)
    )
