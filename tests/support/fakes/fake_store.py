"""A store of dictionaries for tests of use cases. It passes the contract of tests/contract."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import trio

from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.license.clock import ClockMark
from kong_mesh_cp.usecases.ports.state_store import HIGH_WATER_DAYS_MAX, AuditEntry, Remembered


def full_disk() -> StateError:
    """What a store raises while nothing more fits on its file system."""
    return StateError("no space left for the store", code="state-full", hint="Make room there.")


@dataclass
class FakeStateStore:
    """Set `failure` to make every call raise it; set it to None again to recover."""

    trial_started_at: datetime | None = None
    clock: ClockMark | None = None
    seats: dict[SeatId, SeatRecord] = field(default_factory=dict)
    high_water: dict[date, int] = field(default_factory=dict)
    entries: list[AuditEntry] = field(default_factory=list)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    failure: StateError | None = None
    batches: int = 0  # how many times seats were applied

    async def _ready(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.failure is not None:
            raise type(self.failure)(
                self.failure.message, code=self.failure.code, hint=self.failure.hint
            ) from self.failure

    async def cluster_id(self) -> str:
        await self._ready()
        return self.id

    async def remembered(self) -> Remembered:
        await self._ready()
        return Remembered(
            trial_started_at=self.trial_started_at,
            clock=self.clock,
            seats=tuple(self.seats[seat] for seat in sorted(self.seats)),
            high_water=dict(self.high_water),
        )

    async def save_trial_start(self, at: datetime) -> datetime:
        await self._ready()
        self.trial_started_at = min(at, self.trial_started_at or at)
        return self.trial_started_at

    async def save_clock(self, mark: ClockMark) -> None:
        await self._ready()
        self.clock = mark

    async def apply_seats(self, changes: Mapping[SeatId, SeatRecord | None]) -> None:
        asked = dict(changes)
        await self._ready()
        for seat, record in asked.items():
            if record is None:
                self.seats.pop(seat, None)
            else:
                self.seats[seat] = record
        self.batches += 1

    async def save_high_water(self, day: date, seats: int) -> None:
        await self._ready()
        self.high_water[day] = max(seats, self.high_water.get(day, seats))
        for old in sorted(self.high_water)[:-HIGH_WATER_DAYS_MAX]:
            del self.high_water[old]

    async def audit(self, entry: AuditEntry) -> None:
        await self._ready()
        self.entries.append(entry)
