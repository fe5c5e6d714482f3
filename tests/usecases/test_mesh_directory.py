"""Which meshes exist, as admissions see it."""

from __future__ import annotations

import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.mesh_directory import StoredMeshes
from kong_mesh_cp.usecases.resource_ports import Delete
from support.fake_resources import FakeResourceStore
from support.resources import mesh, put


async def test_it_follows_what_is_made_and_deleted() -> None:
    store = FakeResourceStore()
    await store.apply([put(mesh("a"))])
    meshes = StoredMeshes(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(meshes.follow)
        await wait_all_tasks_blocked()
        assert meshes.names() == ("a",)
        await store.apply([put(mesh("b")), put(ResourceKey("Zone", "", "east"))])
        await wait_all_tasks_blocked()
        assert meshes.names() == ("a", "b")
        await store.apply([Delete(key=mesh("a"))])
        await wait_all_tasks_blocked()
        assert meshes.names() == ("b",)
        nursery.cancel_scope.cancel()


async def test_a_mesh_that_a_start_is_about_to_make_counts_until_that_is_over() -> None:
    store = FakeResourceStore()
    meshes = StoredMeshes(store, awaited=["default"])
    assert meshes.names() == ("default",)
    await meshes.read()
    assert meshes.names() == ("default",)
    await meshes.settle()
    assert meshes.names() == ()
    await store.apply([put(mesh("default"))])
    await meshes.read()
    assert meshes.names() == ("default",)
