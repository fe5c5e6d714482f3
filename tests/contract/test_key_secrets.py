"""What every implementation of KeySecrets does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.identity.key_secrets import StoredKeySecrets
from kong_mesh_cp.usecases.ports.resource_store import NotFoundError, StoredResource
from kong_mesh_cp.usecases.ports.secrets import KeySecrets
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.key_secrets import FakeKeySecrets
from support.fakes.resources import AT

GLOBAL = ResourceKey("GlobalSecret", "", "user-token-signing-key-1")
IN_MESH = ResourceKey("Secret", "default", "dataplane-token-signing-key-default-1")


def _among_resources() -> KeySecrets:
    mesh = ResourceKey("Mesh", "", "default")
    stored = StoredResource(key=mesh, version=1, spec="{}", created_at=AT, modified_at=AT)
    return StoredKeySecrets(FakeResourceStore({mesh: stored}), lambda: AT)


# Each makes secrets of a control plane that has the mesh `default` and nothing else.
IMPLEMENTATIONS: dict[str, Callable[[], KeySecrets]] = {
    "fake": lambda: FakeKeySecrets("default"),
    "among-resources": _among_resources,
}


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def secrets(request: pytest.FixtureRequest) -> KeySecrets:
    return IMPLEMENTATIONS[request.param]()


@pytest.mark.parametrize("key", [GLOBAL, IN_MESH])
async def test_what_was_put_is_got(secrets: KeySecrets, key: ResourceKey) -> None:
    assert await secrets.get(key) is None
    assert await secrets.put(key, b"\0data\xff", expected=None)
    assert await secrets.get(key) == b"\0data\xff"


async def test_a_secret_that_is_there_is_not_made_anew(secrets: KeySecrets) -> None:
    assert await secrets.put(GLOBAL, b"one", expected=None)
    assert not await secrets.put(GLOBAL, b"two", expected=None)
    assert await secrets.get(GLOBAL) == b"one"


async def test_a_secret_is_replaced_only_from_what_was_expected(secrets: KeySecrets) -> None:
    assert not await secrets.put(GLOBAL, b"two", expected=b"one")
    assert await secrets.get(GLOBAL) is None
    assert await secrets.put(GLOBAL, b"one", expected=None)
    assert not await secrets.put(GLOBAL, b"three", expected=b"two")
    assert await secrets.put(GLOBAL, b"two", expected=b"one")
    assert await secrets.get(GLOBAL) == b"two"


async def test_an_empty_secret_is_not_an_absent_one(secrets: KeySecrets) -> None:
    assert await secrets.put(GLOBAL, b"", expected=None)
    assert await secrets.get(GLOBAL) == b""
    assert not await secrets.put(GLOBAL, b"x", expected=None)
    assert await secrets.put(GLOBAL, b"x", expected=b"")


async def test_names_are_those_of_one_type_and_mesh_sorted(secrets: KeySecrets) -> None:
    for name in ("b-2", "b-1", "a-1", "c"):
        await secrets.put(GLOBAL._replace(name=name), b"x", expected=None)
    await secrets.put(IN_MESH._replace(name="b-3"), b"x", expected=None)
    assert list(await secrets.names("GlobalSecret", "", "b-")) == ["b-1", "b-2"]
    assert list(await secrets.names("GlobalSecret", "", "")) == ["a-1", "b-1", "b-2", "c"]
    assert list(await secrets.names("Secret", "default", "b-")) == ["b-3"]
    assert list(await secrets.names("Secret", "other", "")) == []


async def test_a_secret_keeps_the_time_it_was_made(secrets: KeySecrets) -> None:
    assert await secrets.made_at(GLOBAL) is None
    await secrets.put(GLOBAL, b"one", expected=None)
    made = await secrets.made_at(GLOBAL)
    assert made is not None
    assert made.utcoffset() == timedelta()
    await secrets.put(GLOBAL, b"two", expected=b"one")
    assert await secrets.made_at(GLOBAL) == made
    await secrets.delete(GLOBAL)
    assert await secrets.made_at(GLOBAL) is None


async def test_a_deleted_secret_is_gone(secrets: KeySecrets) -> None:
    await secrets.put(GLOBAL, b"x", expected=None)
    assert await secrets.delete(GLOBAL)
    assert not await secrets.delete(GLOBAL)
    assert await secrets.get(GLOBAL) is None
    assert await secrets.put(GLOBAL, b"y", expected=None)


async def test_a_mesh_that_does_not_exist_keeps_no_secrets(secrets: KeySecrets) -> None:
    with pytest.raises(NotFoundError):
        await secrets.put(IN_MESH._replace(mesh="nowhere"), b"x", expected=None)
