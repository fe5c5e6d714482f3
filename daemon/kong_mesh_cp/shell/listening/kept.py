"""What the server keeps in memory for one peer: its request, its answer."""

from __future__ import annotations

from collections.abc import Callable

from kong_mesh_cp.shell.listening.budget import Budgets, Hold, Origin


class Kept:
    """Counts in `budgets` what one connection keeps. Nothing is counted for most requests:
    those that come, and whose answers go, in one piece.
    """

    __slots__ = ("_budgets", "_leaving", "_request", "origin", "privileged")

    def __init__(self, budgets: Budgets, origin: Origin, *, privileged: bool) -> None:
        self._budgets = budgets
        self.origin = origin
        self.privileged = privileged
        self._request: Hold | None = None
        self._leaving: Hold | None = None

    # `give_way` is not kept from the beginning: it would be a cycle for each idle connection.

    def arrived(self, size: int, now: float, give_way: Callable[[], None]) -> bool:
        """Keep `size` bytes more of a request. False: there is no room for them."""
        if self._request is None:
            self._request = self._hold(now, give_way)
        self._request.moved += size
        return self._budgets.bodies.take(self._request, size, now)

    def complete(self) -> None:
        """The request is in the hands of a handler, and is not cut any more."""
        if self._request is not None:
            self._request.yields = False

    def forget_request(self) -> None:
        if self._request is not None:
            self._budgets.bodies.give_back(self._request)
            self._request = None

    @property
    def leaves(self) -> bool:
        """Whether an answer is counted."""
        return self._leaving is not None

    def may_leave(self, size: int, now: float, give_way: Callable[[], None]) -> bool:
        """Keep an answer until it is `gone`. False: there is no room for it."""
        self._leaving = self._hold(now, give_way)
        return self._budgets.answers.take(self._leaving, size, now)

    def left(self, size: int) -> None:
        """The kernel has taken `size` bytes of the answer."""
        if self._leaving is not None:
            self._leaving.moved += size

    def slow_since(self, now: float) -> float | None:
        """Since when a peer that is slow has been taking its answer."""
        leaving = self._leaving
        return leaving.since if leaving is not None and leaving.is_slow(now) else None

    def gone(self) -> None:
        """Nothing of the answer is kept any more."""
        if self._leaving is not None:
            self._budgets.answers.give_back(self._leaving)
            self._leaving = None

    def _hold(self, now: float, give_way: Callable[[], None]) -> Hold:
        return Hold(self.origin, give_way, now=now, privileged=self.privileged)
