"""Whatever is done to it, the store in a file remembers what the model of dictionaries does."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId, SeatRecord
from kong_mesh_cp.core.license.clock import ClockMark
from kong_mesh_cp.shell.store.sqlite.peek import peek
from kong_mesh_cp.shell.store.sqlite.state_directory import StateDirectory
from kong_mesh_cp.usecases.ports.state_store import AuditEntry, StateStore
from support.fakes.event_loop import EventLoop
from support.fakes.fake_store import FakeStateStore
from support.fakes.stores import Step, audit_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
INSTANTS = st.datetimes(timezones=st.just(UTC))
SECONDS = st.floats(min_value=0, max_value=1e12)
SEATS = st.builds(SeatId, st.sampled_from(["", "east"]), st.sampled_from(["default", "m"]), TEXT)
MARKS = st.builds(
    ClockMark,
    seen=INSTANTS,
    boot_id=TEXT,
    boottime_seconds=SECONDS,
    ahead_seconds=SECONDS,
    lead_seconds=SECONDS,
)
RECORDS = st.builds(SeatRecord, SEATS, st.sampled_from(ProxyKind), INSTANTS)
TAKEN = st.lists(RECORDS, max_size=6).map(lambda records: {one.seat: one for one in records})


class StoreAndModel(RuleBasedStateMachine):
    """Each step is made on both; the store is also closed, reopened and looked at from outside."""

    @initialize()
    def make(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="kong-mesh-cp-test-"))
        self.loop = EventLoop()
        self.model = FakeStateStore()
        self._open()

    def _open(self) -> None:
        self.directory = StateDirectory.open(self.path)
        self.store = self.loop.enter(self.directory.open_store())

    def _both(self, step: Step) -> None:
        async def on_both() -> tuple[object, object]:
            return await step(self.store), await step(self.model)

        answered, expected = self.loop.run(on_both)
        assert answered == expected

    @rule(at=INSTANTS)
    def save_trial_start(self, at: datetime) -> None:
        self._both(lambda store: store.save_trial_start(at))

    @rule(mark=MARKS)
    def save_clock(self, mark: ClockMark) -> None:
        self._both(lambda store: store.save_clock(mark))

    @rule(taken=TAKEN, freed=st.sets(SEATS, max_size=3), data=st.data())
    def apply_seats(
        self, taken: dict[SeatId, SeatRecord], freed: set[SeatId], data: st.DataObject
    ) -> None:
        known = sorted(self.model.seats)
        if known:
            freed = freed | data.draw(st.sets(st.sampled_from(known), max_size=3))
        self._both(lambda store: store.apply_seats({**taken, **dict.fromkeys(freed)}))

    @rule(records=st.lists(RECORDS, max_size=20, unique_by=lambda record: record.seat))
    def take_seats_from_many_tasks(self, records: list[SeatRecord]) -> None:
        async def take(store: StateStore) -> None:
            async with trio.open_nursery() as nursery:
                for record in records:
                    nursery.start_soon(store.apply_seats, {record.seat: record})

        self._both(take)

    @rule(day=st.dates(), seats=st.integers(0, 10_000))
    def save_high_water(self, day: date, seats: int) -> None:
        self._both(lambda store: store.save_high_water(day, seats))

    @rule(entry=st.builds(AuditEntry, INSTANTS, TEXT, TEXT, TEXT))
    def audit(self, entry: AuditEntry) -> None:
        self._both(lambda store: store.audit(entry))

    @rule()
    def close_and_open(self) -> None:
        self.loop.leave_all()
        self.directory.close()
        assert peek(self.path) == self.loop.run(self.model.remembered)
        self._open()

    @invariant()
    def both_remember_the_same(self) -> None:
        self._both(lambda store: store.remembered())
        self._both(audit_of)

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.leave_all()
            self.loop.close()
            self.directory.close()
            shutil.rmtree(self.path)


# A step costs some fsyncs; how long those take on this machine is not what is tested.
StoreAndModel.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestStoreAndModel = StoreAndModel.TestCase
