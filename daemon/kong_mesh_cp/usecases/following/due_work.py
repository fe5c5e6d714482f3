"""Following the store and working in turn: what comes is noted at once, and worked off when due."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Final, NoReturn

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.usecases.following.replica import Outcomes, Replica
from kong_mesh_cp.usecases.ports.resource_store import FeedItem

RETRY_SECONDS: Final = 5.0  # after the store has failed


async def work_on_changes(
    replica: Replica,
    types: Collection[str],
    *,
    begin: Callable[[], None],
    take: Callable[[FeedItem], None],
    next_due: Callable[[], float],
    work: Callable[[], Awaitable[None]],
    outcomes: Outcomes,
) -> NoReturn:
    """`take` what happens to resources of `types`, and `work` whenever `next_due`, as
    `trio.current_time`, has come. Until cancelled.

    A store that fails, while one waits or works, is reported to `outcomes` and asked again. `begin`
    is called each time before the first item is taken: what was before may have been missed.
    `work` itself reports what succeeds.
    """
    while True:
        try:
            async with replica.subscribed(types) as news:
                begin()
                await _work_when_due(news, take, next_due, work)
        except StateError as error:
            outcomes.failed(error)
        await trio.sleep(RETRY_SECONDS)


async def _work_when_due(
    news: AsyncIterator[FeedItem],
    take: Callable[[FeedItem], None],
    next_due: Callable[[], float],
    work: Callable[[], Awaitable[None]],
) -> NoReturn:
    """All raise through; waiting for the next item raises StateError."""
    while True:
        if next_due() <= trio.current_time():
            await work()
            continue
        # One scope for all that comes until then: every write to the store comes by here.
        with trio.move_on_at(next_due()) as waiting:
            while waiting.deadline > trio.current_time():
                take(await anext(news))
                waiting.deadline = next_due()
