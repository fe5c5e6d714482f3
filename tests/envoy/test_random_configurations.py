"""The real Envoy takes what is generated of random meshes (`--mode validate`).

KMESH_TEST_ENVOY_SAMPLE configurations (more than the normal run's on demand), from KMESH_TEST_SEED:
after random writes of all kinds, those of the proxies that are there then.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from kong_mesh_cp.core.discovery.snapshots import Snapshot
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.xds.indexed_mesh import indexed_mesh
from kong_mesh_cp.core.xds.names import CLUSTER, DIRECT_ACCESS, LISTENER
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy
from kong_mesh_cp.usecases.data_plane.mesh_contents import read_items, stored_of_mesh
from support.data_plane.envoy_binary import envoy_binary
from support.fakes.fake_resources import FakeResourceStore
from support.specs.random.random_meshes import MESH, PROXIES, RandomMesh, put_of
from support.specs.xds_stage import RULES, generator, proxy
from support.suites.envoy_validation import complaint

SAMPLE: Final = int(os.environ.get("KMESH_TEST_ENVOY_SAMPLE", "12"))
SEED: Final = int(os.environ.get("KMESH_TEST_SEED", "20261130"))
WRITES: Final = 12  # between two samples
SHOWN_CHARACTERS: Final = 3000  # of what Envoy says, whose reason stands at the end

TAKEN_FOR_GRANTED: Final = (
    # Checks of two kinds of one service: newer Envoys want names, which the original and the Envoys
    # of its days do not have.
    "health check at index 0 is missing a name",
    # The secrets of random ExternalServices are no certificates.
    "Failed to load trusted CA certificates from <inline>",
)


async def test_the_real_envoy_takes_what_is_generated_of_random_meshes(tmp_path: Path) -> None:
    binary, made = envoy_binary(), await _made(SAMPLE)
    refused = [
        f"{context}: {said[-SHOWN_CHARACTERS:]}"
        for context, snapshot in made.items()
        if (said := complaint(binary, tmp_path, snapshot))
        and not any(each in said for each in TAKEN_FOR_GRANTED)
    ]
    assert not refused, "\n\n".join(refused)
    assert len(made) == SAMPLE


def _proxy(name: str) -> ConnectedProxy:
    found = proxy(name)
    return replace(found, metadata=replace(found.metadata, admin_address="127.0.0.1"))


async def _made(count: int) -> dict[str, Snapshot]:
    """Configurations that differ, by where they come from."""
    store, mesh, found = FakeResourceStore(), RandomMesh(SEED), dict[str, Snapshot]()
    await store.apply([put_of(ResourceKey("Mesh", "", MESH), {}, {})])
    seen = set[object]()
    while len(found) < count:
        for _ in range(WRITES):
            await store.apply(mesh.writes(lambda key: key in store.resources))
        items = await read_items([*(await stored_of_mesh(store, MESH)).values()])
        own = items.pop(ResourceKey("Mesh", "", MESH))
        world = indexed_mesh(own, items.values(), RULES).world  # type: ignore[arg-type]
        for name in PROXIES:
            generated = generator().generate(_proxy(name), world)
            if generated is None or len(found) == count:
                continue
            snapshot = _judged(generated.snapshot)
            key = tuple(snapshot.of_type(url).version for url in (CLUSTER, LISTENER))
            if snapshot.of_type(LISTENER).resources and key not in seen:
                seen.add(key)
                found[f"KMESH_TEST_SEED={SEED}, {name}, number {len(found)}"] = snapshot
    return found


def _judged(snapshot: Snapshot) -> Snapshot:
    """Without what Envoy cannot judge here: secrets, which are none; Kafka's filter, which its own
    builds do not have; a cluster of any host that asks ADS for secrets before there is ADS.
    """
    return Snapshot.of(
        {
            CLUSTER: [
                each
                for each in snapshot.of_type(CLUSTER).resources.values()
                if each.name != DIRECT_ACCESS
            ],
            LISTENER: [
                each
                for each in snapshot.of_type(LISTENER).resources.values()
                if b"kafka_broker" not in each.packed
            ],
        }
    )
