"""Follows the changes of a store until cancelled."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.ports.resource_store import ResourceChange, ResourceStore

RETRY_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


async def follow(
    store: ResourceStore,
    *,
    read: Callable[[], Awaitable[None]],
    take: Callable[[ResourceChange], Awaitable[None]],
    failing: str,
    again: str,
    lost: Callable[[], None] = lambda: None,
) -> NoReturn:
    """`read` all there is, then `take` each change. A store that fails is asked again.

    `read` is called anew whenever changes may have been missed. `failing` and `again` are
    the codes with which a failure and its end are logged, once each; `lost` is called when changes
    are not seen until the next `read`.
    """
    complaints = FailureLog(log, failing, again)
    while True:
        try:
            with store.changes() as feed:
                await read()
                complaints.succeeded()
                async for item in feed:
                    if isinstance(item, ResourceChange):
                        await take(item)
                    else:
                        lost()
                        await read()
        except StateError as error:
            complaints.failed(error)
        lost()
        await trio.sleep(RETRY_SECONDS)
