"""Secrets lie in the store sealed, and come out of it as they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.identity.secrets_at_rest import SECRET_BYTES_MAX, SecretKeys
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.store.sealed_resources import SealedResources, holds_sealed
from kong_mesh_cp.shell.store.secret_key import new_secret_key
from kong_mesh_cp.shell.store.sqlite.store import open_store
from kong_mesh_cp.usecases.ports.resource_store import Delete, Selection, TooLargeError
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.resources import mesh, policy, put

GLOBAL = ResourceKey("GlobalSecret", "", "user-token-signing-key-1")
IN_MESH = ResourceKey("Secret", "m", "s")
SPEC = '{"data": "c2VjcmV0"}'


def keys() -> SecretKeys:
    return SecretKeys((new_secret_key(),))


@pytest.mark.parametrize("key", [GLOBAL, IN_MESH])
async def test_a_secret_comes_back_letter_for_letter(key: ResourceKey) -> None:
    store = FakeResourceStore()
    sealed = SealedResources(store, keys())
    await sealed.apply([put(mesh("m")), put(key, SPEC, labels={"a": "b"})])
    found = await sealed.get(key)
    assert found is not None
    assert (found.spec, found.labels, found.version) == (SPEC, {"a": "b"}, 1)
    assert await sealed.get_many([key, mesh("m")]) == {
        key: found,
        mesh("m"): await sealed.get(mesh("m")),
    }
    page = await sealed.list(Selection(type=key.type))
    assert (page.items, page.total) == ((found,), 1)
    assert "c2VjcmV0" not in store.resources[key].spec


async def test_the_same_secret_never_looks_the_same() -> None:
    store = FakeResourceStore()
    sealed = SealedResources(store, keys())
    await sealed.apply([put(GLOBAL, SPEC)])
    first = store.resources[GLOBAL].spec
    await sealed.apply([put(GLOBAL, SPEC)])
    assert store.resources[GLOBAL].spec != first


async def test_what_is_no_secret_is_not_touched() -> None:
    store = FakeResourceStore()
    sealed = SealedResources(store, keys())
    await sealed.apply([put(mesh("m"), '{"sealed":"kmesh-sealed:1:x"}'), put(policy("a"))])
    assert store.resources[mesh("m")].spec == '{"sealed":"kmesh-sealed:1:x"}'
    assert await sealed.get(mesh("m")) == store.resources[mesh("m")]
    await sealed.apply([Delete(key=policy("a"))])
    assert await sealed.get(policy("a")) is None
    assert await sealed.revision() == 3


async def test_a_secret_that_lies_there_unsealed_is_sealed_when_it_is_written_again() -> None:
    store = FakeResourceStore()
    await store.apply([put(GLOBAL, SPEC)])
    assert not await holds_sealed(store)
    sealed = SealedResources(store, keys())
    found = await sealed.get(GLOBAL)
    assert found is not None
    assert found.spec == SPEC
    await sealed.apply([put(GLOBAL, found.spec)])
    assert await holds_sealed(store)


async def test_a_secret_is_looked_for_beyond_the_first_page() -> None:
    store = FakeResourceStore()
    await store.apply([put(GLOBAL._replace(name=f"a-{number:03}"), SPEC) for number in range(150)])
    assert not await holds_sealed(store)
    await SealedResources(store, keys()).apply([put(GLOBAL._replace(name="b"), SPEC)])
    assert await holds_sealed(store)


async def test_without_its_key_a_secret_is_a_failure_of_the_store() -> None:
    store = FakeResourceStore()
    await SealedResources(store, keys()).apply([put(GLOBAL, SPEC)])
    with pytest.raises(StateError) as caught:
        await SealedResources(store, keys()).get(GLOBAL)
    assert caught.value.code == "secret-key-unknown"


async def test_a_secret_is_none_at_another_place() -> None:
    store = FakeResourceStore()
    sealed = SealedResources(store, keys())
    await sealed.apply([put(GLOBAL, SPEC)])
    moved = GLOBAL._replace(name="other")
    store.resources[moved] = replace(store.resources[GLOBAL], key=moved)
    with pytest.raises(StateError) as caught:
        await sealed.list(Selection(type=GLOBAL.type))
    assert caught.value.code == "secret-damaged"


async def test_a_secret_that_is_too_large_is_refused() -> None:
    sealed = SealedResources(FakeResourceStore(), keys())
    with pytest.raises(TooLargeError) as caught:
        await sealed.apply([put(GLOBAL, '{"data":"' + "x" * SECRET_BYTES_MAX + '"}')])
    assert (caught.value.key, caught.value.most) == (GLOBAL, SECRET_BYTES_MAX)
    assert caught.value.found == SECRET_BYTES_MAX + len('{"data":""}')


async def test_no_file_of_the_store_holds_the_secret(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.db") as store:
        sealed = SealedResources(store.resources, keys())
        await sealed.apply([put(GLOBAL, SPEC)])
        assert (await sealed.list(Selection(type=GLOBAL.type))).items[0].spec == SPEC
        for file in tmp_path.iterdir():
            assert b"c2VjcmV0" not in file.read_bytes(), file


async def test_pages_that_are_read_together_are_open(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.db") as store:
        sealed = SealedResources(store.resources, keys())
        await sealed.apply([put(GLOBAL, SPEC), put(policy("p"), SPEC)])

        secrets, policies = await sealed.list_together(
            [Selection(type="GlobalSecret"), Selection(type="MeshTimeout")]
        )

        assert [(each.key, each.spec) for each in secrets.items] == [(GLOBAL, SPEC)]
        assert [(each.key, each.spec) for each in policies.items] == [(policy("p"), SPEC)]
        (kept,) = await store.resources.list_together([Selection(type="GlobalSecret")])
        assert SPEC not in kept.items[0].spec
