"""Writes of one thing that meet: each ends as what it is when its turn comes."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

import pytest

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.usecases.ports.resource_store import Put, StoredResource
from kong_mesh_cp.usecases.resources.reader import mesh_key
from kong_mesh_cp.usecases.resources.resource_refusals import Fault, ResourceRefusedError
from kong_mesh_cp.usecases.resources.writer import ATTEMPTS_MAX
from support.daemons.resource_api import AT, ResourceApi, networking
from support.fakes.fake_resources import FakeResourceStore
from support.specs.sound_resources import SOUND


@dataclass
class RacedStore(FakeResourceStore):
    """Others write `rival` after each look at it, as often as there are `writes_left`."""

    rival: Put | None = None
    writes_left: int = 0

    async def get(self, key: ResourceKey) -> StoredResource | None:
        return (await self.get_many([key])).get(key)

    async def get_many(self, keys: Collection[ResourceKey]) -> dict[ResourceKey, StoredResource]:
        found = await super().get_many(keys)
        if self.rival is not None and self.rival.key in keys and self.writes_left:
            self.writes_left -= 1
            await self.apply([self.rival])
        return found


async def api_with_mesh() -> tuple[ResourceApi, RacedStore]:
    store = RacedStore()
    api = ResourceApi(store=store)
    await api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    return api, store


def rival_of(stored: StoredResource) -> Put:
    return Put(key=stored.key, spec=stored.spec, at=AT, owner=stored.owner)


@pytest.mark.parametrize("type_name", sorted(SOUND))
async def test_a_write_that_meets_another_creator_ends_as_the_update_it_is(type_name: str) -> None:
    api, store = await api_with_mesh()
    mesh = "m" if TYPES[type_name].is_mesh_scoped else ""
    body = {"type": type_name, "name": "a", **({"mesh": mesh} if mesh else {}), **SOUND[type_name]}
    sent = json.dumps(body).encode()
    key = ResourceKey(type_name, mesh, "a")
    assert (await api.send(type_name, "a", sent, mesh=mesh)).created
    store.rival = rival_of(store.resources[key])
    await api.delete(type_name, "a", mesh=mesh)

    store.writes_left = 3
    written = await api.send(type_name, "a", sent, mesh=mesh)

    assert not written.created, "another has made it"
    assert store.writes_left == 0
    assert store.resources[key].version == 3 + 1


async def test_a_write_that_meets_others_is_judged_by_what_they_have_left() -> None:
    api, store = await api_with_mesh()
    store.rival, store.writes_left = Put(key=mesh_key("new"), spec="{}", at=AT), 1
    await api.put("Mesh", "new")
    assert await api.names("MeshTimeout", "new") == [], "only who makes a mesh makes its policies"


async def test_a_writer_who_is_never_the_first_hears_of_the_conflict() -> None:
    api, store = await api_with_mesh()
    store.rival = Put(key=ResourceKey("Dataplane", "m", "dp"), spec="{}", at=AT)
    store.writes_left = ATTEMPTS_MAX

    with pytest.raises(ResourceRefusedError) as error:
        await api.put("Dataplane", "dp", mesh="m", networking=networking())

    assert error.value.fault is Fault.CONFLICT
    assert error.value.detail == 'resource conflict: type="Dataplane" name="dp" mesh="m"'
    assert store.writes_left == 0
