"""Brings changes of seats to the store, in order, without making admissions wait for the disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import date
from typing import NoReturn, TypeVar

import trio

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord
from kong_mesh_cp.core.errors import StateError, StateGoneError
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.ports.state_store import StateStore

LAG_SECONDS_MAX = 0.1  # of the durable record behind the ledger, while no caller waits for it
RETRY_SECONDS = 1.0  # after the store has failed
BUSY_SECONDS = 2  # until who was refused may ask again
_UNRECORDED = "the store of the control plane is not where it was, and seats are not recorded"

Key = TypeVar("Key", SeatId, date)
Change = TypeVar("Change")

SeatTold = Callable[[SeatId, SeatRecord | None], None]

log = logging.getLogger(__name__)


class SeatRecorder:
    """Pending changes by seat; of several changes of one seat the last one is written.

    A store that fails does not stop admissions: the changes stay pending, are tried again, and
    `failures` counts the attempts in vain. Resource handling: owns nothing but its memory; the
    caller runs `run` for as long as changes shall reach the store.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store
        # Hears of each change at once: for the count of seats that control planes share.
        self.told: SeatTold | None = None
        self._seats: dict[SeatId, SeatRecord | None] = {}
        self._marks: dict[date, int] = {}
        self._changes = 0  # counted up by each change
        self._attempted = 0  # the changes up to this one have been tried
        self._work = trio.Event()
        self._hurry = trio.Event()
        self._round = trio.Event()
        self._complaints = FailureLog(
            log,
            "seats-not-recorded",
            "seats-recorded-again",
            meanwhile="serving goes on, but after a restart proxies may have to wait for a free"
            " seat",
            over="the store takes the record of seats again",
            level=logging.WARNING,
        )
        self.failures = 0
        self._gone: StateGoneError | None = None  # why the last attempt was in vain

    @property
    def warnings(self) -> Sequence[tuple[str, str]]:
        """For who gets a seat now: codes and messages."""
        if self._gone is None:
            return ()
        return (("seat-not-recorded", f"{_UNRECORDED} ({self._gone.code})"),)

    @property
    def pending(self) -> int:
        """Changes that are not on disk yet."""
        return len(self._seats) + len(self._marks)

    def change(self, seat: SeatId, record: SeatRecord | None) -> None:
        """The seat is held by what `record` says; None: it is free."""
        self._seats[seat] = record
        if self.told is not None:
            self.told(seat, record)
        self._note_change()

    def high_water(self, day: date, seats: int) -> None:
        """The most counted seats of `day` so far."""
        self._marks[day] = seats
        self._note_change()

    @property
    def failing(self) -> bool:
        """Whether the store has failed to take the last ones."""
        return self._complaints.failing

    async def durable(self) -> Refused | None:
        """Return when every change made until now is on disk, or the store has failed to take it.

        Waiting for a store that has failed would refuse service for a record that only matters
        after a restart. Where the store was taken away, there may be no record at all: a refusal.
        """
        awaited = self._changes
        while self._attempted < awaited:
            self._hurry.set()
            await self._round.wait()
        if self._gone is None:
            return None
        hint = "Ask again. What is wrong is in the log of the control plane."
        reason = f"{_UNRECORDED} ({self._gone.code})"
        return Refused(
            code=RefusalCode.BUSY, reason=reason, hint=hint, retry_after_seconds=BUSY_SECONDS
        )

    async def run(self) -> NoReturn:
        """Write changes until cancelled."""
        while True:
            await self._work.wait()
            with trio.move_on_after(RETRY_SECONDS if self._complaints.failing else LAG_SECONDS_MAX):
                await self._hurry.wait()
            await self.flush()

    async def flush(self) -> None:
        """Try once to write all that is pending. Cancelling it loses nothing."""
        self._hurry = trio.Event()
        reached = self._changes
        seats, marks = dict(self._seats), dict(self._marks)
        try:
            if seats:
                await self._store.apply_seats(seats)
            for day, mark in marks.items():
                await self._store.save_high_water(day, mark)
        except StateError as error:
            self._note_failure(error)
        else:
            _remove_written(self._seats, seats)
            _remove_written(self._marks, marks)
            self._complaints.succeeded()
            self._gone = None
        if not self.pending:
            self._work = trio.Event()
        self._attempted = reached
        self._round.set()
        self._round = trio.Event()

    def _note_change(self) -> None:
        self._changes += 1
        self._work.set()

    def _note_failure(self, error: StateError) -> None:
        self.failures += 1
        self._gone = error if isinstance(error, StateGoneError) else None
        self._complaints.failed(error)


def _remove_written(pending: dict[Key, Change], written: dict[Key, Change]) -> None:
    """Take out what has been written, but not what has changed while it was."""
    for key, value in written.items():
        if key in pending and pending[key] == value:
            del pending[key]
