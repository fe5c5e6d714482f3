"""Resources in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractContextManager

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.store.feed import ChangeFeed
from kong_mesh_cp.shell.store.postgres import rows, secret_key_id
from kong_mesh_cp.shell.store.postgres.committing import Committer
from kong_mesh_cp.shell.store.postgres.connections import Connection, Connections, transaction
from kong_mesh_cp.shell.store.sealed_documents import Rewrite
from kong_mesh_cp.shell.store.unsound import UnsoundRows
from kong_mesh_cp.usecases.ports.resource_store import (
    Applied,
    Change,
    FeedItem,
    Page,
    Selection,
    StoredResource,
)


class PostgresResources:
    """`usecases.ports.resource_store.ResourceStore`, shared with other control planes."""

    def __init__(
        self, connections: Connections, committer: Committer, feed: ChangeFeed, instance: str
    ) -> None:
        self._instance = instance
        self._connections = connections
        self._committer = committer
        self._feed = feed
        self._unsound = UnsoundRows()

    async def revision(self) -> int:
        return await self._connections.use(rows.revision)

    async def get(self, key: ResourceKey) -> StoredResource | None:
        return (await self.get_many([key])).get(key)

    async def get_many(self, keys: Collection[ResourceKey]) -> Mapping[ResourceKey, StoredResource]:
        asked = tuple(keys)
        return await self._connections.use(lambda c: rows.get_many(c, asked, self._unsound))

    async def list(self, selection: Selection) -> Page:
        return await self._connections.use(lambda c: rows.page(c, selection, self._unsound))

    async def list_together(self, selections: Sequence[Selection]) -> Sequence[Page]:
        asked = tuple(selections)
        if not asked:
            return ()
        return await self._connections.use(lambda c: rows.pages(c, asked, self._unsound))

    async def apply(self, changes: Sequence[Change]) -> Applied:
        return await self._committer.apply(tuple(changes))

    async def reseal(self, key_id: str, rewrite: Rewrite) -> int:
        """`shell.store.sealed_documents.SealedRows`."""
        return await self._connections.use(
            lambda c: transaction(c, lambda held: self._reseal(held, key_id, rewrite))
        )

    def _reseal(self, connection: Connection, key_id: str, rewrite: Rewrite) -> int:
        secret_key_id.replace(connection, key_id, self._instance)
        return rows.reseal(connection, rewrite)

    async def sealed_by(self) -> Mapping[str, int]:
        return await self._connections.use(rows.sealed_by)

    def changes(self, since: int | None = None) -> AbstractContextManager[AsyncIterator[FeedItem]]:
        return self._feed.reading(since)
