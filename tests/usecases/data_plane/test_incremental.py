"""Incremental is as from scratch: worlds, their indexes, and what connected proxies are told.

KMESH_TEST_WORLD_SEQUENCES sequences of random writes (more than the normal run's on demand), from
KMESH_TEST_SEED. After each of them the mesh that is kept equals the one that is read anew, and each
proxy's snapshot the one that is made of it with nothing remembered.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.discovery.snapshots import Snapshot
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.xds.indexed_mesh import IndexedMesh, indexed_mesh
from kong_mesh_cp.usecases.data_plane.publishing import REST_SECONDS_MAX
from kong_mesh_cp.usecases.data_plane.worlds import read_items
from support.specs.random_meshes import MESH, PROXIES, RandomMesh, put_of
from support.specs.xds_stage import RULES, XdsStage, generator, proxy

SEQUENCES = int(os.environ.get("KMESH_TEST_WORLD_SEQUENCES", "60"))
SEED = int(os.environ.get("KMESH_TEST_SEED", "20261130"))
WRITES_MAX = 8  # transactions in a sequence


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


async def from_scratch(stage: XdsStage) -> IndexedMesh | None:
    stored = await stage.worlds.stored(MESH)
    items = await read_items([*stored.values()])
    mesh = items.pop(ResourceKey("Mesh", "", MESH), None)
    return None if mesh is None else indexed_mesh(mesh, items.values(), RULES)  # type: ignore[arg-type]


async def check(stage: XdsStage, context: str) -> None:
    await wait_all_tasks_blocked()
    await trio.sleep(REST_SECONDS_MAX)
    scratch, kept = await from_scratch(stage), stage.worlds.index(MESH)
    assert (scratch is None) == (kept is None), context
    if scratch is None or kept is None:
        return
    told, expected = said(kept), said(scratch)
    assert {name for name in expected if told[name] != expected[name]} == set(), context
    fresh = generator()
    for name, watch in stage.watches.items():
        made = fresh.generate(proxy(name), scratch.world)
        if made is None:
            continue  # its Dataplane is gone, and it keeps what it has
        assert shown(watch.snapshot) == shown(made.snapshot), f"{context}: {name}"
        assert watch.complaints == made.complaints, f"{context}: {name}"
        assert set(watch.configuration.services) == set(made.services)  # type: ignore[union-attr]


@pytest.mark.usefixtures("autojump_clock")
async def test_after_any_writes_all_is_as_if_it_were_made_from_scratch() -> None:
    stage, random, mesh = XdsStage(), Random(SEED), RandomMesh(SEED)
    key = ResourceKey("Mesh", "", MESH)
    await stage.store.apply([put_of(key, {}, {})])
    async with trio.open_nursery() as nursery:
        await stage.start(nursery, PROXIES)
        for sequence in range(SEQUENCES):
            for _ in range(random.randint(1, WRITES_MAX)):
                await stage.store.apply(mesh.writes(lambda key: key in stage.store.resources))
                if random.random() < 0.5:
                    await wait_all_tasks_blocked()
            await check(stage, f"KMESH_TEST_SEED={SEED}, sequence {sequence}")
        assert set(stage.watches) == set(PROXIES)
        nursery.cancel_scope.cancel()
