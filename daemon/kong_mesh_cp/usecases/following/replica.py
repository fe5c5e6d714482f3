"""The one follower of the store: what changes is handed to whom it concerns, by type."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Final, NoReturn, Protocol

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.usecases.following.mesh_context import MeshContext, MeshContexts
from kong_mesh_cp.usecases.following.pending import PendingChanges
from kong_mesh_cp.usecases.ports.resource_store import FeedItem, ResourceChange, ResourceStore

RETRY_SECONDS: Final = 1.0


class Outcomes(Protocol):
    """Gets to know whether a subscriber sees what is stored: a `FailureLog`, mostly."""

    def failed(self, error: StateError) -> None: ...
    def succeeded(self) -> None: ...


class Replica:
    """One feed of `store` for all of this process who follow a part of it.

    Subscribers do not wait for each other: each has changes pending, in bounded memory. What the
    store says of one mesh is kept by type until it changes, see `context`.
    """

    def __init__(self, store: ResourceStore) -> None:
        self.store = store
        self._subscribers: dict[PendingChanges, frozenset[str]] = {}
        self._contexts = MeshContexts(store)
        self._begun = trio.Event()  # the feed was opened, or could not be
        self._failure: StateError | None = None  # while there is no feed

    async def run(self) -> NoReturn:
        """Follow the store until cancelled. One that fails is asked again, as subscribers say."""
        while True:
            try:
                with self.store.changes() as feed:
                    self._failure = None
                    self._contexts.begin()
                    self._begun.set()
                    async for item in feed:
                        self._take(item)
            except StateError as error:
                self._lose(error)
            await trio.sleep(RETRY_SECONDS)

    async def context(self, mesh: str, types: Collection[str]) -> MeshContext:
        """The resources of `types` in `mesh` as they are now. Raises: StateError."""
        return await self._contexts.context(mesh, types)

    async def follow(
        self,
        types: Collection[str],
        *,
        read: Callable[[], Awaitable[None]],
        take: Callable[[ResourceChange], Awaitable[None]],
        outcomes: Outcomes,
        lost: Callable[[], None] = lambda: None,
    ) -> NoReturn:
        """`read` all there is, then `take` each change of `types`, until cancelled.

        `read` is called anew whenever changes may have been missed, and after a failure of the
        store, which is reported to `outcomes`. `lost` is called when changes are not seen until the
        next `read`.
        """
        while True:
            try:
                async with self.subscribed(types) as news:
                    await read()
                    outcomes.succeeded()
                    async for item in news:
                        if isinstance(item, ResourceChange):
                            await take(item)
                        else:
                            lost()
                            await read()
            except StateError as error:
                outcomes.failed(error)
            lost()
            await trio.sleep(RETRY_SECONDS)

    @asynccontextmanager
    async def subscribed(self, types: Collection[str]) -> AsyncIterator[AsyncIterator[FeedItem]]:
        """What happens to resources of `types` from inside of `async with` on.

        To miss nothing: enter, then read, then take what comes, as with `ResourceStore.changes`.
        Raises: StateError while the store tells no changes; so does waiting for the next item.
        """
        await self._begun.wait()
        if self._failure is not None:
            raise self._failure
        pending = PendingChanges()
        self._subscribers[pending] = frozenset(types)
        try:
            yield pending
        finally:
            self._subscribers.pop(pending, None)

    def _take(self, item: FeedItem) -> None:
        self._contexts.take(item)
        for pending, types in self._subscribers.items():
            if not isinstance(item, ResourceChange):
                pending.resync(item.revision)
            elif item.key.type in types:
                pending.add([item])

    def _lose(self, error: StateError) -> None:
        self._failure = error
        self._begun.set()
        self._contexts.end()
        # A subscriber that comes from now on is notified at once, or reads anew from the next feed.
        for pending in self._subscribers:
            pending.fail(error)
        self._subscribers.clear()
