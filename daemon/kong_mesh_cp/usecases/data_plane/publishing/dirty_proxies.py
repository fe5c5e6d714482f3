"""Who is to be told anew, and in which order: a change for few does not wait for one for many."""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Hashable
from itertools import count
from typing import Final, Generic, TypeVar

P = TypeVar("P", bound=Hashable)

# What making one proxy's configuration takes, roughly: a change is done when it was made for all
# that it touches, and the change that can be done first comes first.
PROXY_SECONDS: Final = 0.001


class DirtyProxies(Generic[P]):
    """Each at most once, however many changes touch it. Instants are of one monotonic clock.

    Changes are done in the order of when they could be done if each were alone: the smallest first
    of those that come together, and yet none waits for ever.
    """

    def __init__(self) -> None:
        self._due: dict[P, float] = {}
        self._since: dict[P, float] = {}
        self._rests: dict[P, float] = {}
        self._order: list[tuple[float, int, P]] = []
        self._resting: list[tuple[float, int, P]] = []
        self._turns = count()

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, proxy: P) -> bool:
        return proxy in self._due

    def add(self, proxies: Collection[P], now: float, since: float | None = None) -> None:
        """One change touches all of `proxies`; it was made at `since`, or `now`."""
        due = now + len(proxies) * PROXY_SECONDS
        for proxy in proxies:
            self._since.setdefault(proxy, now if since is None else since)
            if due < self._due.get(proxy, math.inf):
                self._due[proxy] = due
                heapq.heappush(self._order, (due, next(self._turns), proxy))

    def take(self, now: float) -> tuple[P, float] | None:
        """The next one, and since when it waits; None: there is none, or all are at rest."""
        self._wake(now)
        while self._order:
            due, _, proxy = heapq.heappop(self._order)
            if self._due.get(proxy) != due:
                continue  # it was done, or came forward
            until = self._rests.get(proxy, -math.inf)
            if until > now:
                heapq.heappush(self._resting, (until, next(self._turns), proxy))
                continue
            del self._due[proxy]
            self._rests.pop(proxy, None)
            return proxy, self._since.pop(proxy)
        return None

    def rest(self, proxy: P, until: float) -> None:
        """It is not taken before `until`."""
        self._rests[proxy] = until

    def discard(self, proxy: P) -> None:
        """It has gone."""
        for book in (self._due, self._since, self._rests):
            book.pop(proxy, None)

    def next_due(self, now: float) -> float:
        """When `take` has something to give: `now`, later, or never (infinity)."""
        self._wake(now)
        if self._order:
            return now
        return self._resting[0][0] if self._resting else math.inf

    def _wake(self, now: float) -> None:
        while self._resting and self._resting[0][0] <= now:
            _, turn, proxy = heapq.heappop(self._resting)
            if proxy in self._due:
                heapq.heappush(self._order, (self._due[proxy], turn, proxy))
