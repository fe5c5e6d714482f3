"""The key that seals secrets is rotated and retired while the store is in use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.identity.secrets_at_rest import SecretKey, SecretKeyError, SecretKeys
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.store.sealed_documents import Rewrite, SealedRows
from kong_mesh_cp.shell.store.sealed_resources import SealedResources
from kong_mesh_cp.shell.store.sealing_key import SealingKeyFile
from kong_mesh_cp.shell.store.secret_key import find_secret_keys, load_secret_keys
from kong_mesh_cp.shell.store.sqlite.resources import SqliteResources
from kong_mesh_cp.shell.store.sqlite.store import open_store
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore
from kong_mesh_cp.usecases.ports.secrets import SealingKeyUse
from support.fakes.resources import mesh, put

SECRETS = [
    ResourceKey("GlobalSecret", "", "user-token-signing-key-1"),
    ResourceKey("GlobalSecret", "", "b"),
    ResourceKey("Secret", "m", "c"),
]


def spec(key: ResourceKey) -> str:
    return f'{{"data": "{key.name}"}}'


@dataclass
class Opened:
    """A store of a control plane, as a start opens it."""

    resources: SealedResources
    rows: SqliteResources
    sealing: SealingKeyFile
    directory: Path

    async def readable(self) -> None:
        """Every secret is there and says what was written."""
        found = await self.resources.get_many(SECRETS)
        assert {key: stored.spec for key, stored in found.items()} == {
            key: spec(key) for key in SECRETS
        }

    def file(self) -> list[str]:
        keys = find_secret_keys(self.directory, None)
        return [] if keys is None else [key.id for key in keys.keys]

    async def uses(self) -> list[tuple[SealingKeyUse, int]]:
        return [(row.use, row.secrets) for row in await self.sealing.keys()]


@asynccontextmanager
async def opened(directory: Path, credentials: Path | None = None) -> AsyncIterator[Opened]:
    async with open_store(directory / "store.db") as store:
        keys = load_secret_keys(directory, credentials, holds_sealed=False)
        resources = SealedResources(store.resources, keys)
        sealing = SealingKeyFile(resources, store.resources, directory, credentials)
        yield Opened(resources, store.resources, sealing, directory)


async def fill(store: ResourceStore) -> None:
    await store.apply([put(mesh("m")), *(put(key, spec(key)) for key in SECRETS)])


async def test_a_rotation_seals_every_secret_with_a_new_key(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await fill(store.resources)
        (before,) = await store.sealing.keys()
        done = await store.sealing.rotate()
        assert (done.earlier, done.secrets) == ((before.id,), len(SECRETS))
        assert await store.rows.sealed_by() == {done.id: len(SECRETS)}
        assert store.file() == [done.id, before.id]
        await store.readable()
        assert await store.uses() == [(SealingKeyUse.SEALING, 3), (SealingKeyUse.OPENING, 0)]
    async with opened(tmp_path) as store:
        await store.readable()


async def test_a_rotation_changes_nothing_that_anybody_sees(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await fill(store.resources)
        before = await store.resources.get_many(SECRETS)
        revision = await store.resources.revision()
        await store.sealing.rotate()
        assert await store.resources.get_many(SECRETS) == before
        assert await store.resources.revision() == revision


async def test_what_is_written_during_a_rotation_is_sealed_with_the_new_key(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        await fill(store.resources)
        written: list[ResourceKey] = []

        async def write(number: int) -> None:
            key = ResourceKey("GlobalSecret", "", f"w{number}")
            await store.resources.apply([put(key, spec(key))])
            written.append(key)

        async with trio.open_nursery() as nursery:
            for number in range(40):
                nursery.start_soon(write, number)
            nursery.start_soon(store.sealing.rotate)
            for number in range(40, 80):
                nursery.start_soon(write, number)
        now, *_ = await store.sealing.keys()
        assert await store.rows.sealed_by() == {now.id: len(SECRETS) + 80}
        found = await store.resources.get_many(written)
        assert {key: stored.spec for key, stored in found.items()} == {
            key: spec(key) for key in written
        }


async def test_retiring_leaves_only_the_key_that_seals(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await fill(store.resources)
        first = await store.sealing.rotate()
        second = await store.sealing.rotate()
        done = await store.sealing.retire()
        assert set(done.retired) == {first.id, *first.earlier}
        assert done.kept == ()
        assert store.file() == [second.id]
        assert (tmp_path / "secret-key").stat().st_mode & 0o777 == 0o600
        await store.readable()
    async with opened(tmp_path) as store:
        await store.readable()
        assert (await store.sealing.retire()).retired == ()


async def test_a_rotation_that_ended_before_the_store_was_sealed_is_finished_by_the_next(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        await fill(store.resources)
        failing = _Failing(store.rows)
        with pytest.raises(StateError):
            await SealingKeyFile(store.resources, failing, tmp_path).rotate()
        new, old = store.file()
        await store.readable()
        assert [row.use for row in await store.sealing.keys()] == [
            SealingKeyUse.SEALING,
            SealingKeyUse.WAITING,
        ]
        assert (await store.sealing.rotate()).id == new
        assert store.file() == [new, old]
        await store.readable()


async def test_after_a_restart_too(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await fill(store.resources)
        with pytest.raises(StateError):
            await SealingKeyFile(store.resources, _Failing(store.rows), tmp_path).rotate()
    async with opened(tmp_path) as store:
        await store.readable()
        assert await store.uses() == [(SealingKeyUse.SEALING, 0), (SealingKeyUse.OPENING, 3)]
        new, _ = store.file()
        done = await store.sealing.rotate()
        assert (done.id, done.secrets) == (new, len(SECRETS))


async def test_retiring_finishes_a_rotation_before_it_forgets_anything(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await fill(store.resources)
        with pytest.raises(StateError):
            await SealingKeyFile(store.resources, _Failing(store.rows), tmp_path).rotate()
    async with opened(tmp_path) as store:
        assert (await store.sealing.retire()).secrets == len(SECRETS)
        assert len(store.file()) == 1
        await store.readable()


async def test_a_key_is_kept_as_long_as_something_sealed_with_it_cannot_be_opened(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        await fill(store.resources)
        # Somebody has moved a secret in the database to another name.
        stored = await store.rows.get(SECRETS[0])
        assert stored is not None
        moved = ResourceKey("GlobalSecret", "", "moved")
        await store.rows.apply([put(moved, stored.spec)])
        done = await store.sealing.rotate()
        assert done.secrets == len(SECRETS)
        with pytest.raises(StateError) as caught:
            await store.sealing.retire()
        assert caught.value.code == "secret-key-in-use"
        assert done.earlier[0] in caught.value.message
        assert store.file() == [done.id, *done.earlier]
        # It does not keep a further rotation from its work.
        assert (await store.sealing.rotate()).id != done.id
        await store.resources.apply([put(moved, spec(moved))])
        assert len((await store.sealing.retire()).retired) == 2


async def test_a_secret_that_lies_there_unsealed_stays_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.rows.apply([put(mesh("m")), *(put(key, spec(key)) for key in SECRETS)])
        assert (await store.sealing.rotate()).secrets == 0
        await store.sealing.retire()
        await store.readable()


async def test_a_credential_is_rotated_where_it_comes_from(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    old, new = SecretKey(bytes(32)), SecretKey(bytes([1]) * 32)
    (credentials / "secret-key").write_bytes(SecretKeys((old,)).document())
    async with opened(tmp_path, credentials) as store:
        await fill(store.resources)
        with pytest.raises(SecretKeyError) as caught:
            await store.sealing.rotate()
        assert caught.value.code == "secret-key-handed-over"
    (credentials / "secret-key").write_bytes(SecretKeys((new, old)).document())
    async with opened(tmp_path, credentials) as store:
        done = await store.sealing.rotate()
        assert (done.id, done.secrets) == (new.id, len(SECRETS))
        retired = await store.sealing.retire()
        assert (retired.retired, retired.kept) == ((), (old.id,))
        await store.readable()


async def test_a_full_file_says_how_to_make_room(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for _ in range(15):
            await store.sealing.rotate()
        with pytest.raises(SecretKeyError) as caught:
            await store.sealing.rotate()
        assert caught.value.code == "secret-key-full"
        assert caught.value.hint == "Run: kong-mesh-cp keys retire sealing"
        await store.sealing.retire()
        await store.sealing.rotate()


class _Failing:
    """Rows of a store whose disk is full."""

    def __init__(self, rows: SealedRows) -> None:
        self.sealed_by = rows.sealed_by

    async def reseal(self, key_id: str, rewrite: Rewrite) -> int:  # noqa: ARG002
        raise StateError("no space left", code="state-full", hint="Make room.")
