"""Which meshes exist, for admissions: they ask often and cannot wait for a store."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.usecases.resource_ports import (
    ChangeKind,
    FeedItem,
    ResourceChange,
    ResourceStore,
    Selection,
)

MESH: Final = "Mesh"
RETRY_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


class StoredMeshes:
    """`usecases.ports.MeshDirectory` that follows a store.

    `awaited` are meshes that a start is about to make; they count as there until `settle`, so that
    the first proxies of a new control plane do not have to wait for keys to be made.
    """

    def __init__(self, store: ResourceStore, awaited: Sequence[str] = ()) -> None:
        self._store = store
        self._awaited = frozenset(awaited)
        self._stored: frozenset[str] = frozenset()
        self._names: tuple[str, ...] = tuple(sorted(self._awaited))

    def names(self) -> Sequence[str]:
        return self._names

    async def read(self) -> None:
        """Bring it up to date. Raises: StateError."""
        found = await self._store.list(Selection(type=MESH))
        self._know(frozenset(each.key.name for each in found.items))

    async def settle(self) -> None:
        """What was awaited is there by now, or will not come. Raises: StateError."""
        await self.read()
        self._awaited = frozenset()
        self._know(self._stored)

    async def follow(self) -> None:
        """Take over every change, until cancelled. A store that fails is asked again."""
        while True:
            try:
                with self._store.changes() as feed:
                    await self.read()
                    async for item in feed:
                        await self._take(item)
            except StateError as error:
                log.error("meshes-not-read: %s; trying again. %s", error.message, error.hint)
            await trio.sleep(RETRY_SECONDS)

    async def _take(self, item: FeedItem) -> None:
        if not isinstance(item, ResourceChange):
            await self.read()
        elif item.key.type == MESH:
            name = frozenset((item.key.name,))
            gone = item.kind is ChangeKind.DELETED
            self._know(self._stored - name if gone else self._stored | name)

    def _know(self, stored: frozenset[str]) -> None:
        self._stored = stored
        self._names = tuple(sorted(stored | self._awaited))
