"""Incremental is as from scratch: worlds, their indexes, and what connected proxies are told.

KMESH_TEST_WORLD_SEQUENCES sequences of random writes (more than the normal run's on demand), from
KMESH_TEST_SEED. After each of them the mesh that is kept equals the one that is read anew, and each
proxy's snapshot the one that is made of it with nothing remembered. Models of Envoy, one for state
of the world and one for Delta, follow each proxy, with messages under way as chance will have it:
in the end they have what the snapshot says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from random import Random
from typing import Any

import pytest
import trio
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from google.protobuf import any_pb2
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.discovery.snapshots import Resource, Snapshot
from kong_mesh_cp.core.discovery.type_order import CLUSTERS, ENDPOINTS, LISTENERS, SECRETS
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.xds.indexed_mesh import IndexedMesh, indexed_mesh
from kong_mesh_cp.usecases.data_plane.mesh_contents import read_items
from kong_mesh_cp.usecases.data_plane.publishing.publishing import REST_SECONDS_MAX
from kong_mesh_cp.usecases.data_plane.publishing.watches import Watch
from support.specs.random.random_meshes import MESH, PROXIES, RandomMesh, put_of
from support.specs.xds_stage import RULES, XdsStage, generator, proxy
from support.suites.envoy_model import EnvoyModel, Exchange

SEQUENCES = int(os.environ.get("KMESH_TEST_WORLD_SEQUENCES", "60"))
SEED = int(os.environ.get("KMESH_TEST_SEED", "20261130"))
SECRET_NAME = re.compile(rb"(?:identity_cert|mesh_ca):secret:[a-z]+")
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


@cache
def referred(url: str, packed: bytes) -> dict[str, tuple[str, ...]]:
    """What a cluster or a listener refers to, by type URL."""
    found = {SECRETS: tuple(each.decode() for each in {*SECRET_NAME.findall(packed)})}
    if url == CLUSTERS:
        cluster = Cluster.FromString(any_pb2.Any.FromString(packed).value)
        if cluster.type == Cluster.EDS:
            found[ENDPOINTS] = (cluster.name,)
    return found


def _referred(url: str, resource: Resource) -> Mapping[str, tuple[str, ...]]:
    return referred(url, resource.packed)


class _Envoys:
    """Two models of Envoy for each proxy, on streams that publish what its watch says."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._exchanges: dict[tuple[str, bool], Exchange] = {}

    def publish(self, watches: Mapping[str, Watch]) -> None:
        """Now or later: a stream takes the newest when its turn comes."""
        for name, watch in watches.items():
            for delta in (False, True):
                key = (name, delta)
                if key not in self._exchanges:
                    self._exchanges[key] = Exchange(EnvoyModel(_referred, delta=delta))
                exchange = self._exchanges[key]
                if exchange.snapshot is not watch.snapshot:
                    exchange.publish(watch.snapshot)

    def deliver_some(self) -> None:
        for exchange in self._exchanges.values():
            for _ in range(self._random.randrange(4)):
                if self._random.random() < 0.5:
                    exchange.deliver_request()
                else:
                    exchange.deliver_response()

    def check(self, watches: Mapping[str, Watch], context: str) -> None:
        self.publish(watches)
        for (name, delta), exchange in self._exchanges.items():
            exchange.settle()
            envoy, snapshot = exchange.envoy, watches[name].snapshot
            for url in (CLUSTERS, ENDPOINTS, LISTENERS, SECRETS):
                has, expected = dict(envoy.has[url]), envoy.expected(snapshot, url)
                assert has == expected, f"{context}: {name}, delta={delta}, {url}"


@pytest.mark.usefixtures("autojump_clock")
async def test_after_any_writes_all_is_as_if_it_were_made_from_scratch() -> None:
    stage, random, mesh = XdsStage(), Random(SEED), RandomMesh(SEED)
    envoys = _Envoys(random)
    key = ResourceKey("Mesh", "", MESH)
    await stage.store.apply([put_of(key, {}, {})])
    async with trio.open_nursery() as nursery:
        await stage.start(nursery, PROXIES)
        for sequence in range(SEQUENCES):
            for _ in range(random.randint(1, WRITES_MAX)):
                await stage.store.apply(mesh.writes(lambda key: key in stage.store.resources))
                if random.random() < 0.5:
                    await wait_all_tasks_blocked()
                    envoys.publish(stage.watches)
                envoys.deliver_some()
            await check(stage, f"KMESH_TEST_SEED={SEED}, sequence {sequence}")
            envoys.check(stage.watches, f"KMESH_TEST_SEED={SEED}, sequence {sequence}")
        assert set(stage.watches) == set(PROXIES)
        nursery.cancel_scope.cancel()
