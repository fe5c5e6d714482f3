"""Writes into the ingresses of a zone what other zones reach through them.

While an ingress is connected here: what nobody passes on need not be said. Where there are other
zones (`offer_anyway`), it is said before an ingress comes. Several control planes write the same.

Source: docs/wire/zone-proxies.md#available-services
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NoReturn

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.zone_proxies import AvailableService, ZoneIngress
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_types import INGRESS
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.ports.resource_store import (
    ChangeRefusedError,
    Put,
    ResourceStore,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.documents import readable_as, spec_text
from kong_mesh_cp.usecases.resources.kinds import KINDS

if TYPE_CHECKING:
    from kong_mesh_cp.core.xds import parts as xds_parts
    from kong_mesh_cp.core.xds.world import MeshWorld
    from kong_mesh_cp.core.xds.zone_proxies import available_services
    from kong_mesh_cp.core.xds.zone_proxies.zone_view import ZoneWorld
else:  # with the first ingress
    xds_parts = lazy_import("kong_mesh_cp.core.xds.parts")
    available_services = lazy_import("kong_mesh_cp.core.xds.zone_proxies.available_services")

REST_SECONDS: Final = 0.5  # between two looks: a storm of changes is told a few times
RETRY_SECONDS: Final = 1.0  # after the store has failed

log = logging.getLogger(__name__)


class Offering:
    """Belongs to the event loop."""

    def __init__(
        self,
        store: ResourceStore,
        world: Callable[[], ZoneWorld | None],
        *,
        is_wanted: Callable[[], bool],
        tag_prefixes: Sequence[str],
        wall_clock: WallClock,
    ) -> None:
        """`is_wanted`: some ingress is connected here. `tag_prefixes`: see `available_services`."""
        self._store = store
        self._world = world
        self._is_wanted = is_wanted
        self._is_offered_anyway = False
        self._tag_prefixes = tuple(tag_prefixes)
        self._wall_clock = wall_clock
        self._parts: xds_parts.Parts | None = None
        # What was found last, and in which worlds.
        self._found: tuple[tuple[MeshWorld, ...], tuple[AvailableService, ...]] = (), ()
        self._news = trio.Event()
        self._complaints = FailureLog(
            log, "available-services-not-written", "available-services-written-again"
        )

    def changed(self) -> None:
        """Something in the zone is another one, or an ingress has joined."""
        self._news.set()

    async def offer_anyway(self, held: AbstractAsyncContextManager[None]) -> NoReturn:
        """Also without an ingress here, until cancelled. `held`: what keeps the zone's world."""
        self._is_offered_anyway = True
        try:
            async with held:
                self.changed()
                await trio.sleep_forever()
        finally:
            self._is_offered_anyway = False

    async def run(self) -> NoReturn:
        """Until cancelled. A store that fails is asked again."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            try:
                await self.once()
            except StateError as error:
                self._complaints.failed(error)
                self._news.set()
                await trio.sleep(RETRY_SECONDS)
            else:
                self._complaints.succeeded()
            await trio.sleep(REST_SECONDS)

    async def once(self) -> None:
        """Raises: StateError."""
        world = self._world()
        if world is None or not (self._is_offered_anyway or self._is_wanted()):
            return
        found = self._available((*world.meshes.values(),))
        for ingress in world.ingresses.values():
            # That of an ingress of this zone may be empty.
            is_own = has_spec(ingress, ZoneIngress) and ingress.spec.zone in ("", world.zone)
            if is_own and has_spec(ingress, ZoneIngress):
                await self._write(ingress, found)

    def _available(self, worlds: tuple[MeshWorld, ...]) -> tuple[AvailableService, ...]:
        known, found = self._found
        if [*map(id, known)] == [*map(id, worlds)]:
            return found
        if self._parts is None:
            self._parts = xds_parts.Parts()
        self._parts.turn()
        found = available_services.available_services(worlds, self._tag_prefixes, self._parts)
        self._found = worlds, found
        return found

    async def _write(
        self, ingress: Resource[ZoneIngress], found: tuple[AvailableService, ...]
    ) -> None:
        if ingress.spec.available_services == found:
            return
        key = ResourceKey(INGRESS, "", ingress.name)
        stored = await self._store.get(key)
        spec = None if stored is None else readable_as(ZoneIngress, stored)
        if stored is None or spec is None or spec.available_services == found:
            return
        put = Put(
            key=key,
            spec=spec_text(KINDS[INGRESS], replace(spec, available_services=found)),
            labels=stored.labels,
            at=self._wall_clock(),
            if_version=stored.version,
        )
        try:
            await self._store.apply([put])
        except ChangeRefusedError:
            self._news.set()  # another writer was faster
