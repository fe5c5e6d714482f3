"""Incremental is as from scratch: worlds, their indexes, and what connected proxies are told.

KMESH_TEST_WORLD_SEQUENCES sequences of random writes (more than the normal run's on demand), from
KMESH_TEST_SEED. After each of them the mesh that is kept equals the one that is read anew, and each
proxy's snapshot the one that is made of it with nothing remembered.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.discovery.snapshots import Snapshot
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.xds.indexed_mesh import IndexedMesh, WorldRules, indexed_mesh
from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from kong_mesh_cp.core.xds.proxy_view import GenerationTerms, Identity, KeyPair
from kong_mesh_cp.core.xds.world import MeshWorld
from kong_mesh_cp.usecases.data_plane.generating import SidecarGenerator
from kong_mesh_cp.usecases.data_plane.publishing import REST_SECONDS_MAX, Publishing
from kong_mesh_cp.usecases.data_plane.stream_ports import ConnectedProxy
from kong_mesh_cp.usecases.data_plane.watches import Watch
from kong_mesh_cp.usecases.data_plane.worlds import Worlds, read_items
from kong_mesh_cp.usecases.following.replica import Replica
from support.fakes.fake_resources import FakeResourceStore
from support.specs.random_meshes import MESH, PROXIES, RandomMesh, put_of

SEQUENCES = int(os.environ.get("KMESH_TEST_WORLD_SEQUENCES", "60"))
SEED = int(os.environ.get("KMESH_TEST_SEED", "20261130"))
WRITES_MAX = 8  # transactions in a sequence
RULES = WorldRules(zone="default", domain="mesh", service_port=80)


class _Credentials:
    """One certificate for all, where there is mTLS."""

    def admin_tls(self, _proxy: ConnectedProxy) -> None:
        return None

    def identity(self, _proxy: ConnectedProxy, world: MeshWorld) -> Identity | None:
        if world.authority is None:
            return None
        return Identity(pair=KeyPair(b"chain", b"key"), authorities={world.name: b"authority"})

    def preparation(
        self, _proxy: ConnectedProxy, _world: MeshWorld
    ) -> Callable[[], Awaitable[object]] | None:
        return None


def generator(_mesh: str = MESH) -> SidecarGenerator:
    return SidecarGenerator(GenerationTerms(), _Credentials())


def proxy(name: str) -> ConnectedProxy:
    metadata = ProxyMetadata(admin_port=9901, dns_port=15053, readiness_port=9902)
    return ConnectedProxy(mesh=MESH, name=name, metadata=metadata)


def shown(snapshot: Snapshot) -> Mapping[str, Mapping[str, bytes]]:
    return {
        url: {name: each.packed for name, each in found.resources.items()}
        for url, found in snapshot.by_type.items()
        if found.resources
    }


def said(index: IndexedMesh) -> dict[str, Any]:
    """All that is in it, as values that can be compared."""
    world = index.world
    found: dict[str, Any] = {
        each.name: getattr(index, each.name) for each in fields(index) if each.name != "world"
    }
    found |= {
        f"world.{each.name}": getattr(world, each.name)
        for each in fields(world)
        if each.name != "policies"
    }
    found["policies"] = world.policies.policies
    found["gateways"] = world.policies.gateways
    found["destinations"] = world.policies.destinations._by_id
    return found


class _Stage:
    def __init__(self) -> None:
        self.store = FakeResourceStore()
        self.replica = Replica(self.store)
        self.worlds = Worlds(self.replica, rules=RULES, told=self._told)
        self.publishing = Publishing(self.worlds, generator)
        self.watches: dict[str, Watch] = {}

    def _told(self, mesh: str, reached: Any, since: float) -> None:
        self.publishing.take(mesh, reached, since)

    async def join(self, name: str, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async with self.publishing.watching(proxy(name)) as watch:
            self.watches[name] = watch
            await trio.sleep_forever()

    async def from_scratch(self) -> IndexedMesh | None:
        stored = await self.worlds.stored(MESH)
        items = await read_items([*stored.values()])
        mesh = items.pop(ResourceKey("Mesh", "", MESH), None)
        return None if mesh is None else indexed_mesh(mesh, items.values(), RULES)  # type: ignore[arg-type]

    async def check(self, context: str) -> None:
        await wait_all_tasks_blocked()
        await trio.sleep(REST_SECONDS_MAX)
        scratch, kept = await self.from_scratch(), self.worlds.index(MESH)
        assert (scratch is None) == (kept is None), context
        if scratch is None or kept is None:
            return
        told, expected = said(kept), said(scratch)
        bad = [name for name in expected if told[name] != expected[name]]
        if bad:
            log = self.store.log[-12:]
            print([(c.key, c.kind, c.version) for c in log])
            print(
                self.worlds._live[MESH].versions.keys() ^ (await self.worlds.stored(MESH)).keys(),
                self.worlds._live[MESH].changed,
            )
            for b in bad:
                print(b, str(told[b])[:900], "\n   EXP", str(expected[b])[:900])
        assert {name for name in expected if told[name] != expected[name]} == set(), context
        fresh = generator()
        for name, watch in self.watches.items():
            made = fresh.generate(proxy(name), scratch.world)
            if made is None:
                continue  # its Dataplane is gone, and it keeps what it has
            assert shown(watch.snapshot) == shown(made.snapshot), f"{context}: {name}"
            assert watch.complaints == made.complaints, f"{context}: {name}"
            assert set(watch.configuration.services) == set(made.services)  # type: ignore[union-attr]


@pytest.mark.usefixtures("autojump_clock")
async def test_after_any_writes_all_is_as_if_it_were_made_from_scratch() -> None:
    stage, random, mesh = _Stage(), Random(SEED), RandomMesh(SEED)
    key = ResourceKey("Mesh", "", MESH)
    await stage.store.apply([put_of(key, {}, {})])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.replica.run)
        nursery.start_soon(stage.worlds.run)
        nursery.start_soon(stage.publishing.run)
        for name in PROXIES:
            await nursery.start(
                lambda task_status, name=name: stage.join(name, task_status=task_status)
            )
        for sequence in range(SEQUENCES):
            for _ in range(random.randint(1, WRITES_MAX)):
                await stage.store.apply(mesh.writes(lambda key: key in stage.store.resources))
                if random.random() < 0.5:
                    await wait_all_tasks_blocked()
            await stage.check(f"KMESH_TEST_SEED={SEED}, sequence {sequence}")
        assert set(stage.watches) == set(PROXIES)
        nursery.cancel_scope.cancel()
