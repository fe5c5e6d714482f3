"""What is made for the first who asks, because a start need not wait for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

T = TypeVar("T")


def lazy(make: Callable[[], T]) -> Callable[[], Awaitable[T]]:
    """What `make` returns, each time the same.

    It runs in a thread: what it imports would hold up everybody else.
    """
    made: T | None = None
    making = trio.Lock()

    async def get() -> T:
        nonlocal made
        async with making:
            if made is None:
                made = await trio.to_thread.run_sync(make)
        return made

    return get
