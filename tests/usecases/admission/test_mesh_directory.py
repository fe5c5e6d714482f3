"""Which meshes exist, as admissions see it."""

from __future__ import annotations

import json

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.admission.mesh_directory import StoredMeshes
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import Delete, Put
from support.fakes.admission import proxies
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.resources import mesh, put


async def test_it_follows_what_is_made_and_deleted() -> None:
    store = FakeResourceStore()
    await store.apply([put(mesh("a"))])
    replica = Replica(store)
    meshes = StoredMeshes(replica)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
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


async def test_a_mesh_that_was_made_a_moment_ago_is_looked_up() -> None:
    store = FakeResourceStore()
    meshes = StoredMeshes(Replica(store))
    await meshes.read()
    assert not await meshes.exists("a")
    await store.apply([put(mesh("a"))])
    assert meshes.names() == ()
    assert await meshes.exists("a")
    assert meshes.names() == ("a",)


async def test_a_store_that_cannot_say_whether_there_is_a_mesh_has_none_of_that_name() -> None:
    store = FakeResourceStore()
    await store.apply([put(mesh("a"))])
    meshes = StoredMeshes(Replica(store))
    await meshes.read()
    store.failure = StateError("it does not answer", code="store-down", hint="Start it.")
    assert await meshes.exists("a")
    assert not await meshes.exists("b")


async def test_a_mesh_that_a_start_is_about_to_make_counts_until_that_is_over() -> None:
    store = FakeResourceStore()
    meshes = StoredMeshes(Replica(store), awaited=["default"])
    assert meshes.names() == ("default",)
    await meshes.read()
    assert meshes.names() == ("default",)
    await meshes.settle()
    assert meshes.names() == ()
    await store.apply([put(mesh("default"))])
    await meshes.read()
    assert meshes.names() == ("default",)


def constrained(name: str, **proxy_constraints: object) -> Put:
    return put(mesh(name), json.dumps({"constraints": {"dataplaneProxy": proxy_constraints}}))


async def test_constraints_are_read_at_the_start_and_followed() -> None:
    payments, legacy = {"team": "payments"}, {"team": "legacy"}
    store = FakeResourceStore()
    await store.apply([constrained("a", requirements=[{"tags": payments}]), put(mesh("b"))])
    replica = Replica(store)
    meshes = StoredMeshes(replica)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        nursery.start_soon(meshes.follow)
        await wait_all_tasks_blocked()
        assert meshes.constraints("a") == proxies(require=[payments])
        assert meshes.constraints("b") is None
        await store.apply([constrained("b", restrictions=[{"tags": legacy}]), put(mesh("a"))])
        await wait_all_tasks_blocked()
        assert meshes.constraints("a") is None
        assert meshes.constraints("b") == proxies(forbid=[legacy])
        await store.apply([Delete(key=mesh("b"))])
        await wait_all_tasks_blocked()
        assert meshes.constraints("b") is None
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("document", ["{}", '{"constraints":{}}'])
async def test_a_mesh_without_constraints_has_none(document: str) -> None:
    store = FakeResourceStore()
    await store.apply([put(mesh("a"), document)])
    meshes = StoredMeshes(Replica(store))
    await meshes.read()
    assert meshes.names() == ("a",)
    assert meshes.constraints("a") is None


async def test_a_mesh_with_impossible_constraints_is_logged_and_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = FakeResourceStore()
    await store.apply([put(mesh("a"), '{"constraints":[1]}'), put(mesh("b"))])
    meshes = StoredMeshes(Replica(store))
    await meshes.read()
    await meshes.read()
    assert meshes.names() == ("b",)
    (line,) = caplog.messages
    assert line.startswith('store-mesh-unreadable: the constraints of mesh "a" cannot be read: ')

    await store.apply([put(mesh("a"))])
    await meshes.read()
    assert meshes.names() == ("a", "b")
