"""Locks of the store: nobody without rights in its schema can hold one; who does is named."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import pytest
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.store.postgres import schema
from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from kong_mesh_cp.shell.store.postgres.migrating import migrate_postgres
from kong_mesh_cp.shell.store.postgres.peek import peek_postgres
from kong_mesh_cp.shell.store.postgres.schema import all_migrations
from kong_mesh_cp.shell.store.postgres.store import PostgresStore
from support.daemons.postgres import PostgresServer, opened, set_back
from support.daemons.postgres_roles import lesser_role, role
from support.fakes.resources import names, policy, put
from support.fakes.stores import record, taken

NEWEST = all_migrations()[-1].number

ADVISORY = "SELECT pg_advisory_lock(1263354704), pg_advisory_lock(1263358800)"  # once ours
Call = Callable[[PostgresStore], Awaitable[object]]


async def test_advisory_locks_of_other_sessions_hold_up_nothing(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    with lesser_role(postgres) as lesser:
        lesser.execute(ADVISORY)
        async with opened(database) as store:
            assert await store.slots.claim(record("a"), 5)
            await store.slots.hold([record("b")])
            assert await store.slots.regain([record("c")], 5)
            await store.resources.apply([put(policy("a"))])
            await store.agree_on_secret_key("id")
        assert await trio.to_thread.run_sync(migrate_postgres, database) == (NEWEST, NEWEST)


@pytest.fixture
def other_schema(postgres: PostgresServer, database: PostgresAddress) -> Iterator[None]:
    """One that sessions of the database would look into first, with tables of our names."""
    with postgres.administering(database.database) as connection:
        connection.execute("CREATE SCHEMA other")
        connection.execute("CREATE TABLE other.store (revision bigint)")
        connection.execute("CREATE TABLE other.resource (type text, mesh text, name text)")
        connection.execute("ALTER DATABASE test SET search_path = other")
    yield
    with postgres.administering(database.database) as connection:
        connection.execute("ALTER DATABASE test RESET search_path")
        connection.execute("DROP SCHEMA other CASCADE")


@pytest.mark.usefixtures("other_schema")
async def test_tables_of_the_same_names_in_other_schemas_are_never_meant(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    async with opened(database) as store:
        await store.resources.apply([put(policy("a"))])
        assert await names(store.resources) == ["a"]
    with postgres.administering(database.database) as connection:
        assert connection.execute("SELECT count(*) FROM other.resource").fetchone() == (0,)


async def test_a_role_without_rights_in_the_schema_can_lock_nothing_of_it(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    import psycopg

    async with opened(database):
        with lesser_role(postgres) as lesser:
            for table in ("store", "store_version", "turn", "resource_change", "seat_slot"):
                for attempt in (
                    f"DO $$ BEGIN LOCK TABLE kong_mesh_cp.{table} IN ACCESS SHARE MODE; END $$",
                    f"SELECT FROM kong_mesh_cp.{table} FOR KEY SHARE",
                ):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        lesser.execute(attempt.encode())


@pytest.mark.parametrize(
    ("taking", "table", "call"),
    [
        (
            "SELECT FROM turn FOR UPDATE",
            "turn",
            lambda store: store.slots.claim(record("a"), 5),
        ),
        (
            "SELECT FROM store FOR UPDATE",
            "store",
            lambda store: store.resources.apply([put(policy("a"))]),
        ),
        ("LOCK TABLE seat", "seat", lambda store: store.apply_seats(taken("a"))),
        ("LOCK TABLE resource", "resource", lambda store: names(store.resources)),
    ],
    ids=["turn", "store", "seat", "resource"],
)
async def test_the_holder_of_a_lock_that_cannot_be_had_is_named(
    database: PostgresAddress, postgres: PostgresServer, taking: str, table: str, call: Call
) -> None:
    async with opened(database) as store:
        with postgres.administering(database.database) as holder:
            holder.execute("SET application_name = 'a\nshell'")
            holder.execute("BEGIN")
            holder.execute(taking.encode())
            with pytest.raises(StateError) as failure:
                await call(store)
            pid = holder.info.backend_pid
        assert failure.value.code == "store-busy"
        assert f"the lock on kong_mesh_cp.{table} is held since 2" in failure.value.message
        assert f"by the session {pid} of the user postgres (a?shell)" in failure.value.message
        assert f"pg_terminate_backend({pid})" in failure.value.hint
        await call(store)


async def test_the_holder_is_named_and_not_the_others_who_wait_for_him(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    lines: list[str] = []

    async def write(store: PostgresStore) -> None:
        try:
            await store.resources.apply([put(policy("a"))])
        except StateError as error:
            lines.append(error.message)
            holder.execute("ROLLBACK")

    async with opened(database, "one") as one, opened(database, "two") as two:
        with postgres.administering(database.database) as holder:
            holder.execute("BEGIN")
            holder.execute("SELECT FROM store FOR UPDATE")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(write, one)
                nursery.start_soon(write, two)
            assert f"by the session {holder.info.backend_pid} " in lines[0]


async def test_a_role_that_may_see_less_names_the_session_all_the_same(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    with role(postgres, "own") as own:
        with postgres.administering(database.database) as administrator:
            administrator.execute(f"GRANT CREATE ON DATABASE test TO {own}".encode())
        async with opened(replace(database, user=own)) as store:
            with postgres.administering(database.database) as holder:
                holder.execute("BEGIN")
                holder.execute("SELECT FROM store FOR UPDATE")
                with pytest.raises(StateError) as failure:
                    await store.resources.apply([put(policy("a"))])
                pid = holder.info.backend_pid
    assert f"is held by the session {pid} of the user postgres" in failure.value.message


async def test_a_start_that_finds_a_migration_locked_names_who_keeps_it(
    database: PostgresAddress, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "LOCK_SECONDS_MAX", 1)
    async with opened(database):
        pass
    with postgres.administering(database.database) as holder:
        set_back(holder, 2)
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE store_version IN SHARE MODE")
        with pytest.raises(StateError) as failure:
            await trio.to_thread.run_sync(migrate_postgres, database)
        assert f"by the session {holder.info.backend_pid} " in failure.value.message
        assert "kong_mesh_cp.store_version" in failure.value.message
        peeked = await trio.to_thread.run_sync(peek_postgres, database, "one")
        assert peeked.version == 2


async def test_a_current_store_is_opened_past_any_lock_on_its_version(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    async with opened(database):
        pass
    with postgres.administering(database.database) as holder:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE store_version IN EXCLUSIVE MODE")
        async with opened(database) as store:
            await store.resources.apply([put(policy("a"))])


@pytest.mark.parametrize(
    ("table", "call"),
    [
        ("store", lambda store: store.resources.apply([put(policy("a"))])),
        ("store", lambda store: store.resources.revision()),
        ("store", lambda store: store.cluster_id()),
        ("turn", lambda store: store.slots.claim(record("a"), 5)),
    ],
)
async def test_a_table_that_has_lost_its_row_is_reported_and_ends_nothing(
    database: PostgresAddress, postgres: PostgresServer, table: str, call: Call
) -> None:
    async with opened(database) as store:
        with postgres.administering(database.database) as connection:
            connection.execute(f"CREATE TABLE kept AS TABLE {table}".encode())
            connection.execute(f"DELETE FROM {table}".encode())
            with pytest.raises(StateError) as failure:
                await call(store)
            assert failure.value.code == "store-corrupt"
            assert f"kong_mesh_cp.{table}" in failure.value.message
            connection.execute(f"INSERT INTO {table} TABLE kept".encode())
        await call(store)
