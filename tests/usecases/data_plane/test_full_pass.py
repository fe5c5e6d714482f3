"""The net below publishing finds what was missed, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.discovery.snapshots import Snapshot
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.xds.generate import Generated
from kong_mesh_cp.core.xds.world import MeshWorld
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy
from kong_mesh_cp.usecases.data_plane.publishing.full_pass import (
    INTERVAL_SECONDS,
    LATE_SECONDS,
    FullPass,
)
from kong_mesh_cp.usecases.data_plane.publishing.generating import SidecarGenerator
from kong_mesh_cp.usecases.data_plane.publishing.publishing_metrics import publishing_metrics
from kong_mesh_cp.usecases.data_plane.publishing.worlds import RETRY_SECONDS
from kong_mesh_cp.usecases.ports.resource_store import Delete
from support.specs.random.random_meshes import MESH, PROXIES, RandomMesh, put_of
from support.specs.xds_stage import XdsStage

WRITES = 60

pytestmark = pytest.mark.usefixtures("autojump_clock")


def proxies_of(stage: XdsStage) -> list[str]:
    return [key.name for key in stage.store.resources if key.type == "Dataplane"]


@asynccontextmanager
async def staged() -> AsyncIterator[XdsStage]:
    stage, mesh = XdsStage(), RandomMesh(7)
    await stage.store.apply([put_of(ResourceKey("Mesh", "", MESH), {}, {})])
    while len(stage.store.log) < WRITES or len(proxies_of(stage)) < len(PROXIES) // 2:
        await stage.store.apply(mesh.writes(lambda key: key in stage.store.resources))
    async with trio.open_nursery() as nursery:
        await stage.start(nursery, PROXIES)
        nursery.start_soon(FullPass(stage.worlds, stage.publishing).run)
        await wait_all_tasks_blocked()
        yield stage
        nursery.cancel_scope.cancel()


def finds(stage: XdsStage) -> float:
    [found] = [
        each.samples[0].value
        for each in publishing_metrics(stage.publishing)
        if each.name == "kong_mesh_xds_full_pass_finds_total"
    ]
    return found


async def test_where_nothing_was_missed_it_finds_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with staged() as stage:
        caplog.clear()
        mesh = RandomMesh(8)
        for _ in range(10):
            await trio.sleep(INTERVAL_SECONDS / 3)
            await stage.store.apply(mesh.writes(lambda key: key in stage.store.resources))
        assert stage.publishing.counts.full_passes >= 2
        assert finds(stage) == 0
        assert not [each for each in caplog.records if each.levelname == "ERROR"]


async def test_what_goes_and_is_told_a_moment_late_was_not_missed() -> None:
    async with staged() as stage:
        key = next(key for key in stage.store.resources if key.type == "Dataplane")
        told = len(stage.store.log)
        stage.store._delete(Delete(key=key))
        late = stage.store.log[told:]
        del stage.store.log[told:]
        await trio.sleep(INTERVAL_SECONDS + LATE_SECONDS / 2)  # the pass has looked
        stage.store.log += late
        stage.store.changed.set()
        stage.store.changed = trio.Event()
        await trio.sleep(LATE_SECONDS)
        assert finds(stage) == 0


async def test_what_is_still_to_be_read_after_a_gap_was_not_missed() -> None:
    async with staged() as stage:
        name = next(iter(stage.watches))
        await trio.sleep(INTERVAL_SECONDS - RETRY_SECONDS / 2)
        stage.store.failure = StateError("made for this test", code="made", hint="Wait.")
        networking = {
            "address": "10.9.9.9",
            "inbound": [{"port": 9, "tags": {"kuma.io/service": "x"}}],
        }
        stage.store._put(
            put_of(ResourceKey("Dataplane", MESH, name), {"networking": networking}, {})
        )
        del stage.store.log[-2:]  # who follows has to read all anew
        stage.store.changed.set()
        stage.store.changed = trio.Event()
        await wait_all_tasks_blocked()
        stage.store.failure = None
        await trio.sleep(INTERVAL_SECONDS / 2)

        assert stage.publishing.counts.full_passes == 1
        assert finds(stage) == 0
        world = stage.worlds.world(MESH)
        assert world is not None
        found = world.dataplane(name)
        assert found is not None
        assert found.spec.networking is not None
        assert found.spec.networking.address == "10.9.9.9"


async def test_a_proxy_that_nothing_was_made_for_is_found(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with staged() as stage:
        name, watch = next(iter(stage.watches.items()))
        watch.configuration = None
        await trio.sleep(INTERVAL_SECONDS + LATE_SECONDS)

        assert watch.snapshot.by_type
        assert finds(stage) == 1
        [line] = [each.message for each in caplog.records if each.levelname == "ERROR"]
        assert line.startswith(f'xds-not-as-from-scratch: proxy "{name}" of mesh "default" ')


async def test_a_configuration_that_is_not_as_from_scratch_is_put_right_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with staged() as stage:
        name, watch = next(iter(stage.watches.items()))
        before = watch.configuration
        assert isinstance(before, Generated)
        watch.take(replace(before, snapshot=Snapshot.of({})))
        await trio.sleep(INTERVAL_SECONDS + LATE_SECONDS)

        assert watch.snapshot.by_type
        assert finds(stage) == 1
        [line] = [each.message for each in caplog.records if each.levelname == "ERROR"]
        assert line.startswith(f'xds-not-as-from-scratch: proxy "{name}" of mesh "default" ')
        await trio.sleep(INTERVAL_SECONDS + LATE_SECONDS)
        assert finds(stage) == 1


async def test_a_proxy_that_cannot_be_made_ends_no_pass(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged() as stage:
        name, *others = stage.watches
        generate = SidecarGenerator.generate

        def fails(
            self: SidecarGenerator, proxy: ConnectedProxy, world: MeshWorld
        ) -> Generated | None:
            if proxy.name == name:
                raise ZeroDivisionError("made for this test")
            return generate(self, proxy, world)

        monkeypatch.setattr(SidecarGenerator, "generate", fails)
        last = stage.watches[others[-1]]
        assert isinstance(last.configuration, Generated)
        last.take(replace(last.configuration, snapshot=Snapshot.of({})))
        await trio.sleep(2 * (INTERVAL_SECONDS + LATE_SECONDS))

        assert stage.publishing.counts.full_passes == 2
        assert last.snapshot.by_type
        assert stage.watches[name].snapshot.by_type
        lines = [each.message for each in caplog.records if each.levelname == "ERROR"]
        assert sorted(each.partition(":")[0] for each in lines) == [
            "xds-not-as-from-scratch",
            "xds-not-made",
        ]


async def test_a_change_that_was_never_told_is_read_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with staged() as stage:
        name, watch = next(iter(stage.watches.items()))
        await watch.changed()
        key = ResourceKey("Dataplane", MESH, name)
        told = len(stage.store.log)
        networking = {
            "address": "10.9.9.9",
            "inbound": [{"port": 9, "tags": {"kuma.io/service": "x"}}],
        }
        stage.store._put(put_of(key, {"networking": networking}, {}))
        del stage.store.log[told:]
        await trio.sleep(INTERVAL_SECONDS + 2 * LATE_SECONDS)

        with trio.fail_after(1):
            await watch.changed()
        assert finds(stage) == 1
        [line] = [each.message for each in caplog.records if each.levelname == "ERROR"]
        assert line.startswith(f'xds-change-missed: Dataplane "{name}" of mesh "default" ')
