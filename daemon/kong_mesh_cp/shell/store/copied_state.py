"""A state elsewhere, of which two facts are kept a second time in the state directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime

import trio

from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord
from kong_mesh_cp.core.license.clock import ClockMark
from kong_mesh_cp.shell.store.sqlite.copies import Copies, merged
from kong_mesh_cp.shell.store.writer import T
from kong_mesh_cp.usecases.ports.state_store import AuditEntry, Remembered, StateStore


class CopiedState:
    """`StateStore` over another one, with `copies` as `SqliteStore` keeps them."""

    def __init__(self, state: StateStore, copies: Copies) -> None:
        self._state = state
        self._copies = copies
        self._copying = trio.Lock()  # the copy written last is the one of the last change

    async def cluster_id(self) -> str:
        return await self._state.cluster_id()

    async def remembered(self) -> Remembered:
        return merged(await self._state.remembered(), self._copies.read())

    async def save_trial_start(self, at: datetime) -> datetime:
        kept = await self._state.save_trial_start(at)
        await self._copy(self._copies.save_trial_start, kept)
        return kept

    async def save_clock(self, mark: ClockMark) -> None:
        await self._state.save_clock(mark)
        await self._copy(self._copies.save_clock, mark)

    async def apply_seats(self, changes: Mapping[SeatId, SeatRecord | None]) -> None:
        await self._state.apply_seats(changes)

    async def save_high_water(self, day: date, seats: int) -> None:
        await self._state.save_high_water(day, seats)

    async def audit(self, entry: AuditEntry) -> None:
        await self._state.audit(entry)

    async def _copy(self, save: Callable[[T], None], fact: T) -> None:
        async with self._copying:
            await trio.to_thread.run_sync(save, fact)
