from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from kong_mesh_cp.core.admission.decision import RefusalCode
from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId, SeatRecord
from kong_mesh_cp.core.errors import StateGoneError
from kong_mesh_cp.usecases.admission.seat_recording import (
    LAG_SECONDS_MAX,
    RETRY_SECONDS,
    SeatRecorder,
)
from support.fakes.admission import NOON
from support.fakes.fake_store import FakeStateStore, full_disk
from support.suites.patience import HANG_SECONDS


def seat(name: str) -> SeatId:
    return SeatId("default", "default", name)


def record(name: str) -> SeatRecord:
    return SeatRecord(seat(name), ProxyKind.SIDECAR, NOON)


@asynccontextmanager
async def recording(store: FakeStateStore) -> AsyncIterator[SeatRecorder]:
    recorder = SeatRecorder(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder.run)
        yield recorder
        nursery.cancel_scope.cancel()


async def test_durable_returns_when_the_changes_are_in_the_store() -> None:
    store = FakeStateStore()
    async with recording(store) as recorder:
        recorder.change(seat("a"), record("a"))
        recorder.high_water(NOON.date(), 3)
        await recorder.durable()

        assert store.seats == {seat("a"): record("a")}
        assert store.high_water == {NOON.date(): 3}
        assert recorder.pending == 0


async def test_durable_returns_at_once_when_nothing_has_changed() -> None:
    recorder = SeatRecorder(FakeStateStore())

    await recorder.durable()  # nobody runs it: waiting would never end


async def test_durable_does_not_wait_out_the_lag(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001
) -> None:
    async with recording(FakeStateStore()) as recorder:
        recorder.change(seat("a"), record("a"))
        started = trio.current_time()
        await recorder.durable()

        assert trio.current_time() == started


async def test_changes_within_the_lag_are_one_transaction(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001
) -> None:
    store = FakeStateStore()
    async with recording(store) as recorder:
        for number in range(100):
            recorder.change(seat(f"p-{number}"), record(f"p-{number}"))
        await trio.sleep(LAG_SECONDS_MAX + 0.001)

        assert (len(store.seats), store.batches) == (100, 1)


async def test_of_several_changes_of_a_seat_the_last_is_kept() -> None:
    store = FakeStateStore()
    async with recording(store) as recorder:
        recorder.change(seat("a"), record("a"))
        recorder.change(seat("a"), None)
        recorder.change(seat("b"), None)
        recorder.change(seat("b"), record("b"))
        await recorder.durable()

        assert set(store.seats) == {seat("b")}


async def test_a_failing_store_holds_no_admission_up() -> None:
    store = FakeStateStore(failure=full_disk())
    async with recording(store) as recorder:
        recorder.change(seat("a"), record("a"))
        await recorder.durable()

        assert recorder.failures == 1
        assert recorder.pending == 1


async def test_what_failed_is_tried_again_until_the_store_takes_it(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001
) -> None:
    store = FakeStateStore(failure=full_disk())
    async with recording(store) as recorder:
        recorder.change(seat("a"), record("a"))
        recorder.high_water(NOON.date(), 1)
        await trio.sleep(LAG_SECONDS_MAX + 3 * RETRY_SECONDS + 0.001)
        failures = recorder.failures
        store.failure = None
        await trio.sleep(RETRY_SECONDS + 0.001)

        assert failures == 4
        assert set(store.seats) == {seat("a")}
        assert store.high_water == {NOON.date(): 1}
        assert recorder.pending == 0


