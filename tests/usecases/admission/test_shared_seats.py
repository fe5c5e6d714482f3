"""Seats of two control planes on one store: one limit for both, and what a silent store changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.usecases.admission.seating import HeldSeat
from kong_mesh_cp.usecases.admission.shared_seats import BUSY_SECONDS, LOOK_SECONDS
from kong_mesh_cp.usecases.ports.resource_store import SLOT_RENEWAL_SECONDS, SLOT_SECONDS
from support.fakes.admission import Desk, body, gateway_body, open_desk, take
from support.fakes.fake_slots import FakeSlots, SharedTable
from support.fakes.peers import FakePeer
from support.fakes.stores import record

pytestmark = pytest.mark.usefixtures("autojump_clock")

# The clock stands still while anything runs: these are long enough for what is due.
LOOKED = LOOK_SECONDS + 1
RENEWED = SLOT_RENEWAL_SECONDS + LOOKED


def unreachable() -> StateError:
    return StateError("the database is gone", code="store-unreachable", hint="Start it.")


@asynccontextmanager
async def two_desks(
    table: SharedTable, *, limit: int = 5, refuses: bool = True
) -> AsyncIterator[tuple[Desk, Desk]]:
    async with (
        open_desk(limit=limit, refuses=refuses, slots=FakeSlots(table, "one")) as one,
        open_desk(limit=limit, refuses=refuses, slots=FakeSlots(table, "two")) as two,
    ):
        yield one, two


async def refusal(desk: Desk, name: str) -> Refused:
    answer = await desk.admitting.admit(body(name), FakePeer())
    assert isinstance(answer, Refused), answer
    return answer


async def test_the_limit_holds_over_both() -> None:
    async with two_desks(SharedTable()) as desks:
        for name, desk in zip("abcde", desks * 3, strict=False):
            await take(desk, name)
        for desk in desks:
            refused = await refusal(desk, "f")
            assert refused.code is RefusalCode.LICENSE_LIMIT
            assert "all control planes" in refused.reason
            assert refused.retry_after_seconds


async def test_of_many_that_ask_at_once_no_more_are_admitted_than_the_limit() -> None:
    table = SharedTable()
    answers: list[HeldSeat | Refused] = []

    async def ask(desk: Desk, name: str) -> None:
        answers.append(await desk.admitting.admit(body(name), FakePeer()))

    async with two_desks(table) as desks, trio.open_nursery() as nursery:
        for number in range(40):
            nursery.start_soon(ask, desks[number % 2], f"p{number}")
    assert sum(isinstance(answer, HeldSeat) for answer in answers) == 5
    assert len(table.held) == 5


async def test_a_refusal_is_reported_as_one_and_leaves_no_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    table = SharedTable()
    async with two_desks(table, limit=1) as (one, two):
        await take(one, "a")
        caplog.clear()
        await refusal(two, "b")
        assert [line.partition(":")[0] for line in caplog.messages] == ["admission-refused"]
        assert dict(two.seating.decisions) == {("refused", "license-limit"): 1}
        await trio.sleep(LOOKED)
        assert two.store.seats == {}
        assert max(two.store.high_water.values(), default=0) <= 1


async def test_a_seat_that_was_given_back_can_be_taken_on_the_other_side() -> None:
    async with two_desks(SharedTable(), limit=1) as (one, two):
        one.seating.release(await take(one, "a"))
        await trio.sleep(LOOKED)
        await take(two, "b")


async def test_the_seat_of_one_who_is_gone_goes_to_the_next_at_once() -> None:
    async with two_desks(SharedTable(), limit=1) as (one, _two):
        ghost = FakePeer()
        await take(one, "a", ghost)
        ghost.ended = True
        await take(one, "b")


async def test_gateways_take_no_seat_of_the_others() -> None:
    table = SharedTable()
    async with two_desks(table, limit=1) as (one, two):
        assert isinstance(await one.admitting.admit(gateway_body(), FakePeer()), HeldSeat)
        await trio.sleep(LOOKED)
        assert table.held == {}
        await take(two, "a")


async def test_a_dry_run_asks_the_store_and_takes_nothing() -> None:
    table = SharedTable()
    async with two_desks(table, limit=1) as (one, two):
        assert isinstance(await two.admitting.try_out(body("b"), FakePeer()), bytes)
        assert table.held == {}
        await take(one, "a")
        refused = await two.admitting.try_out(body("b"), FakePeer())
        assert isinstance(refused, Refused)
        assert refused.code is RefusalCode.LICENSE_LIMIT
        table.failure = unreachable()
        refused = await two.admitting.try_out(body("b"), FakePeer())
        assert isinstance(refused, Refused)
        assert refused.code is RefusalCode.BUSY


async def test_a_store_that_does_not_answer_gives_no_seat_and_takes_none_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    table = SharedTable()
    async with two_desks(table) as (one, two):
        held = await take(one, "a")
        ended: list[str] = []
        one.seating.attach(held, lambda: ended.append("a"), lambda _line: True)
        table.failure = unreachable()

        refused = await refusal(one, "b")
        assert refused.code is RefusalCode.BUSY
        assert refused.retry_after_seconds == BUSY_SECONDS
        calls = table.calls
        await refusal(one, "c")
        assert table.calls == calls, "nobody waits for a store that has just failed"
        await trio.sleep(10 * SLOT_SECONDS)
        assert not ended
        assert one.seating.active == 1

        table.failure = None
        await trio.sleep(RENEWED)
        assert table.of("one") == {"a"}
        await take(two, "b")
    codes = [line.partition(":")[0] for line in caplog.messages]
    assert codes.count("seats-not-shared") == 2  # one for each control plane, not one a second
    assert codes.count("seats-shared-again") == 2


async def test_a_seat_that_another_control_plane_has_taken_ends_its_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    table = SharedTable()
    async with two_desks(table) as (one, two):
        held = await take(one, "a")
        lines: list[bytes] = []
        ended: list[str] = []

        def send(line: bytes) -> bool:
            lines.append(line)
            return True

        one.seating.attach(held, lambda: ended.append("a"), send)
        await take(two, "a")
        await trio.sleep(RENEWED)

        assert set(ended) == {"a"}
        assert b'"code":"seat-moved"' in lines[-1]
        assert "seat-lost: default/default/a" in caplog.text
        assert (one.seating.active, two.seating.active) == (1, 1)  # the same, seen from both
        await trio.sleep(RENEWED)
        assert table.of("two") == {"a"}


async def test_while_a_control_plane_lives_its_seats_do_not_run_out() -> None:
    table = SharedTable()
    async with two_desks(table, limit=1) as (one, two):
        await take(one, "a")
        await trio.sleep(10 * SLOT_SECONDS)
        await refusal(two, "b")


async def test_the_seats_of_one_that_died_are_free_after_a_minute() -> None:
    table = SharedTable()
    async with open_desk(slots=FakeSlots(table, "one"), limit=1) as one:
        await take(one, "a")
    async with open_desk(slots=FakeSlots(table, "two"), limit=1) as two:
        await refusal(two, "b")
        await trio.sleep(SLOT_SECONDS + 1)
        await take(two, "b")


async def test_a_restart_keeps_what_is_still_ours_and_forgets_the_rest() -> None:
    table = SharedTable()
    async with open_desk(slots=FakeSlots(table, "one"), limit=2) as one:
        await take(one, "a")
        await take(one, "b")
        known = tuple(one.store.seats.values())
    await FakeSlots(table, "two").claim(record("b", mesh="default"), 9)
    moved = next(each for each in known if each.seat.name == "b")
    await FakeSlots(table, "two").hold([moved])
    async with open_desk(slots=FakeSlots(table, "one"), limit=3, known=known) as one:
        assert one.seating.occupancy().reserved == 1
        assert one.seating.occupancy().elsewhere == 2
        await take(one, "a")
        assert (await refusal(one, "c")).code is RefusalCode.LICENSE_LIMIT


async def test_under_an_issued_license_all_are_admitted_and_counted_together() -> None:
    table = SharedTable()
    async with two_desks(table, limit=2, refuses=False) as (one, two):
        await take(one, "a")
        await take(one, "b")
        await trio.sleep(LOOKED)
        held = await take(two, "c")
        assert b"over-limit" in held.line
        assert two.seating.decisions["admitted", "over-limit"] == 1
        await trio.sleep(LOOKED)
        assert (one.seating.active, two.seating.active) == (3, 3)
        two.seating.release(held)
        await trio.sleep(LOOKED)
        assert (one.seating.active, two.seating.active) == (2, 2)


async def test_under_an_issued_license_a_silent_store_refuses_nobody() -> None:
    table = SharedTable(failure=None)
    async with two_desks(table, limit=2, refuses=False) as (one, _two):
        table.failure = unreachable()
        await take(one, "a")
        await trio.sleep(LOOKED)
        table.failure = None
        await trio.sleep(RENEWED)
        assert table.of("one") == {"a"}


async def test_a_license_that_begins_to_refuse_finds_all_seats_counted() -> None:
    table = SharedTable()
    async with two_desks(table, limit=5, refuses=False) as (one, two):
        for name in "abc":
            await take(one, name)
        for name in "defg":
            await take(two, name)
        await trio.sleep(LOOKED)
        for desk in (one, two):
            desk.license.refuses = True
        assert (await refusal(one, "x")).code is RefusalCode.LICENSE_LIMIT
        await trio.sleep(RENEWED)
        assert (one.seating.active, two.seating.active) == (7, 7)

        one.license.refuses = False
        await take(one, "x")
        await trio.sleep(LOOKED)
        assert two.seating.active == 8


async def test_a_client_that_leaves_while_the_store_is_asked_leaves_no_seat_behind() -> None:
    table = SharedTable()
    async with two_desks(table, limit=1) as (one, two):
        with trio.CancelScope() as leaving:
            leaving.cancel()
            await one.admitting.admit(body("a"), FakePeer())
        await trio.sleep(LOOKED)
        assert table.held == {}
        await take(two, "b")


async def test_a_seat_that_a_crash_left_claimed_is_given_back() -> None:
    table = SharedTable()
    await FakeSlots(table, "one").hold([record("nobody-heard-of-it")])
    async with two_desks(table, limit=1) as (_one, two):
        await trio.sleep(RENEWED + LOOKED)
        await take(two, "b")


async def test_a_seat_that_was_given_back_just_before_the_end_need_not_run_out() -> None:
    table = SharedTable()
    async with open_desk(slots=FakeSlots(table, "one"), limit=1) as one:
        one.seating.release(await take(one, "a"))
        kept = await take(one, "b")
        one.seating.release(kept)
        assert one.shared is not None
        await one.shared.flush()
        assert table.held == {}
