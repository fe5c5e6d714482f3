"""Seats of a store that one process owns."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import trio

from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord


class OwnSlots:
    """`usecases.ports.resource_store.SeatSlots` in memory: who is the only one needs no witness.

    No time passes for a seat here: the one who could forget it is the one who counts.
    """

    def __init__(self) -> None:
        self._seats: set[SeatId] = set()

    async def claim(self, record: SeatRecord, limit: int) -> bool:
        await trio.lowlevel.checkpoint()
        if record.seat not in self._seats and len(self._seats) >= limit:
            return False
        self._seats.add(record.seat)
        return True

    async def has_room(self, seat: SeatId, limit: int) -> bool:
        await trio.lowlevel.checkpoint()
        return seat in self._seats or len(self._seats) < limit

    async def hold(self, records: Collection[SeatRecord]) -> None:
        await trio.lowlevel.checkpoint()
        self._seats.update(record.seat for record in records)

    async def regain(self, records: Collection[SeatRecord], limit: int | None) -> frozenset[SeatId]:
        asked = [record.seat for record in records]
        for record in records:
            await self.claim(record, len(self._seats) + 1 if limit is None else limit)
        return frozenset(self._seats.intersection(asked))

    async def elsewhere(self) -> Mapping[str, int]:
        await trio.lowlevel.checkpoint()
        return {}

    async def free(self, seat: SeatId) -> None:
        await trio.lowlevel.checkpoint()
        self._seats.discard(seat)

    async def renew(self) -> frozenset[SeatId]:
        await trio.lowlevel.checkpoint()
        return frozenset(self._seats)
