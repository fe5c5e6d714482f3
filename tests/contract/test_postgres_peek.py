"""What a start reads of a database before it changes anything."""

from __future__ import annotations

import pytest
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from kong_mesh_cp.shell.store.postgres.peek import Peeked, peek_postgres
from kong_mesh_cp.shell.store.postgres.schema import all_migrations
from kong_mesh_cp.usecases.ports.state_store import Remembered
from support.daemons.postgres import PostgresServer, opened, set_back
from support.fakes.stores import AT, mark, taken

NEWEST = all_migrations()[-1].number


async def peeked(address: PostgresAddress, instance: str | None) -> Peeked:
    return await trio.to_thread.run_sync(peek_postgres, address, instance)


def all_of(postgres: PostgresServer) -> list[object]:
    """Every table of the schema, with the number of changes it has seen."""
    with postgres.administering("test") as connection:
        return list(
            connection.execute(
                "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables"
                " WHERE schemaname = 'kong_mesh_cp' ORDER BY relname"
            ).fetchall()
        )


async def test_an_empty_database_has_no_past_and_stays_empty(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    assert await peeked(database, None) == Peeked(Remembered(high_water={}), None, 0)
    assert all_of(postgres) == []


async def test_the_past_is_that_of_the_instance(database: PostgresAddress) -> None:
    async with opened(database, "one") as store:
        await store.save_trial_start(AT)
        await store.save_clock(mark())
        await store.apply_seats(taken("a", "b"))
        await store.save_high_water(AT.date(), 7)
        assert await store.agree_on_secret_key("id-1") == "id-1"
        assert await store.agree_on_secret_key("id-2") == "id-1"
        past = await store.remembered()

    found = await peeked(database, "one")
    assert found == Peeked(past, "id-1", NEWEST)
    for other in ("two", None):
        theirs = (await peeked(database, other)).past
        assert (theirs.trial_started_at, theirs.clock, theirs.seats) == (AT, None, ())


async def test_a_database_of_a_newer_release_is_reported_as_such(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    async with opened(database):
        pass
    with postgres.administering("test") as connection:
        connection.execute("UPDATE kong_mesh_cp.store_version SET version = 99")
    with pytest.raises(StateError) as failure:
        await peeked(database, "one")
    assert failure.value.code == "store-newer"


async def test_a_store_of_before_there_were_key_ids_has_none(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    async with opened(database):
        pass
    with postgres.administering("test") as connection:
        set_back(connection, 1)
    assert (await peeked(database, "one")).secret_key_id is None
    async with opened(database) as store:
        assert await store.agree_on_secret_key("id-1") == "id-1"
