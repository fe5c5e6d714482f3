"""Seats counted by the store: exact for all that share it, and free again after a crash."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import psycopg
import pytest
import trio

from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord
from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from kong_mesh_cp.shell.store.sqlite.own_slots import OwnSlots
from kong_mesh_cp.usecases.ports.resource_store import (
    SLOT_RENEWAL_SECONDS,
    SLOT_SECONDS,
    SeatSlots,
)
from support.daemons.postgres import PostgresServer, opened
from support.fakes.fake_slots import FakeSlots
from support.fakes.stores import record, seat

LIMIT = 5
SlotsOpening = Callable[[], AbstractAsyncContextManager[SeatSlots]]


@pytest.fixture(params=["own", "fake", "postgres"])
def opening(request: pytest.FixtureRequest) -> SlotsOpening:
    @asynccontextmanager
    async def own() -> AsyncIterator[SeatSlots]:
        yield OwnSlots()

    @asynccontextmanager
    async def shared() -> AsyncIterator[SeatSlots]:
        async with opened(request.getfixturevalue("database")) as store:
            yield store.slots

    @asynccontextmanager
    async def fake() -> AsyncIterator[SeatSlots]:
        yield FakeSlots()

    return {"own": own, "fake": fake, "postgres": shared}[request.param]


async def claim_all(slots: SeatSlots, names: list[str], limit: int = LIMIT) -> list[str]:
    return [name for name in names if await slots.claim(record(name), limit)]


async def test_no_more_than_the_limit_are_seated(opening: SlotsOpening) -> None:
    async with opening() as slots:
        assert await claim_all(slots, list("abcdefg")) == list("abcde")
        assert await slots.renew() == {seat(name) for name in "abcde"}


async def test_asking_again_costs_no_second_seat(opening: SlotsOpening) -> None:
    async with opening() as slots:
        assert await claim_all(slots, list("abcde" * 2)) == list("abcde" * 2)
        assert not await slots.claim(record("f"), LIMIT)


async def test_a_seat_that_was_freed_can_be_taken(opening: SlotsOpening) -> None:
    async with opening() as slots:
        await claim_all(slots, list("abcde"))
        await slots.free(seat("c"))
        await slots.free(seat("never-taken"))

        assert await claim_all(slots, list("fg")) == ["f"]


async def test_a_smaller_limit_admits_nobody_before_enough_have_gone(
    opening: SlotsOpening,
) -> None:
    async with opening() as slots:
        await claim_all(slots, list("abcdefgh"), limit=8)
        await slots.free(seat("a"))
        await slots.free(seat("b"))
        await slots.free(seat("c"))
        assert not await slots.claim(record("x"), LIMIT)
        assert await slots.claim(record("h"), LIMIT)
        await slots.free(seat("d"))

        assert await claim_all(slots, list("xy")) == ["x"]


async def test_a_seat_is_known_by_zone_mesh_and_name_together(opening: SlotsOpening) -> None:
    seats = [seat("x"), seat("x", mesh="m"), seat("x", zone="z"), seat("nul\0"), seat("nul\\0")]
    async with opening() as slots:
        for one in seats:
            assert await slots.claim(replace(record("x"), seat=one), LIMIT)

        assert await slots.renew() == set(seats)


async def test_a_limit_of_nothing_admits_nobody(opening: SlotsOpening) -> None:
    async with opening() as slots:
        assert not await slots.claim(record("a"), 0)


def test_a_few_renewals_may_fail_before_a_seat_is_lost() -> None:
    assert SLOT_RENEWAL_SECONDS * 3 < SLOT_SECONDS


async def test_the_limit_holds_over_all_that_ask_at_once(database: PostgresAddress) -> None:
    seated: list[SeatId] = []

    async def ask(slots: SeatSlots, one: SeatRecord) -> None:
        if await slots.claim(one, LIMIT):
            seated.append(one.seat)

    async with opened(database, "one") as one, opened(database, "two") as two:
        async with trio.open_nursery() as nursery:
            for number in range(50):
                for store in (one, two):
                    name = record(f"{store is one}-{number}")
                    nursery.start_soon(ask, store.slots, name)

        held = await one.slots.renew(), await two.slots.renew()
        assert len(seated) == LIMIT
        assert held[0] | held[1] == set(seated)
        assert not held[0] & held[1]


async def test_a_proxy_that_moves_to_another_control_plane_is_one_seat(
    database: PostgresAddress,
) -> None:
    async with opened(database, "one") as one, opened(database, "two") as two:
        await claim_all(one.slots, list("abcde"))
        assert await claim_all(two.slots, ["a", "f"]) == ["a"]
        await one.slots.free(seat("a"))  # the late end of its old connection

        assert await two.slots.renew() == {seat("a")}
        assert await one.slots.renew() == {seat(name) for name in "bcde"}
        assert not await two.slots.claim(record("f"), LIMIT)


async def test_seats_of_a_control_plane_that_died_are_free_when_their_time_is_over(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    async with opened(database, "dead") as dead, opened(database, "alive") as alive:
        await claim_all(dead.slots, list("abc"))
        await claim_all(alive.slots, list("de"))
        assert not await alive.slots.claim(record("f"), LIMIT)
        with postgres.administering(database.database) as connection:
            connection.execute(
                "UPDATE seat_slot SET held_until = held_until - make_interval(secs => %s)",
                (SLOT_SECONDS + 1,),
            )
        assert await alive.slots.renew() == {seat("d"), seat("e")}

        # Who was seated there and asks first keeps the seat; strangers get the others.
        assert await claim_all(alive.slots, list("afghi")) == list("afg")
        assert await dead.slots.renew() == frozenset()


async def test_the_key_alone_keeps_a_number_from_being_taken_twice(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    async with opened(database) as store:
        await claim_all(store.slots, ["a"])
        with (
            postgres.administering(database.database) as connection,
            pytest.raises(psycopg.errors.UniqueViolation, match="seat_slot_pkey"),
        ):
            connection.execute("INSERT INTO seat_slot SELECT 1, '', '', 'b', 'x', now()")


async def test_a_license_that_refuses_nobody_holds_any_number(opening: SlotsOpening) -> None:
    async with opening() as slots:
        await slots.hold([record(name) for name in "abcdefgh"])
        await slots.hold([record("h"), record("i")])
        assert await slots.renew() == {seat(name) for name in "abcdefghi"}

        assert await claim_all(slots, ["x", "a"]) == ["a"]
        for name in "abcde":
            await slots.free(seat(name))
        assert await claim_all(slots, ["x", "y"]) == ["x"]


async def test_whether_there_is_room_is_reported_without_taking_it(opening: SlotsOpening) -> None:
    async with opening() as slots:
        await claim_all(slots, list("abcd"))
        assert await slots.has_room(seat("x"), LIMIT)
        assert await slots.has_room(seat("x"), LIMIT)
        await claim_all(slots, ["e"])
        assert not await slots.has_room(seat("x"), LIMIT)
        assert await slots.has_room(seat("e"), LIMIT)


async def test_seats_are_regained_up_to_the_limit(opening: SlotsOpening) -> None:
    async with opening() as slots:
        await claim_all(slots, list("abcd"))
        assert await slots.regain([record("a"), record("x"), record("y")], LIMIT) == {
            seat("a"),
            seat("x"),
        }
        assert await slots.regain([record("y"), record("z")], None) == {seat("y"), seat("z")}
        assert await slots.regain([], LIMIT) == frozenset()
        assert await slots.elsewhere() == {}


async def test_what_another_control_plane_holds_is_counted_and_not_regained(
    database: PostgresAddress,
) -> None:
    async with opened(database, "one") as one, opened(database, "two") as two:
        await one.slots.hold([record("a"), record("b")])
        await two.slots.hold([record("b"), record("c")])
        await two.slots.hold([replace(record("e"), seat=SeatId("default", "other", "e"))])
        mesh = seat("a").mesh
        assert await one.slots.elsewhere() == {mesh: 2, "other": 1}
        assert await two.slots.elsewhere() == {mesh: 1}
        await two.slots.free(SeatId("default", "other", "e"))

        wanted = [record(name) for name in "abcd"]
        for limit in (LIMIT, None):
            assert await one.slots.regain(wanted, limit) == {seat("a"), seat("d")}
        assert await two.slots.renew() == {seat("b"), seat("c")}


async def test_a_seat_that_ran_out_is_not_counted_and_can_be_regained(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    async with opened(database, "one") as one, opened(database, "two") as two:
        await one.slots.hold([record("a"), record("b")])
        with postgres.administering(database.database) as connection:
            connection.execute(
                "UPDATE kong_mesh_cp.seat_slot SET held_until = now() - interval '1 second'"
            )
        assert await two.slots.elsewhere() == {}
        assert await two.slots.has_room(seat("x"), 1)
        assert await two.slots.regain([record("a")], LIMIT) == {seat("a")}
        assert await two.slots.regain([record("b")], None) == {seat("b")}
        assert await one.slots.renew() == frozenset()
