"""Seats of a store that one process owns."""

from __future__ import annotations

import trio

from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord


class OwnSlots:
    """`usecases.resource_ports.SeatSlots` in memory: who is the only one needs no witness.

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

    async def free(self, seat: SeatId) -> None:
        await trio.lowlevel.checkpoint()
        self._seats.discard(seat)

    async def renew(self) -> frozenset[SeatId]:
        await trio.lowlevel.checkpoint()
        return frozenset(self._seats)
