"""The zone as its proxies see it: all meshes, kept up to date while a zone proxy is connected.

What a change of a mesh touches is found by comparing the mesh with what it was (`zone_reach`).
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NoReturn

import trio

from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.zone_proxies import ZoneIngress
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.xds.reach import Reached
from kong_mesh_cp.core.xds.world import MeshWorld
from kong_mesh_cp.usecases.data_plane.mesh_contents import read_items
from kong_mesh_cp.usecases.data_plane.publishing.worlds import Worlds
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_types import EGRESS, INGRESS
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import ChangeKind, ResourceChange, Selection
from kong_mesh_cp.usecases.resources.reader import MESH

if TYPE_CHECKING:
    from kong_mesh_cp.core.xds.zone_proxies import passed_on, zone_reach, zone_view
    from kong_mesh_cp.core.xds.zone_proxies.zone_reach import ZoneReached
else:  # they bring Envoy's messages
    passed_on = lazy_import("kong_mesh_cp.core.xds.zone_proxies.passed_on")
    zone_reach = lazy_import("kong_mesh_cp.core.xds.zone_proxies.zone_reach")
    zone_view = lazy_import("kong_mesh_cp.core.xds.zone_proxies.zone_view")

log = logging.getLogger(__name__)

NO_MESH: Final = ""  # as which publishing knows the zone

ZoneTold = Callable[[Reached, bool, float], None]
"""Whom a change touches, whether what the zone offers to others is something else, and since when
(as `trio.current_time`).
"""


class ZoneWorlds:
    """`LiveWorlds` of the zone. Belongs to the event loop."""

    def __init__(self, worlds: Worlds, replica: Replica, *, zone: str, changed: ZoneTold) -> None:
        self._worlds = worlds
        self._replica = replica
        self._zone = zone
        self._changed = changed
        self._holders = 0
        self._needed = trio.Event()
        self._read_once = trio.Event()
        self._proxies: dict[str, dict[str, Resource[object]]] = {EGRESS: {}, INGRESS: {}}
        self._held: dict[str, trio.CancelScope] = {}
        self._told: dict[str, MeshWorld] = {}  # each mesh as it was when its proxies were told
        self._nursery: trio.Nursery | None = None

    @asynccontextmanager
    async def held(self, _mesh: str) -> AsyncIterator[None]:
        """Inside of `async with`, all meshes are kept up to date."""
        self._holders += 1
        self._needed.set()
        try:
            await self._read_once.wait()
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                # As the worlds do: proxies that come back find what was read.
                self._needed = trio.Event()
                self._read_once = trio.Event()
                self._held.clear()
                self._told.clear()
                if self._nursery is not None:
                    self._nursery.cancel_scope.cancel()

    def world(self, _mesh: str) -> zone_view.ZoneWorld | None:
        """As it is now; None: nobody holds it."""
        if not self._holders or not self._read_once.is_set():
            return None
        found = ((name, self._worlds.world(name)) for name in sorted(self._held))
        return zone_view.ZoneWorld(
            zone=self._zone,
            meshes={name: world for name, world in found if world is not None},
            ingresses=_by_name(self._proxies[INGRESS]),
            egresses=_by_name(self._proxies[EGRESS]),
        )

    def meshes(self) -> list[str]:
        """Those that are held."""
        return [*self._held]

    def told(self, mesh: str, since: float) -> None:
        """The world of `mesh` is another one."""
        if mesh not in self._held:
            return
        before, now = self._told.get(mesh), self._worlds.world(mesh)
        self._note(mesh)
        self._reach(zone_reach.zone_reached(before, now), since)

    async def run(self) -> NoReturn:
        """Follow the zone while it is held, until cancelled."""
        while True:
            await self._needed.wait()
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._follow)
            self._nursery = None
            await trio.lowlevel.checkpoint()

    async def _follow(self) -> None:
        await self._replica.follow(
            {MESH, EGRESS, INGRESS},
            read=self._read,
            take=self._take,
            outcomes=FailureLog(log, "zone-not-read", "zone-read-again"),
        )

    async def _read(self) -> None:
        store = self._replica.store
        meshes, *pages = await store.list_together(
            [Selection(type=MESH), Selection(type=EGRESS), Selection(type=INGRESS)]
        )
        for type_name, page in zip((EGRESS, INGRESS), pages, strict=True):
            items = await read_items([*page.items])
            self._proxies[type_name] = {
                key.name: item for key, item in items.items() if isinstance(item, Resource)
            }
        names = {each.key.name for each in meshes.items}
        for name in [each for each in self._held if each not in names]:
            self._drop(name)
        for name in sorted(names):
            await self._hold(name)
        self._read_once.set()
        self._reach(zone_reach.EVERYTHING, trio.current_time())

    async def _take(self, change: ResourceChange) -> None:
        key = change.key
        if key.type == MESH:
            if change.kind is ChangeKind.DELETED:
                self._drop(key.name)
            else:
                await self._hold(key.name)
        else:
            await self._read_proxy(key)

    async def _read_proxy(self, key: ResourceKey) -> None:
        stored = await self._replica.store.get(key)
        items = await read_items([] if stored is None else [stored])
        item, proxies = items.get(key), self._proxies[key.type]
        before = proxies.pop(key.name, None)
        now = item if isinstance(item, Resource) else None
        if now is not None:
            proxies[key.name] = now
        if before is not None and now is not None and before.spec == now.spec:
            return
        # Of other zones' ingresses all egresses go by what they offer.
        is_remote = any(self._is_remote(each) for each in (before, now))
        names = {key.name, *(self._proxies[EGRESS] if is_remote else ())}
        self._changed(Reached(proxies=frozenset(names)), key.type == INGRESS, trio.current_time())

    def _is_remote(self, proxy: Resource[object] | None) -> bool:
        if proxy is None or not has_spec(proxy, ZoneIngress):
            return False
        return proxy.spec.zone not in ("", self._zone)

    def _reach(self, reached: ZoneReached, since: float) -> None:
        if not reached:
            return
        names = (
            *(self._proxies[EGRESS] if reached.egresses else ()),
            *(self._proxies[INGRESS] if reached.ingresses else ()),
        )
        by_tags = (passed_on.asked_by_tags(e) for e in reached.endpoints if isinstance(e, str))
        found = Reached(
            everybody=reached.egresses and reached.ingresses,
            proxies=frozenset(names),
            callers_of=frozenset(by_tags),
            endpoints=reached.endpoints,
        )
        self._changed(found, reached.is_offered, since)

    def _note(self, mesh: str) -> None:
        world = self._worlds.world(mesh)
        if world is None:
            self._told.pop(mesh, None)
        else:
            self._told[mesh] = world

    async def _hold(self, mesh: str) -> None:
        """Until it is read."""
        if mesh in self._held or self._nursery is None:
            return
        scope = self._held[mesh] = trio.CancelScope()
        await self._nursery.start(self._hold_until_dropped, mesh, scope)
        self._note(mesh)
        self._reach(zone_reach.EVERYTHING, trio.current_time())

    async def _hold_until_dropped(
        self, mesh: str, scope: trio.CancelScope, task_status: trio.TaskStatus[None]
    ) -> None:
        with scope:
            async with self._worlds.held(mesh):
                task_status.started()
                await trio.sleep_forever()

    def _drop(self, mesh: str) -> None:
        scope = self._held.pop(mesh, None)
        if scope is not None:
            scope.cancel()
            self._told.pop(mesh, None)
            self._reach(zone_reach.EVERYTHING, trio.current_time())


def _by_name(resources: Mapping[str, Resource[object]]) -> dict[str, Resource[object]]:
    return {name: resources[name] for name in sorted(resources)}
