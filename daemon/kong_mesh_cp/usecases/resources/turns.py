"""Fair turns at work that takes a whole machine: few at once, in bounded queues.

A user who has asked for much is served like all others: those who wait take turns by who they
are, not by how often they ask.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import trio

from kong_mesh_cp.usecases.resources.resource_refusals import Fault, ResourceRefusedError

WAITING_MAX: Final = 512  # requests in one line; what they were sent is bounded elsewhere
WAITING_OF_ONE_MAX: Final = 256  # of one user: twenty jobs may ask as one, each for ten things

T = TypeVar("T")


class Turns:
    """One line, and who is first in it. Not bound to a thread; of one event loop."""

    def __init__(
        self,
        *,
        at_once: int = 1,
        waiting_max: int = WAITING_MAX,
        waiting_of_one_max: int = WAITING_OF_ONE_MAX,
    ) -> None:
        self._free = at_once
        self._waiting_max = waiting_max
        self._waiting_of_one_max = waiting_of_one_max
        self._count = 0
        self._waiting: dict[str, deque[trio.Event]] = {}  # by whose turn it is next

    @asynccontextmanager
    async def turn(self, who: str) -> AsyncIterator[None]:
        """A turn of the user `who`. Raises: ResourceRefusedError if too many wait already."""
        await self._take(who)
        try:
            yield
        finally:
            self._pass_on(who)

    async def in_worker_thread(self, who: str, work: Callable[[], T]) -> T:
        """What `work` gives, in a thread, when its turn has come."""
        async with self.turn(who):
            return await trio.to_thread.run_sync(work)

    async def _take(self, who: str) -> None:
        """Not a checkpoint where no other task waits."""
        if self._free:
            self._free -= 1
            return
        line = self._waiting.get(who)
        if self._count >= self._waiting_max or len(line or ()) >= self._waiting_of_one_max:
            raise busy()
        turn = trio.Event()
        self._waiting.setdefault(who, deque()).append(turn)
        self._count += 1
        try:
            await turn.wait()
        except trio.Cancelled:
            if turn.is_set():
                self._pass_on(who)
            else:
                self._forget(who, turn)
            raise

    def _forget(self, who: str, turn: trio.Event) -> None:
        self._count -= 1
        self._waiting[who].remove(turn)
        if not self._waiting[who]:
            del self._waiting[who]

    def _pass_on(self, after: str) -> None:
        if not self._waiting:
            self._free += 1
            return
        if after in self._waiting:
            self._waiting[after] = self._waiting.pop(after)  # had a turn just now
        who = next(iter(self._waiting))
        line = self._waiting.pop(who)
        turn = line.popleft()
        if line:
            self._waiting[who] = line  # at the end: the others come first
        self._count -= 1
        turn.set()


def busy() -> ResourceRefusedError:
    return ResourceRefusedError(
        Fault.BUSY, "Too much is asked at once", "the control plane is busy with large requests"
    )
