"""A program that rotates and retires the key of secrets, and dies by SIGKILL at every step of it.

`python -m support.storms.key_crashes STORE DIRECTORY`; STORE is `sqlite` or a port on 127.0.0.1.

Each child goes on with what the one before has left, and dies one step later: before a SQL
statement, an exchange with the server or an operation on a file. After each the secrets are read
as a start would read them; in `DIRECTORY/points` stands how many steps there were.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import trio

from kong_mesh_cp.core.identity.secrets_at_rest import SecretKeys
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.store.sealed_resources import SealedResources
from kong_mesh_cp.shell.store.sealing_key import SealingKeyFile
from kong_mesh_cp.shell.store.secret_key import load_secret_keys
from kong_mesh_cp.shell.store.shared_key import sealing_with
from kong_mesh_cp.shell.store.sqlite.store import open_store
from support.fakes.resources import put
from support.storms.resource_crashes import on_each_exchange
from support.storms.store_crashes import on_each_step

SECRETS = [ResourceKey("GlobalSecret", "", f"secret-{number}") for number in range(4)]


def spec(key: ResourceKey) -> str:
    return f'{{"data": "{key.name}"}}'


@asynccontextmanager
async def started(store: str, state: Path) -> AsyncIterator[tuple[SealedResources, SealingKeyFile]]:
    """The secrets and their key, opened as a start opens them."""
    keys: SecretKeys | None
    if store == "sqlite":
        async with open_store(state / "store.db") as local:
            keys = load_secret_keys(state, None, holds_sealed=False)
            resources = SealedResources(local.resources, keys)
            yield resources, SealingKeyFile(resources, local.resources, state)
    else:
        from support.daemons.postgres import address_of, opened

        async with opened(address_of(int(store), "test")) as shared:
            keys = load_secret_keys(state, None, holds_sealed=False)
            key_id = await shared.agree_on_secret_key(keys.keys[0].id)
            resources = SealedResources(shared.resources, sealing_with(keys, key_id, state))
            yield resources, SealingKeyFile(resources, shared.resources, state)


async def write(store: str, state: Path) -> None:
    async with started(store, state) as (resources, _):
        await resources.apply([put(key, spec(key)) for key in SECRETS])


async def change(store: str, state: Path) -> None:
    async with started(store, state) as (_, sealing):
        await sealing.rotate()
        await sealing.retire()


async def read(store: str, state: Path) -> None:
    async with started(store, state) as (resources, _):
        found = await resources.get_many(SECRETS)
        assert {key: stored.spec for key, stored in found.items()} == {
            key: spec(key) for key in SECRETS
        }


def change_until(store: str, state: Path, point: int) -> None:
    ticks = count(1)

    def reached(*_event: object) -> None:
        if next(ticks) == point:
            os.kill(os.getpid(), signal.SIGKILL)

    on_each_step(state, reached)
    if store != "sqlite":
        on_each_exchange(reached)
    trio.run(change, store, state)


def every_point(store: str, directory: Path) -> None:
    state = directory / "state"
    state.mkdir()
    trio.run(write, store, state)
    for point in count(1):
        child = os.fork()
        if child == 0:
            change_until(store, state, point)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        trio.run(read, store, state)
        if os.WIFEXITED(status):  # it lived to the end: there are no more points
            (directory / "points").write_text(str(point))
            sys.exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    chosen, where = sys.argv[1:]
    every_point(chosen, Path(where))
