"""A database as administrators give it: the schema made by others, some rights, few connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import psycopg
import pytest
import trio

from kong_mesh_cp.core.errors import EX_CONFIG, StateError
from kong_mesh_cp.shell.store.postgres.address import SCHEMA, PostgresAddress
from kong_mesh_cp.shell.store.postgres.connections import Connection, Connections, connect
from kong_mesh_cp.shell.store.postgres.failures import PASSING, store_failure
from kong_mesh_cp.shell.store.postgres.migrating import migrate_postgres
from support.daemons.postgres import PostgresServer, opened
from support.daemons.postgres_roles import LESSER, role
from support.fakes.resources import names, policy, put
from support.fakes.stores import taken
from support.suites.patience import HANG_SECONDS

RIGHTS = f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO {LESSER}"
USAGE = f"GRANT USAGE ON SCHEMA {SCHEMA} TO {LESSER}"


@contextmanager
def lesser(
    server: PostgresServer, database: PostgresAddress
) -> Iterator[tuple[PostgresAddress, Connection]]:
    """The address of a role without a right to make anything, and its administrator."""
    with role(server, LESSER), server.administering(database.database) as administrator:
        yield replace(database, user=LESSER), administrator


async def refusal_of(address: PostgresAddress) -> StateError:
    with pytest.RaisesGroup(StateError) as failures:
        async with opened(address):
            raise AssertionError
    (failure,) = failures.value.exceptions
    assert isinstance(failure, StateError)
    return failure


async def test_a_schema_that_an_administrator_has_made_for_the_role_is_enough(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    with lesser(postgres, database) as (address, administrator):
        administrator.execute(f"CREATE SCHEMA {SCHEMA} AUTHORIZATION {LESSER}".encode())
        async with opened(address) as store:
            await store.resources.apply([put(policy("a"))])
            assert await names(store.resources) == ["a"]


async def test_a_schema_of_another_role_in_which_it_may_make_tables_is_enough(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    with lesser(postgres, database) as (address, administrator):
        administrator.execute(f"CREATE SCHEMA {SCHEMA}".encode())
        administrator.execute(f"GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {LESSER}".encode())
        async with opened(address) as store:
            assert await names(store.resources) == []


async def test_tables_that_another_role_has_made_are_used_with_rights_on_them_alone(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    migrate_postgres(database)
    with lesser(postgres, database) as (address, administrator):
        for grant in (USAGE, RIGHTS):
            administrator.execute(grant.encode())
        async with opened(address) as store:
            await store.resources.apply([put(policy("a"))])
            await store.apply_seats(taken("a"))
            await store.slots.renew()
            assert await names(store.resources) == ["a"]


@pytest.mark.parametrize(
    ("grants", "told", "remedy"),
    [
        ((), "permission denied for schema", f"GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {LESSER}"),
        ((USAGE,), "permission denied for table store_version", RIGHTS),
        (
            (USAGE, f"GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO {LESSER}"),
            "the role lacks rights: DELETE, INSERT, UPDATE on",
            RIGHTS,
        ),
        (
            (USAGE, RIGHTS, f"REVOKE DELETE, INSERT ON {SCHEMA}.resource FROM {LESSER}"),
            "the role lacks rights: DELETE, INSERT on resource",
            RIGHTS,
        ),
    ],
    ids=["none", "usage", "read", "some"],
)
async def test_what_a_role_lacks_is_named_with_the_grant_that_mends_it(
    database: PostgresAddress,
    postgres: PostgresServer,
    grants: tuple[str, ...],
    told: str,
    remedy: str,
) -> None:
    migrate_postgres(database)
    with lesser(postgres, database) as (address, administrator):
        for grant in grants:
            administrator.execute(grant.encode())
        failure = await refusal_of(address)
    assert (failure.code, failure.exit_status) == ("store-denied", EX_CONFIG)
    assert told in failure.message
    assert remedy in failure.hint


async def test_without_a_schema_and_the_right_to_make_one_both_ways_out_are_named(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    with lesser(postgres, database) as (address, _):
        failure = await refusal_of(address)
    assert (failure.code, failure.exit_status) == ("store-denied", EX_CONFIG)
    assert f"GRANT CREATE ON DATABASE {database.database} TO {LESSER}" in failure.hint
    assert f"CREATE SCHEMA {SCHEMA} AUTHORIZATION {LESSER}" in failure.hint


async def test_only_the_owner_of_tables_migrates_them_and_that_is_said(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    migrate_postgres(database)
    with lesser(postgres, database) as (address, administrator):
        for grant in (USAGE, RIGHTS):
            administrator.execute(grant.encode())
        administrator.execute(f"UPDATE {SCHEMA}.store_version SET version = 0".encode())
        failure = await refusal_of(address)
    assert failure.code == "store-denied"
    assert "kong-mesh-cp migrate up" in failure.hint or "GRANT USAGE, CREATE" in failure.hint


@pytest.mark.parametrize(
    ("limit", "undo", "told"),
    [
        (
            f"ALTER ROLE {LESSER} CONNECTION LIMIT 1",
            f"ALTER ROLE {LESSER} CONNECTION LIMIT -1",
            f"ALTER ROLE {LESSER} CONNECTION LIMIT",
        ),
        (
            "ALTER DATABASE test CONNECTION LIMIT 1",
            "ALTER DATABASE test CONNECTION LIMIT -1",
            "ALTER DATABASE test CONNECTION LIMIT",
        ),
    ],
    ids=["role", "database"],
)
async def test_a_limit_of_connections_is_named_with_what_bounds_them(
    database: PostgresAddress, postgres: PostgresServer, limit: str, undo: str, told: str
) -> None:
    with role(postgres, LESSER):
        address = replace(database, user=LESSER)
        with postgres.administering() as administrator, ExitStack() as stack:
            administrator.execute(limit.encode())
            try:
                stack.callback(connect(address).close)
                with pytest.raises(psycopg.Error) as refused:
                    stack.callback(connect(address).close)
            finally:
                administrator.execute(undo.encode())
    failure = store_failure(refused.value, address)
    assert failure.code == "store-busy"
    assert failure.code in PASSING, "it passes when others leave"
    assert told in failure.hint
    assert "KUMA_STORE_POSTGRES_MAX_OPEN_CONNECTIONS" in failure.hint


async def test_a_full_server_is_named_with_its_setting(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    refused: psycopg.Error | None = None
    with role(postgres, LESSER), ExitStack() as stack:
        address = replace(database, user=LESSER)
        while refused is None:
            try:
                stack.callback(connect(address).close)
            except psycopg.Error as error:
                refused = error
    failure = store_failure(refused, address)
    assert failure.code == "store-busy"
    assert "max_connections" in failure.hint


async def test_a_session_that_was_idle_for_too_long_is_made_anew_unnoticed(
    database: PostgresAddress, postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    with role(postgres, LESSER), postgres.administering("test") as administrator:
        administrator.execute(f"CREATE SCHEMA {SCHEMA} AUTHORIZATION {LESSER}".encode())
        administrator.execute(f"ALTER ROLE {LESSER} SET idle_session_timeout = '50ms'".encode())
        async with opened(replace(database, user=LESSER)) as store:
            for number in range(3):
                await store.resources.apply([put(policy(f"{number}"))])
                await until_ended(administrator)
            assert await names(store.resources) == ["0", "1", "2"]
    assert [record.message for record in caplog.records if "store-" in record.message] == []


async def until_ended(administrator: Connection) -> None:
    """Until only the session that listens is left: that one is idle on purpose."""
    with trio.fail_after(HANG_SECONDS):
        while administrator.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = %s", (LESSER,)
        ).fetchone() != (1,):
            await trio.sleep(0.01)


async def test_a_transaction_that_the_server_has_ended_is_made_anew(
    database: PostgresAddress,
) -> None:
    used = Connections(database)
    runs: list[int] = []

    def ended_once(connection: Connection) -> int:
        runs.append(1)
        if len(runs) == 1:
            connection.execute("DO $$ BEGIN RAISE 'idle' USING ERRCODE = '25P03'; END $$")
        return len(runs)

    try:
        await used.use(lambda c: c.execute("SELECT"))  # one that is idle
        assert await used.use(ended_once) == 2
    finally:
        used.close()
