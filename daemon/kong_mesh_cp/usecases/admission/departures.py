"""Streams that have ended: what they showed last is still to be written, and what was registered
over them goes when their proxies do not come back for a while.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NoReturn

import trio

from kong_mesh_cp.core.admission.seats import SeatId
from kong_mesh_cp.usecases.admission.attendance import Attendance


class Departures:
    """The ends of streams, by seat. Seats of proxies that never had one are not in it."""

    def __init__(self, stay_seconds: float) -> None:
        """A Dataplane stays so long without its proxy: it may be on its way to another control
        plane, or its connection may have broken.
        """
        self._stay_seconds = stay_seconds
        self._parted: dict[SeatId, Attendance] = {}
        self._gone_at: dict[SeatId, float] = {}
        self._news = trio.Event()

    def part(self, former: Attendance | None) -> None:
        """The stream of `former` has ended, if it had one."""
        if former is None or former.stream is None:
            return
        seat = former.record.seat
        if former.subscription:
            self._parted[seat] = former
        self._gone_at[seat] = trio.current_time() + self._stay_seconds
        self._news.set()

    def back(self, seat: SeatId) -> None:
        """A proxy has the seat again."""
        self._gone_at.pop(seat, None)

    def parted(self, seat: SeatId) -> Attendance | None:
        """The stream whose last state is not written yet."""
        return self._parted.get(seat)

    def is_for_good(self, seat: SeatId) -> bool:
        """Whether nobody needs to wait for the proxy."""
        return self._gone_at.get(seat, -math.inf) <= trio.current_time()

    def written(self, seat: SeatId, parted: Attendance | None, *, for_good: bool) -> None:
        """What `parted` showed is in the store; with `for_good` nothing of the proxy is left."""
        if self._parted.get(seat) is parted:
            self._parted.pop(seat, None)
        if for_good and self.is_for_good(seat):
            self._gone_at.pop(seat, None)

    async def follow(self, over: Callable[[SeatId], None]) -> NoReturn:
        """Tell `over` of each proxy that has stayed away, until cancelled."""
        while True:
            self._news = trio.Event()
            now = trio.current_time()
            with trio.move_on_at(
                min((at for at in self._gone_at.values() if at > now), default=math.inf)
            ):
                await self._news.wait()
            for seat in self._gone_at:
                if self.is_for_good(seat):
                    over(seat)
