"""Several control planes on one database: each sees what the others do, and no change is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.volume import Quota
from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from kong_mesh_cp.shell.store.postgres.schema import all_migrations
from kong_mesh_cp.usecases.ports.resource_store import (
    Change,
    ChangeRefusedError,
    Delete,
    NotFoundError,
    QuotaExceededError,
    ResourceChange,
    ResourceStore,
    Resync,
    Selection,
)
from support.daemons.postgres import PostgresServer, opened
from support.fakes.resources import mesh, names, policy, put, spec, take, take_from, whole_mesh
from support.fakes.stores import AT, mark, names_of, record, taken

NEWEST = all_migrations()[-1].number

WRITERS = 8
ROUNDS = 12


async def test_a_change_made_on_one_is_reported_on_the_other_and_can_be_read_there(
    database: PostgresAddress,
) -> None:
    async with opened(database, "one") as one, opened(database, "two") as two:
        with two.resources.changes() as feed:
            made = await one.resources.apply(whole_mesh("m"))

            assert await take(feed, 5) == list(made.changes)
            assert await two.resources.get(mesh("m")) == await one.resources.get(mesh("m"))


async def test_both_make_changes_and_both_see_all_of_them_in_one_order(
    database: PostgresAddress,
) -> None:
    async def write(store: ResourceStore, name: str) -> None:
        for number in range(40):
            await store.apply([put(policy(f"{name}-{number}"))])

    async with opened(database, "one") as one, opened(database, "two") as two:
        with one.resources.changes() as heard_by_one, two.resources.changes() as heard_by_two:
            async with trio.open_nursery() as nursery:
                for task in range(4):
                    nursery.start_soon(write, one.resources, f"one-{task}")
                    nursery.start_soon(write, two.resources, f"two-{task}")

            items = await take(heard_by_one, 320)
            assert items == await take(heard_by_two, 320)
            assert [item.revision for item in items] == list(range(1, 321))


async def test_no_update_is_lost_when_all_count_up_the_same_number(
    database: PostgresAddress,
) -> None:
    refused = 0

    async def count(store: ResourceStore) -> None:
        nonlocal refused
        for _ in range(ROUNDS):
            while True:
                read = await store.get(policy("counter"))
                assert read is not None
                (number,) = (int(word) for word in read.spec.split('"') if word.isdecimal())
                try:
                    await store.apply(
                        [put(read.key, spec(n=str(number + 1)), if_version=read.version)]
                    )
                except ChangeRefusedError:
                    refused += 1
                else:
                    break

    async with opened(database, "one") as one, opened(database, "two") as two:
        await one.resources.apply([put(policy("counter"), spec(n="0"))])
        async with trio.open_nursery() as nursery:
            for _ in range(WRITERS // 2):
                nursery.start_soon(count, one.resources)
                nursery.start_soon(count, two.resources)

        total = WRITERS * ROUNDS
        kept = await two.resources.get(policy("counter"))
        assert kept is not None
        assert (kept.spec, kept.version) == (spec(n=str(total)), total + 1)
        assert refused > 0


async def test_a_policy_that_meets_the_end_of_its_mesh_goes_with_it_or_is_refused(
    database: PostgresAddress,
) -> None:
    refusals: list[ChangeRefusedError] = []

    async def try_to(store: ResourceStore, change: Change) -> None:
        try:
            await store.apply([change])
        except ChangeRefusedError as error:
            refusals.append(error)

    async with opened(database, "one") as one, opened(database, "two") as two:
        for _ in range(10):
            await one.resources.apply(whole_mesh("m"))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(try_to, one.resources, Delete(key=mesh("m")))
                for number in range(5):
                    late = put(policy(f"late-{number}", "m"), owner=mesh("m"))
                    nursery.start_soon(try_to, two.resources, late)

            assert await names(one.resources) == []
        assert {(type(error), error.key) for error in refusals} <= {(NotFoundError, mesh("m"))}


async def test_what_is_too_much_to_be_reported_one_by_one_is_to_be_read_anew(
    database: PostgresAddress,
) -> None:
    async with opened(database, "one") as one, opened(database, "two") as two:
        with two.resources.changes() as feed:
            made = await one.resources.apply([put(policy(f"{n:05}")) for n in range(5000)])
            assert await take(feed, 1) == [Resync(made.revision)]

            # Names of any length are told, and many changes of one transaction.
            long = await one.resources.apply([put(policy("x" * 8000, "é" * 100)), put(policy("y"))])
            some = await one.resources.apply([put(policy(f"{n}-{'é' * 200}")) for n in range(99)])
            told = await take_from(feed, long.revision - 1, some.revision)
            assert told == [*long.changes, *some.changes]
        assert (await two.resources.list(Selection(type="MeshTimeout", limit=1))).total == 5101


async def test_what_is_common_is_shared_and_what_is_one_hosts_own_is_not(
    database: PostgresAddress,
) -> None:
    async with opened(database, "one") as one, opened(database, "two") as two:
        await one.save_trial_start(AT)
        await one.save_high_water(AT.date(), 3)
        await one.save_clock(mark())
        await one.apply_seats(taken("a"))
        await two.apply_seats(taken("a", "b"))

        there = await two.remembered()
        assert await one.cluster_id() == await two.cluster_id()
        assert (there.trial_started_at, dict(there.high_water)) == (AT, {AT.date(): 3})
        assert there.clock is None
        assert names_of(there.seats) == ["a", "b"]
        assert (await one.remembered()).seats == (record("a"),)


async def test_many_may_start_at_once_on_an_empty_database(database: PostgresAddress) -> None:
    ids: set[str] = set()

    async def start(name: str) -> None:
        async with opened(database, name) as store:
            ids.add(await store.cluster_id())

    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(start, f"{number}")
    assert len(ids) == 1


async def test_a_store_of_a_newer_release_is_refused_untouched(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    async with opened(database) as store:
        await store.resources.apply([put(policy("a"))])
    with postgres.administering(database.database) as connection:
        connection.execute("UPDATE kong_mesh_cp.store_version SET version = 99")

    with pytest.RaisesGroup(pytest.RaisesExc(StateError, match="made by a newer release")):
        async with opened(database):
            raise AssertionError

    with postgres.administering(database.database) as connection:
        connection.execute("UPDATE kong_mesh_cp.store_version SET version = %s", (NEWEST,))
    async with opened(database) as store:
        assert await names(store.resources) == ["a"]
        (change,) = (await store.resources.apply([put(policy("a"))])).changes
        assert isinstance(change, ResourceChange)
        assert change.revision == 2


async def test_the_audit_log_cannot_be_rewritten(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    import psycopg

    async with opened(database):
        with postgres.administering(database.database) as connection:
            for attempt in (
                "UPDATE audit_log SET actor = 'x'",
                "DELETE FROM audit_log",
                "TRUNCATE audit_log",
            ):
                with pytest.raises(psycopg.errors.RaiseException, match="append only"):
                    connection.execute(attempt.encode())


async def test_both_fill_the_store_to_one_quota(database: PostgresAddress) -> None:
    room = Quota(items=20, bytes=10**9)
    refused: list[str] = []

    async def write(store: ResourceStore, name: str) -> None:
        try:
            await store.apply([replace(put(policy(name)), quota=room)])
        except QuotaExceededError:
            refused.append(name)

    async with opened(database, "one") as one, opened(database, "two") as two:
        async with trio.open_nursery() as nursery:
            for number in range(30):
                nursery.start_soon(write, one.resources, f"one-{number}")
                nursery.start_soon(write, two.resources, f"two-{number}")

        assert await one.resources.revision() == 20
        assert len(refused) == 40
