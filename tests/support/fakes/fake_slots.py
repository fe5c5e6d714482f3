"""Seats of several control planes in one dictionary. It passes the contract of tests/contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import trio

from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.usecases.ports.resource_store import SLOT_SECONDS


@dataclass
class SharedTable:
    """Who holds which seat, and until when on trio's clock. `failure` is raised by every call."""

    held: dict[SeatId, tuple[str, float]] = field(default_factory=dict)
    failure: StateError | None = None
    calls: int = 0

    def of(self, instance: str) -> set[str]:
        return {seat.name for seat, (holder, _) in self._live().items() if holder == instance}

    def _live(self) -> dict[SeatId, tuple[str, float]]:
        return {seat: of for seat, of in self.held.items() if of[1] >= trio.current_time()}

    def purge(self) -> None:
        self.held = self._live()


@dataclass
class FakeSlots:
    table: SharedTable = field(default_factory=SharedTable)
    instance: str = "one"

    async def claim(self, record: SeatRecord, limit: int) -> bool:
        await self._reached()
        return self._claim(record.seat, limit)

    def _claim(self, seat: SeatId, limit: int) -> bool:
        if seat not in self.table.held:
            self.table.purge()
            if len(self.table.held) >= limit:
                return False
        self._put(seat)
        return True

    async def has_room(self, seat: SeatId, limit: int) -> bool:
        await self._reached()
        self.table.purge()
        return seat in self.table.held or len(self.table.held) < limit

    async def hold(self, records: Collection[SeatRecord]) -> None:
        await self._reached()
        for record in records:
            self._put(record.seat)

    async def regain(self, records: Collection[SeatRecord], limit: int | None) -> frozenset[SeatId]:
        await self._reached()
        self.table.purge()
        for record in records:
            if record.seat not in self.table.held:
                self._claim(record.seat, len(self.table.held) + 1 if limit is None else limit)
        return frozenset(one.seat for one in records if self._is_ours(one.seat))

    async def elsewhere(self) -> Mapping[str, int]:
        await self._reached()
        self.table.purge()
        return Counter(seat.mesh for seat in self.table.held if not self._is_ours(seat))

    async def free(self, seat: SeatId) -> None:
        await self._reached()
        if self._is_ours(seat):
            del self.table.held[seat]

    async def renew(self) -> frozenset[SeatId]:
        await self._reached()
        ours = frozenset(seat for seat in self.table.held if self._is_ours(seat))
        for seat in ours:
            self._put(seat)
        return ours

    async def _reached(self) -> None:
        await trio.lowlevel.checkpoint()
        self.table.calls += 1
        if self.table.failure is not None:
            raise self.table.failure

    def _put(self, seat: SeatId) -> None:
        self.table.held[seat] = (self.instance, trio.current_time() + SLOT_SECONDS)

    def _is_ours(self, seat: SeatId) -> bool:
        return self.table.held.get(seat, ("", 0.0))[0] == self.instance
