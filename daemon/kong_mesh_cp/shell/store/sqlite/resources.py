"""Resources in SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractContextManager

import trio

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.store.feed import ChangeFeed
from kong_mesh_cp.shell.store.sealed_documents import Rewrite
from kong_mesh_cp.shell.store.sqlite import resource_rows
from kong_mesh_cp.shell.store.sqlite.database import Database
from kong_mesh_cp.shell.store.unsound import UnsoundRows
from kong_mesh_cp.usecases.ports.resource_store import (
    Applied,
    Change,
    FeedItem,
    Page,
    Selection,
    StoredResource,
)

INLINE_KEYS_MAX = 16  # more are read in a thread: the loop must not wait for hundreds of rows


class SqliteResources:
    """`usecases.ports.resource_store.ResourceStore` over a database of this process alone."""

    def __init__(self, database: Database, revision: int) -> None:
        self._database = database
        self._feed = ChangeFeed(revision)
        self._unsound = UnsoundRows()

    async def revision(self) -> int:
        return await self._database.read(resource_rows.revision)

    async def get(self, key: ResourceKey) -> StoredResource | None:
        return (await self.get_many([key])).get(key)

    async def get_many(self, keys: Collection[ResourceKey]) -> Mapping[ResourceKey, StoredResource]:
        asked = tuple(keys)
        if not asked:
            await trio.lowlevel.checkpoint()
            return {}
        if len(asked) > INLINE_KEYS_MAX:
            return await self._database.scan(
                lambda c: resource_rows.get_many(c, asked, self._unsound)
            )
        return await self._database.look_up(
            lambda c: resource_rows.get_few(c, asked, self._unsound)
        )

    async def list(self, selection: Selection) -> Page:
        return await self._database.scan(lambda c: resource_rows.page(c, selection, self._unsound))

    async def list_together(self, selections: Sequence[Selection]) -> Sequence[Page]:
        asked = tuple(selections)
        return await self._database.scan(
            lambda c: [resource_rows.page(c, each, self._unsound) for each in asked]
        )

    async def apply(self, changes: Sequence[Change]) -> Applied:
        asked = tuple(changes)
        return await self._database.write(
            lambda c: resource_rows.apply(c, asked), lambda made: self._feed.publish(made.changes)
        )

    async def reseal(self, key_id: str, rewrite: Rewrite) -> int:  # noqa: ARG002 (the key's file tells)
        """`shell.store.sealed_documents.SealedRows`: nobody else uses the store."""
        return await self._database.write(lambda c: resource_rows.reseal(c, rewrite))

    async def sealed_by(self) -> Mapping[str, int]:
        return await self._database.scan(resource_rows.sealed_by)

    def changes(self, since: int | None = None) -> AbstractContextManager[AsyncIterator[FeedItem]]:
        return self._feed.reading(since)
