"""What one direction of a connection keeps in memory for its peer, counted in a budget of all."""

from __future__ import annotations

from collections.abc import Callable

from kong_mesh_cp.shell.http.h2.bounds import UNCOUNTED_BYTES
from kong_mesh_cp.shell.listening.budget import ByteBudget, Hold
from kong_mesh_cp.shell.listening.places import Place


class Keeping:
    """Nothing is counted up to UNCOUNTED_BYTES, which is where most connections stay."""

    __slots__ = ("_budget", "_hold", "_place")

    def __init__(self, budget: ByteBudget, place: Place) -> None:
        self._budget = budget
        self._place = place
        self._hold: Hold | None = None

    def count(self, size: int, now: float, give_way: Callable[[], None]) -> bool:
        """`size` bytes are kept now, all together. False: there is no room for them."""
        hold = self._hold
        if hold is None:
            if size <= UNCOUNTED_BYTES:
                return True
            origin, privileged = self._place
            hold = self._hold = Hold(origin, give_way, now=now, privileged=privileged)
        elif size <= UNCOUNTED_BYTES:
            self.forget()
            return True
        if size < hold.bytes:
            hold.moved += hold.bytes - size
            self._budget.give_back_part(hold, hold.bytes - size)
            return True
        return self._budget.take(hold, size - hold.bytes, now)

    def slow_since(self, now: float) -> float | None:
        """Since when a peer that is slow has been taking, or sending, what is kept."""
        hold = self._hold
        return hold.since if hold is not None and hold.is_slow(now) else None

    def forget(self) -> None:
        """Nothing is kept any more."""
        if self._hold is not None:
            self._budget.give_back(self._hold)
            self._hold = None
