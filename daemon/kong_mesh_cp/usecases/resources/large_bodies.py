"""The place where large bodies are read and written: one in all, and fair to those who wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import trio

LARGE_BODY_BYTES: Final = 64 * 1024  # takes about a tenth of a second to read, at the worst

T = TypeVar("T")


class LargeBodies:
    """Works on large bodies in a thread, so that nobody else waits for them.

    One at a time: each takes many times its size of memory, too. Of one user only one waits for
    the place, behind at most one of every other user; the rest of theirs wait for that.
    """

    def __init__(self) -> None:
        self._place = trio.CapacityLimiter(1)
        self._queues: dict[str, _Queue] = {}

    async def work(self, user: str, work: Callable[[], T]) -> T:
        """What `work` returns. `user` is a name; a body whose sender has gone gives up its turn."""
        queue = self._queues.setdefault(user, _Queue())
        queue.length += 1
        try:
            async with queue.turn:
                return await trio.to_thread.run_sync(work, limiter=self._place)
        finally:
            queue.length -= 1
            if not queue.length:
                del self._queues[user]


class _Queue:
    """Bodies of one user."""

    def __init__(self) -> None:
        self.turn = trio.Lock()  # goes to who has waited longest
        self.length = 0
