"""Changes that a reader of a feed has not taken yet, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Self

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import FeedItem, ResourceChange, Resync

PENDING_ITEMS_MAX: Final = 4096  # resources a reader may be behind with


class PendingChanges:
    """The last change of each resource, oldest first; more than PENDING_ITEMS_MAX are a Resync.

    Belongs to the event loop. To be iterated by one task: iterating waits for the next item.
    """

    def __init__(self) -> None:
        self._pending: dict[ResourceKey, ResourceChange] = {}
        self._resync: Resync | None = None
        self._failure: StateError | None = None
        self._news = trio.Event()

    def add(self, changes: Iterable[ResourceChange]) -> None:
        """`changes` are newer than what was added before."""
        for change in changes:
            self._pending.pop(change.key, None)  # so that it moves to the end
            self._pending[change.key] = change
            self._news.set()
        if len(self._pending) > PENDING_ITEMS_MAX:
            self.resync(next(reversed(self._pending.values())).revision)

    def resync(self, revision: int) -> None:
        """Changes up to `revision` may have been missed."""
        self._pending.clear()
        self._resync = Resync(revision)
        self._news.set()

    def fail(self, error: StateError) -> None:
        """No more will come: who waits for the next item gets `error`."""
        self._failure = error
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> FeedItem:
        """Raises: StateError, from `fail` on."""
        await self._news.wait()
        if self._failure is not None:
            raise self._failure
        if (resync := self._resync) is not None:
            self._resync = None
            self._settle()
            return resync
        change = self._pending.pop(next(iter(self._pending)))
        self._settle()
        return change

    def _settle(self) -> None:
        if not self._pending:
            self._news = trio.Event()
