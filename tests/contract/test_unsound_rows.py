"""Rows that no release has written, put there by hand: left out and told of once, whatever they say."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.store.sqlite.store import open_store
from kong_mesh_cp.usecases.ports.resource_store import Delete, ResourceStore, Selection
from support.fakes.resources import names, policy, put

Damage = Callable[[str], None]  # a statement in SQL
Damaged = Callable[[str], AbstractAsyncContextManager[ResourceStore]]

NONSENSE = [
    "spec = 'canary'",
    "spec = ''",
    "spec = 'null'",
    "spec = '[]'",
    "spec = '{}{}'",
    "spec = '{\"a\":NaN}'",
    "spec = '{\"a\":-Infinity}'",
    "spec = '{\"a\":1e999}'",
    f"spec = '{{\"a\":{'9' * 5000}}}'",
    f"spec = '{'[' * 100_000}'",
    "spec = '" + '{"a":' * 100_000 + "'",
    "status = 'canary'",
    "status = '7'",
    "labels = '[1]'",
    "labels = '7'",
    "labels = '{\"a\":1}'",
    "labels = '{\"a\":{}}'",
]
OF_POSTGRES = [
    "created_at = 'infinity'",
    "modified_at = '-infinity'",
    "created_at = '4000-01-01 BC'",
    "modified_at = '20000-01-01'",
    "version = -9223372036854775808",
    "version = 0",
]
OF_SQLITE = [
    "created_at = 'yesterday'",
    "modified_at = ''",
    "modified_at = '2026-01-01T00:00:00+05:00'",
]


async def made(store: ResourceStore) -> None:
    keys = [policy("a"), policy("b"), policy("c"), ResourceKey("Secret", "m", "b")]
    await store.apply([put(key) for key in keys])


@pytest.fixture
def damaged(request: pytest.FixtureRequest, tmp_path: Path) -> Damaged:
    """Opens a store of a few resources after a statement was run on it."""
    if request.param == "sqlite":
        path = tmp_path / "store.db"

        @asynccontextmanager
        async def local(statement: str) -> AsyncIterator[ResourceStore]:
            async with open_store(path) as store:
                await made(store.resources)
            with closing(sqlite3.connect(path)) as connection:
                connection.execute(statement)
                connection.commit()
            async with open_store(path) as store:
                yield store.resources

        return local
    database = request.getfixturevalue("database")
    server = request.getfixturevalue("postgres")
    from support.daemons.postgres import opened

    @asynccontextmanager
    async def shared(statement: str) -> AsyncIterator[ResourceStore]:
        async with opened(database) as store:
            await made(store.resources)
            with server.administering(database.database) as connection:
                connection.execute(statement.encode())
            yield store.resources

    return shared


CASES = [
    *(("sqlite", change) for change in [*NONSENSE, *OF_SQLITE]),
    *(("postgres", change) for change in [*NONSENSE, *OF_POSTGRES]),
]


@pytest.mark.parametrize(("damaged", "change"), CASES, indirect=["damaged"], ids=range(len(CASES)))
async def test_a_row_of_nonsense_hides_nothing_but_itself(
    damaged: Damaged, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with damaged(f"UPDATE resource SET {change} WHERE name = 'b'") as store:
        for _ in range(2):
            assert await names(store) == ["a", "c"]
            assert await store.get(policy("b")) is None
            assert set(await store.get_many([policy("a"), policy("b")])) == {policy("a")}
        lines = [line for line in caplog.messages if line.startswith("store-row-unsound: ")]
        assert len(lines) == 1
        assert "the row of MeshTimeout 'b' of the mesh 'default'" in lines[0]
        assert "canary" not in lines[0]

        # A secret that is left out may be a list of what is void.
        with pytest.raises(StateError, match="Secret 'b' of the mesh 'm'") as failure:
            await store.get(ResourceKey("Secret", "m", "b"))
        assert failure.value.code == "store-row-unsound"
        assert (await store.list(Selection(type="Secret"))).items == ()

        await store.apply([Delete(key=policy("b")), put(policy("b"), '{"again":true}')])
        assert await names(store) == ["a", "b", "c"]
