"""A zone and its proxies over a store of dictionaries, with the generation as it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime

import trio

from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from kong_mesh_cp.core.xds.proxy_view import GenerationTerms, Identity, KeyPair
from kong_mesh_cp.core.xds.reach import Reached
from kong_mesh_cp.usecases.data_plane.authentication import ProxyKind
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy
from kong_mesh_cp.usecases.data_plane.publishing.publishing import Publishing
from kong_mesh_cp.usecases.data_plane.publishing.watches import Watch
from kong_mesh_cp.usecases.data_plane.publishing.worlds import Worlds
from kong_mesh_cp.usecases.data_plane.zone_proxies.offering import Offering
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_generating import ZoneProxyGenerator
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_worlds import NO_MESH, ZoneWorlds
from kong_mesh_cp.usecases.following.replica import Replica
from support.fakes.fake_resources import FakeResourceStore
from support.specs.xds_stage import RULES

EGRESS = ProxyKind.EGRESS
INGRESS = ProxyKind.INGRESS


class _Credentials:
    """One certificate for all meshes."""

    def admin_tls(self, _proxy: ConnectedProxy) -> None:
        return None

    def zone_identities(
        self, _proxy: ConnectedProxy, meshes: Iterable[str]
    ) -> Mapping[str, Identity]:
        pair = KeyPair(b"chain", b"key")
        return {each: Identity(pair=pair, authorities={each: b"authority"}) for each in meshes}

    def zone_preparation(
        self, _proxy: ConnectedProxy, _addresses: tuple[str, ...], _meshes: Iterable[str]
    ) -> Callable[[], Awaitable[object]] | None:
        return None


def zone_generator(_zone: str = NO_MESH) -> ZoneProxyGenerator:
    return ZoneProxyGenerator(GenerationTerms(), _Credentials())


def zone_proxy(name: str, kind: ProxyKind) -> ConnectedProxy:
    metadata = ProxyMetadata(admin_port=9901, readiness_port=9902)
    return ConnectedProxy(mesh=NO_MESH, name=name, metadata=metadata, kind=kind)


class ZoneStage:
    """`watches` are of the zone proxies that have joined, by name."""

    def __init__(self) -> None:
        self.store = FakeResourceStore()
        self.replica = Replica(self.store)
        self.worlds = Worlds(
            self.replica,
            rules=RULES,
            told=lambda mesh, _reached, since: self.zone_worlds.told(mesh, since),
        )
        self.zone_worlds = ZoneWorlds(
            self.worlds, self.replica, zone=RULES.zone, changed=self._changed
        )
        self.publishing = Publishing(self.zone_worlds, zone_generator)
        self.offering = Offering(
            self.store,
            lambda: self.zone_worlds.world(NO_MESH),
            is_wanted=lambda: any(
                each.proxy.kind is INGRESS for each in self.publishing.watches(NO_MESH)
            ),
            tag_prefixes=(),
            wall_clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        )
        self.watches: dict[str, Watch] = {}
        self.is_deaf = False  # publishing is told of no change

    def _changed(self, reached: Reached, is_offered: bool, since: float) -> None:
        if not self.is_deaf:
            self.publishing.take(NO_MESH, reached, since)
        if is_offered:
            self.offering.changed()

    async def start(self, nursery: trio.Nursery) -> None:
        """All but the offering, until `nursery` is cancelled."""
        for run in (
            self.replica.run,
            self.worlds.run,
            self.zone_worlds.run,
            self.publishing.run,
        ):
            nursery.start_soon(run)

    async def join(self, name: str, kind: ProxyKind) -> None:
        """Until cancelled."""
        async with self.publishing.watching(zone_proxy(name, kind)) as watch:
            self.watches[name] = watch
            try:
                await trio.sleep_forever()
            finally:
                del self.watches[name]
