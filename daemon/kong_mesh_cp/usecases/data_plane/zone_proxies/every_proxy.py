"""What proxies of all kinds are to be told."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from kong_mesh_cp.usecases.data_plane.authentication import ProxyKind
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy
from kong_mesh_cp.usecases.data_plane.stream_ports import Configuring, Watching


class EveryProxy:
    """`Configuring`: data plane proxies from their meshes, zone proxies from their zone."""

    def __init__(self, meshes: Configuring, zone: Configuring) -> None:
        self._meshes = meshes
        self._zone = zone

    def watching(self, proxy: ConnectedProxy) -> AbstractAsyncContextManager[Watching]:
        is_of_mesh = proxy.kind is ProxyKind.DATAPLANE
        return (self._meshes if is_of_mesh else self._zone).watching(proxy)
