"""The key that seals secrets, where several control planes share a database."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.identity.secrets_at_rest import SecretKeyError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from kong_mesh_cp.shell.store.sealed_resources import SealedResources
from kong_mesh_cp.shell.store.sealing_key import SealingKeyFile
from kong_mesh_cp.shell.store.secret_key import load_secret_keys
from kong_mesh_cp.shell.store.shared_key import sealing_with
from support.daemons.postgres import PostgresServer, opened
from support.fakes.resources import put
from support.suites.patience import HANG_SECONDS

KEY = ResourceKey("GlobalSecret", "", "s")
SPEC = '{"data": "c2VjcmV0"}'

CONNECTED = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"


@dataclass
class Plane:
    resources: SealedResources
    sealing: SealingKeyFile


@asynccontextmanager
async def plane(address: PostgresAddress, state: Path) -> AsyncIterator[Plane]:
    """A control plane with the state directory `state`, after which it is named."""
    state.mkdir(exist_ok=True)
    async with opened(address, state.name) as store:
        keys = load_secret_keys(state, None, holds_sealed=False)
        key_id = await store.agree_on_secret_key(keys.keys[0].id)
        resources = SealedResources(store.resources, sealing_with(keys, key_id, state))
        yield Plane(resources, SealingKeyFile(resources, store.resources, state))


async def until_alone(postgres: PostgresServer, address: PostgresAddress) -> None:
    """A server notices a moment later that somebody has left."""
    with trio.fail_after(HANG_SECONDS), postgres.administering(address.database) as connection:
        while connection.execute(CONNECTED).fetchone() != (1,):
            await trio.lowlevel.checkpoint()


def hand_over_key(one: Path, two: Path) -> None:
    two.mkdir(exist_ok=True)
    shutil.copy(one / "secret-key", two / "secret-key")


async def test_while_another_control_plane_is_connected_nothing_is_rotated(
    database: PostgresAddress, postgres: PostgresServer, tmp_path: Path
) -> None:
    async with plane(database, tmp_path / "one") as one:
        await one.resources.apply([put(KEY, SPEC)])
        (before,) = await one.sealing.keys()
        hand_over_key(tmp_path / "one", tmp_path / "two")
        async with plane(database, tmp_path / "two") as two:
            for _ in range(2):
                with pytest.raises(StateError) as caught:
                    await one.sealing.rotate()
                assert caught.value.code == "secret-key-shared"
                assert caught.value.message.startswith("1 more control planes are connected")
            for each in (one, two):
                assert (await each.resources.get(KEY) or 0).spec == SPEC  # type: ignore[union-attr]
                await each.resources.apply([put(KEY, SPEC)])
        await until_alone(postgres, database)
        done = await one.sealing.rotate()
        assert done.earlier == (before.id,)
        assert done.secrets == 1


async def test_the_others_start_again_with_a_copy_of_the_file_and_not_without(
    database: PostgresAddress, tmp_path: Path
) -> None:
    async with plane(database, tmp_path / "one") as one:
        hand_over_key(tmp_path / "one", tmp_path / "two")
        await one.resources.apply([put(KEY, SPEC)])
        await one.sealing.rotate()
        mismatch = pytest.RaisesExc(
            SecretKeyError, check=lambda error: error.code == "secret-key-mismatch"
        )
        with pytest.RaisesGroup(mismatch, flatten_subgroups=True):
            async with plane(database, tmp_path / "two"):
                pass
        hand_over_key(tmp_path / "one", tmp_path / "two")
        async with plane(database, tmp_path / "two") as two:
            found = await two.resources.get(KEY)
            assert found is not None
            assert found.spec == SPEC
            await two.resources.apply([put(KEY, SPEC)])
            assert (await one.resources.get(KEY) or 0).version == 2  # type: ignore[union-attr]
            # What nobody needs any more each retires for itself, whoever is connected.
            assert len((await one.sealing.retire()).retired) == 1
            assert len((await two.sealing.retire()).retired) == 1


async def test_a_key_that_all_have_already_waits_for_the_word(
    database: PostgresAddress, postgres: PostgresServer, tmp_path: Path
) -> None:
    async with plane(database, tmp_path / "one") as one:
        await one.resources.apply([put(KEY, SPEC)])
        hand_over_key(tmp_path / "one", tmp_path / "two")
        async with plane(database, tmp_path / "two"):
            with pytest.raises(StateError, match="1 more"):
                await one.sealing.rotate()  # the new key is in the file by now
        hand_over_key(tmp_path / "one", tmp_path / "two")
        await until_alone(postgres, database)
        new = (await one.sealing.keys())[1].id
        assert (await one.sealing.rotate()).id == new
    async with plane(database, tmp_path / "two") as two:
        assert (await two.sealing.keys())[0].id == new


async def test_who_was_out_of_sight_during_a_rotation_seals_nothing_with_the_old_key(
    database: PostgresAddress, postgres: PostgresServer, tmp_path: Path
) -> None:
    async with plane(database, tmp_path / "one") as one:
        await one.resources.apply([put(KEY, SPEC)])
        hand_over_key(tmp_path / "one", tmp_path / "two")
        async with plane(database, tmp_path / "two") as two:
            # As if the network had kept it from the server just then.
            with postgres.administering(database.database) as connection:
                connection.execute(
                    "UPDATE kong_mesh_cp.store SET secret_key_id = '0123456789abcdef'"
                )
            with pytest.raises(StateError) as caught:
                await two.resources.apply([put(KEY, SPEC)])
            assert caught.value.code == "secret-key-changed"
            found = await one.resources.get(KEY)
            assert found is not None
            assert found.version == 1
