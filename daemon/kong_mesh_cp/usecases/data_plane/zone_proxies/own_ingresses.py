"""Whether a zone has ingresses of its own in the store, connected or not.

A zone of a global control plane tells the other zones what it offers as soon as it has one: they
learn that from the resource, and Envoy may come later, or to another control plane.

Source: docs/wire/zone-proxies.md#available-services
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn

import trio

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.zone_sync.belonging import FromGlobal
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_types import INGRESS
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import ResourceChange, Selection, StoredResource
from kong_mesh_cp.usecases.resources.sweeping import sweep

log = logging.getLogger(__name__)


class OwnIngresses:
    """Belongs to the event loop."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._keys: set[ResourceKey] = set()
        self._news = trio.Event()

    async def run_while_there(self, offer: Callable[[], Awaitable[object]]) -> NoReturn:
        """Run `offer` as long as there is one, each time anew, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow)
            while True:
                await self._wait(there=True)
                async with trio.open_nursery() as offering:
                    offering.start_soon(offer)
                    await self._wait(there=False)
                    offering.cancel_scope.cancel()

    async def _wait(self, *, there: bool) -> None:
        while bool(self._keys) is not there:
            await self._news.wait()

    async def _follow(self) -> NoReturn:
        await self._replica.follow(
            [INGRESS],
            read=self._read,
            take=self._take,
            outcomes=FailureLog(log, "own-ingresses-not-read", "own-ingresses-read-again"),
        )

    async def _read(self) -> None:
        stored = sweep(self._replica.store, Selection(type=INGRESS))
        self._keys = {each.key async for each in stored if _is_own(each)}
        self._tell()

    async def _take(self, change: ResourceChange) -> None:
        stored = await self._replica.store.get(change.key)
        if stored is not None and _is_own(stored):
            self._keys.add(change.key)
        else:
            self._keys.discard(change.key)
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()


def _is_own(stored: StoredResource) -> bool:
    return not FromGlobal().owns(stored.key, stored.labels)
