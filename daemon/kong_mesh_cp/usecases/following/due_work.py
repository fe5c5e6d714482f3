"""Following the store and working in turn: what comes is noted at once, and worked off when due."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NoReturn

import trio

from kong_mesh_cp.usecases.ports.resource_store import FeedItem


async def work_when_due(
    news: AsyncIterator[FeedItem],
    *,
    take: Callable[[FeedItem], None],
    next_due: Callable[[], float],
    work: Callable[[], Awaitable[None]],
) -> NoReturn:
    """`take` each item of `news`, and `work` whenever `next_due`, as `trio.current_time`, has come.

    Both raise through; waiting for the next item raises StateError.
    """
    while True:
        if next_due() <= trio.current_time():
            await work()
            continue
        # One scope for all that comes until then: every write to the store comes by here.
        with trio.move_on_at(next_due()) as waiting:
            while waiting.deadline > trio.current_time():
                take(await anext(news))
                waiting.deadline = next_due()