async def test_a_failure_and_its_end_are_logged_once_each(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    store = FakeStateStore(failure=full_disk())
    async with recording(store) as recorder:
        recorder.change(seat("a"), record("a"))
        await trio.sleep(10 * RETRY_SECONDS)
        store.failure = None
        await trio.sleep(2 * RETRY_SECONDS)
        recorder.change(seat("a"), None)
        await recorder.durable()

    codes = [(entry.levelname, entry.message.partition(":")[0]) for entry in caplog.records]
    assert codes == [("ERROR", "seats-not-recorded"), ("WARNING", "seats-recorded-again")]
    assert "no space left" in caplog.messages[0]


class SlowStore(FakeStateStore):
    """Takes changes, and waits for leave before it has them on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = trio.Event()
        self.leave = trio.Event()

    async def apply_seats(self, changes: Mapping[SeatId, SeatRecord | None]) -> None:
        await super().apply_seats(changes)
        self.entered.set()
        await self.leave.wait()


async def test_a_change_during_a_write_is_not_lost() -> None:
    store = SlowStore()
    async with recording(store) as recorder:
        recorder.change(seat("a"), record("a"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(recorder.durable)
            await store.entered.wait()
            recorder.change(seat("a"), None)
            store.leave.set()
        await recorder.durable()

        assert store.seats == {}
        assert recorder.pending == 0


async def test_durable_waits_for_its_own_change_not_for_a_write_already_under_way() -> None:
    store = SlowStore()
    async with recording(store) as recorder, trio.open_nursery() as nursery:
        recorder.change(seat("a"), record("a"))
        nursery.start_soon(recorder.durable)
        await store.entered.wait()
        recorder.change(seat("b"), record("b"))
        waited: list[str] = []

        async def wait() -> None:
            await recorder.durable()
            waited.append("b")

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        assert waited == []
        store.leave.set()
        with trio.fail_after(HANG_SECONDS):
            while not waited:
                await trio.lowlevel.checkpoint()
        assert set(store.seats) == {seat("a"), seat("b")}


async def test_a_write_that_is_cancelled_is_done_again() -> None:
    store = SlowStore()
    recorder = SeatRecorder(store)
    recorder.change(seat("a"), record("a"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder.flush)
        await store.entered.wait()
        nursery.cancel_scope.cancel()

    assert recorder.pending == 1
    store.leave.set()
    await recorder.flush()
    assert recorder.pending == 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.sampled_from("abc")),
        st.tuples(st.just("free"), st.sampled_from("abc")),
        st.tuples(st.just("fail"), st.just("")),
        st.tuples(st.just("mend"), st.just("")),
        st.tuples(st.just("wait"), st.just("")),
    ),
    max_size=30,
)


@given(STEPS)
@settings(deadline=None)
def test_in_the_end_the_store_holds_what_was_said_last(steps: list[tuple[str, str]]) -> None:
    async def follow() -> None:
        store = FakeStateStore()
        said: set[SeatId] = set()
        async with recording(store) as recorder:
            for step, name in steps:
                match step:
                    case "take":
                        recorder.change(seat(name), record(name))
                        said.add(seat(name))
                    case "free":
                        recorder.change(seat(name), None)
                        said.discard(seat(name))
                    case "fail":
                        store.failure = full_disk()
                    case "mend":
                        store.failure = None
                    case _:
                        await recorder.durable()
            store.failure = None
            await trio.sleep(RETRY_SECONDS + 2 * LAG_SECONDS_MAX)
            assert set(store.seats) == said

    trio.run(follow, clock=trio.testing.MockClock(autojump_threshold=0))


async def test_a_store_that_was_taken_away_is_a_refusal_until_it_is_back(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001
) -> None:
    store = FakeStateStore()
    async with recording(store) as recorder:
        store.failure = StateGoneError("it is gone", code="store-gone", hint="Move it back.")
        recorder.change(seat("a"), record("a"))
        refused = await recorder.durable()
        assert refused is not None
        assert refused.code == RefusalCode.BUSY
        assert "store-gone" in refused.reason
        assert [code for code, _ in recorder.warnings] == ["seat-not-recorded"]

        store.failure = None
        recorder.change(seat("b"), record("b"))
        assert await recorder.durable() is None
        assert recorder.warnings == ()
        assert set(store.seats) == {seat("a"), seat("b")}


async def test_a_full_disk_is_no_refusal(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001
) -> None:
    store = FakeStateStore()
    async with recording(store) as recorder:
        store.failure = full_disk()
        recorder.change(seat("a"), record("a"))
        assert await recorder.durable() is None
        assert recorder.warnings == ()
