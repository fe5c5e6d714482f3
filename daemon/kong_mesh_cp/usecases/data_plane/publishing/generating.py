"""Configurations of the proxies of one mesh, from its world and what lies beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Protocol

from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy

if TYPE_CHECKING:
    from kong_mesh_cp.core.xds import generate as generation
    from kong_mesh_cp.core.xds import parts as xds_parts
    from kong_mesh_cp.core.xds import proxy_view
    from kong_mesh_cp.core.xds.generate import Generated
    from kong_mesh_cp.core.xds.proxy_view import AdminTls, GenerationTerms, Identity
    from kong_mesh_cp.core.xds.world import EndpointKey, MeshWorld
else:  # with the first proxy: they import protobuf and Envoy's messages
    generation = lazy_import("kong_mesh_cp.core.xds.generate")
    xds_parts = lazy_import("kong_mesh_cp.core.xds.parts")
    proxy_view = lazy_import("kong_mesh_cp.core.xds.proxy_view")


class Credentials(Protocol):
    """With what proxies prove who they are."""

    def admin_tls(self, proxy: ConnectedProxy) -> AdminTls | None:
        """For the admin listener of `proxy`; None: it has none."""
        ...

    def identity(self, proxy: ConnectedProxy, world: MeshWorld) -> Identity | None:
        """Of `proxy` in its mesh; None: the mesh has no mTLS, or there is none yet."""
        ...

    def preparation(
        self, proxy: ConnectedProxy, world: MeshWorld
    ) -> Callable[[], Awaitable[object]] | None:
        """See `MeshGenerator.preparation`."""
        ...


class SidecarGenerator:
    """A `MeshGenerator` of sidecars."""

    def __init__(self, terms: GenerationTerms, credentials: Credentials) -> None:
        self._terms = terms
        self._credentials = credentials
        self._parts = xds_parts.Parts()

    def preparation(
        self, proxy: ConnectedProxy, world: MeshWorld
    ) -> Callable[[], Awaitable[object]] | None:
        return self._credentials.preparation(proxy, world)

    def generate(self, proxy: ConnectedProxy, world: MeshWorld) -> Generated | None:
        dataplane = world.dataplane(proxy.name)
        if dataplane is None:
            return None
        view = proxy_view.ProxyView(
            dataplane=dataplane,
            metadata=proxy.metadata,
            world=world,
            terms=self._terms,
            admin_tls=self._credentials.admin_tls(proxy),
            identity=self._credentials.identity(proxy, world),
        )
        return generation.generate(view, self._parts)

    def with_endpoints(
        self, made: Generated, services: Collection[EndpointKey], world: MeshWorld
    ) -> Generated:
        return made.with_endpoints(services, world, self._parts)

    def turn(self) -> None:
        self._parts.turn()
