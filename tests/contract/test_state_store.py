"""What every StateStore does: the file, the memory, the server, and the fake."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
import trio
import trio.testing

from kong_mesh_cp.core.admission.seats import ProxyKind
from kong_mesh_cp.usecases.ports.state_store import HIGH_WATER_DAYS_MAX, Remembered
from support.fakes.stores import (
    AT,
    STORE_NAMES,
    Step,
    StoreOpening,
    audit_of,
    entry,
    later,
    mark,
    names_of,
    record,
    seat,
    store_openings,
    taken,
)


@pytest.fixture(params=[*STORE_NAMES, "postgres"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> StoreOpening:
    if request.param != "postgres":
        return store_openings(tmp_path)[request.param]
    address = request.getfixturevalue("database")
    from support.daemons.postgres import opened

    return lambda: opened(address)


async def test_a_new_store_remembers_nothing(opening: StoreOpening) -> None:
    async with opening() as store:
        assert await store.remembered() == Remembered(high_water={})
        assert await audit_of(store) == ()


async def test_the_cluster_id_is_a_uuid_that_stays_the_same(opening: StoreOpening) -> None:
    async with opening() as store:
        first = await store.cluster_id()

        assert str(uuid.UUID(first)) == first
        assert await store.cluster_id() == first


async def test_two_stores_have_two_cluster_ids(tmp_path: Path) -> None:
    for name in STORE_NAMES:
        one = store_openings(tmp_path / "one")[name]
        two = store_openings(tmp_path / "two")[name]
        (tmp_path / "one").mkdir(exist_ok=True)
        (tmp_path / "two").mkdir(exist_ok=True)
        async with one() as a, two() as b:
            assert await a.cluster_id() != await b.cluster_id()


@pytest.mark.parametrize(
    ("saved", "kept"),
    [
        ([AT], AT),
        ([AT, later(1)], AT),
        ([later(1), AT], AT),
        ([AT, AT + timedelta(microseconds=1)], AT),
        ([AT, AT - timedelta(microseconds=1)], AT - timedelta(microseconds=1)),
        # The same instant an hour to the east is not later.
        (
            [AT, (AT - timedelta(seconds=1)).astimezone(timezone(timedelta(hours=14)))],
            AT - timedelta(seconds=1),
        ),
    ],
)
async def test_the_earliest_trial_start_wins(
    opening: StoreOpening, saved: list[datetime], kept: datetime
) -> None:
    async with opening() as store:
        answers = [await store.save_trial_start(at) for at in saved]

        assert answers[-1] == kept
        assert (await store.remembered()).trial_started_at == kept


async def test_a_clock_mark_comes_back_to_the_last_bit(opening: StoreOpening) -> None:
    async with opening() as store:
        await store.save_clock(mark())

        assert (await store.remembered()).clock == mark()


async def test_an_earlier_clock_mark_replaces_a_later_one(opening: StoreOpening) -> None:
    async with opening() as store:
        await store.save_clock(mark(later(400)))
        await store.save_clock(mark(AT, boot_id="boot-2"))

        assert (await store.remembered()).clock == mark(AT, boot_id="boot-2")


async def test_seats_come_back_whole_and_sorted(opening: StoreOpening) -> None:
    gateway = record("gateway", kind=ProxyKind.DELEGATED_GATEWAY, since=later(2))
    async with opening() as store:
        await store.apply_seats({**taken("b", "a"), gateway.seat: gateway})

        assert (await store.remembered()).seats == (record("a"), record("b"), gateway)


@pytest.mark.parametrize("kind", list(ProxyKind))
async def test_every_kind_of_proxy_can_be_kept(opening: StoreOpening, kind: ProxyKind) -> None:
    async with opening() as store:
        await store.apply_seats({seat("x"): record("x", kind=kind)})

        assert (await store.remembered()).seats == (record("x", kind=kind),)


async def test_a_seat_is_known_by_zone_mesh_and_name_together(opening: StoreOpening) -> None:
    seats = [seat("x"), seat("x", mesh="other"), seat("x", zone="east"), seat("x ")]
    async with opening() as store:
        await store.apply_seats({one: replace(record("x"), seat=one) for one in seats})
        await store.apply_seats({seat("x", mesh="other"): None})

        kept = [one.seat for one in (await store.remembered()).seats]
        assert kept == sorted([seat("x"), seat("x", zone="east"), seat("x ")])


@pytest.mark.parametrize(
    "name", ["ünïcode", "𝕏", "a'; DROP TABLE seats; --", "new\nline", "nul\0in", ""]
)
async def test_names_are_kept_as_they_are(opening: StoreOpening, name: str) -> None:
    async with opening() as store:
        await store.apply_seats(taken(name))

        assert names_of((await store.remembered()).seats) == [name]


async def test_none_frees_a_seat_and_a_second_time_does_no_harm(opening: StoreOpening) -> None:
    async with opening() as store:
        await store.apply_seats(taken("a", "b"))
        await store.apply_seats({seat("a"): None})
        await store.apply_seats({seat("a"): None, seat("never-taken"): None})

        assert names_of((await store.remembered()).seats) == ["b"]


async def test_taking_a_seat_again_keeps_one_record_the_last(opening: StoreOpening) -> None:
    async with opening() as store:
        await store.apply_seats(taken("a"))
        await store.apply_seats({seat("a"): record("a", since=later(1))})

        assert (await store.remembered()).seats == (record("a", since=later(1)),)


async def test_no_changes_are_no_change(opening: StoreOpening) -> None:
    async with opening() as store:
        await store.apply_seats({})

        assert (await store.remembered()).seats == ()


async def test_changes_count_as_they_were_when_they_were_handed_over(opening: StoreOpening) -> None:
    changes = taken("a")
    async with opening() as store:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.apply_seats, changes)
            await trio.testing.wait_all_tasks_blocked()
            changes.clear()

        assert names_of((await store.remembered()).seats) == ["a"]


async def test_the_high_water_of_a_day_only_rises(opening: StoreOpening) -> None:
    monday, tuesday = date(2026, 11, 23), date(2026, 11, 24)
    async with opening() as store:
        for day, seats in [(monday, 3), (tuesday, 1), (monday, 7), (monday, 5), (tuesday, 0)]:
            await store.save_high_water(day, seats)

        assert (await store.remembered()).high_water == {monday: 7, tuesday: 1}


async def test_the_oldest_days_make_room_for_new_ones(opening: StoreOpening) -> None:
    first = date(2025, 1, 1)
    days = [first + timedelta(days=n) for n in range(HIGH_WATER_DAYS_MAX + 2)]
    async with opening() as store:
        for day in days:
            await store.save_high_water(day, 1)

        assert list((await store.remembered()).high_water) == days[2:]


async def test_one_day_far_in_the_future_costs_one_day_of_history(opening: StoreOpening) -> None:
    first = date(2025, 1, 1)
    days = [first + timedelta(days=n) for n in range(HIGH_WATER_DAYS_MAX)]
    async with opening() as store:
        for day in days:
            await store.save_high_water(day, 1)
        await store.save_high_water(date(2099, 1, 1), 1)

        assert list((await store.remembered()).high_water) == [*days[1:], date(2099, 1, 1)]


async def test_the_audit_log_keeps_every_entry_in_order(opening: StoreOpening) -> None:
    entries = (entry("reset-clock"), entry("reset-clock"), entry("other", at=later(-1)))
    async with opening() as store:
        for one in entries:
            await store.audit(one)

        assert await audit_of(store) == entries


async def test_many_tasks_write_at_once_and_all_of_it_is_there(opening: StoreOpening) -> None:
    names = [f"{n:03}" for n in range(300)]
    async with opening() as store:
        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(store.apply_seats, taken(name))

        assert names_of((await store.remembered()).seats) == names


STEPS: dict[str, Step] = {
    "cluster_id": lambda store: store.cluster_id(),
    "remembered": lambda store: store.remembered(),
    "save_trial_start": lambda store: store.save_trial_start(AT),
    "save_clock": lambda store: store.save_clock(mark()),
    "apply_seats": lambda store: store.apply_seats(taken("a")),
    "save_high_water": lambda store: store.save_high_water(AT.date(), 1),
    "audit": lambda store: store.audit(entry("x")),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
async def test_every_call_lets_other_tasks_run(opening: StoreOpening, step: Step) -> None:
    async with opening() as store:
        with trio.testing.assert_checkpoints():
            await step(store)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
async def test_every_call_can_be_made_twice(opening: StoreOpening, step: Step) -> None:
    async with opening() as store:
        await step(store)
        once = await store.remembered()
        await step(store)

        assert await store.remembered() == once
