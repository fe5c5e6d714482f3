"""Worlds and publishing over a store of dictionaries, with the generation of sidecars as it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import trio

from kong_mesh_cp.core.xds.indexed_mesh import WorldRules
from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from kong_mesh_cp.core.xds.proxy_view import GenerationTerms, Identity, KeyPair
from kong_mesh_cp.core.xds.reach import Reached
from kong_mesh_cp.core.xds.world import MeshWorld
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy
from kong_mesh_cp.usecases.data_plane.publishing.generating import SidecarGenerator
from kong_mesh_cp.usecases.data_plane.publishing.publishing import Publishing
from kong_mesh_cp.usecases.data_plane.publishing.watches import Watch
from kong_mesh_cp.usecases.data_plane.publishing.worlds import Worlds
from kong_mesh_cp.usecases.following.replica import Replica
from support.fakes.fake_resources import FakeResourceStore
from support.specs.random.random_meshes import MESH

RULES = WorldRules(zone="default", domain="mesh", service_port=80)


class _Credentials:
    """One certificate for all, where there is mTLS."""

    def admin_tls(self, _proxy: ConnectedProxy) -> None:
        return None

    def identity(self, _proxy: ConnectedProxy, world: MeshWorld) -> Identity | None:
        if world.authority is None:
            return None
        known = (world.name, *world.crossing.trusted)
        pair = KeyPair(b"chain", b"key")
        return Identity(pair=pair, authorities=dict.fromkeys(known, b"authority"))

    def preparation(
        self, _proxy: ConnectedProxy, _world: MeshWorld
    ) -> Callable[[], Awaitable[object]] | None:
        return None


def generator(_mesh: str = MESH) -> SidecarGenerator:
    return SidecarGenerator(GenerationTerms(), _Credentials())


def proxy(name: str) -> ConnectedProxy:
    metadata = ProxyMetadata(admin_port=9901, dns_port=15053, readiness_port=9902)
    return ConnectedProxy(mesh=MESH, name=name, metadata=metadata)


class XdsStage:
    """`watches` are of the proxies that have joined, by name."""

    def __init__(self) -> None:
        self.store = FakeResourceStore()
        self.replica = Replica(self.store)
        self.worlds = Worlds(self.replica, rules=RULES, told=self._told)
        self.publishing = Publishing(self.worlds, generator)
        self.watches: dict[str, Watch] = {}

    def _told(self, mesh: str, reached: Reached, since: float) -> None:
        self.publishing.take(mesh, reached, since)

    async def start(self, nursery: trio.Nursery, proxies: Iterable[str]) -> None:
        """All of it, until `nursery` is cancelled."""
        for run in (self.replica.run, self.worlds.run, self.publishing.run):
            nursery.start_soon(run)
        for name in proxies:
            nursery.start_soon(partial(self._join, name))

    async def _join(self, name: str) -> None:
        async with self.publishing.watching(proxy(name)) as watch:
            self.watches[name] = watch
            await trio.sleep_forever()
