"""The worlds of the meshes that have connected proxies: read once, then kept by the changes.

Of other meshes nothing is held with its types. A world is dropped some time after the last proxy of
its mesh has left, so that proxies that come back together do not have it read again.
"""

from __future__ import annotations

import logging
import math
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import datetime
from typing import Final, NamedTuple, NoReturn

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.xds.indexed_mesh import (
    IndexedMesh,
    WorldRules,
    next_mesh,
)
from kong_mesh_cp.core.xds.reach import Reached, reached
from kong_mesh_cp.core.xds.world import MeshWorld
from kong_mesh_cp.usecases.data_plane.mesh_contents import (
    FOLLOWED,
    GATEWAY,
    OF_ALL_MESHES,
    SEEN_BY_OTHERS,
    crossed_meshes,
    from_scratch,
    is_seen_by_others,
    mesh_of,
    read_items,
    stored_of_mesh,
)
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import (
    FeedItem,
    ResourceChange,
    StoredResource,
)
from kong_mesh_cp.usecases.resources.reader import MESH

KEPT_SECONDS: Final = 300.0  # after the last proxy of a mesh has left
RETRY_SECONDS: Final = 1.0  # after the store has failed
KEYS_READ_AT_ONCE: Final = 200

Told = Callable[[str, Reached, float], None]
"""The world of a mesh is another one, for whom, and since when (as `trio.current_time`)."""

log = logging.getLogger(__name__)


class Version(NamedTuple):
    """Which text of a resource was read: versions begin anew with what is made anew."""

    number: int
    created_at: datetime
    modified_at: datetime


class _Live:
    """One mesh that is kept."""

    def __init__(self) -> None:
        self.holders = 0
        self.drop_at = math.inf
        self.index: IndexedMesh | None = None
        self.versions: dict[ResourceKey, Version] = {}
        self.is_unread = True
        self.changed: dict[ResourceKey, float] = {}  # since when; what was not read yet
        self.read_once = trio.Event()
        # Meshes with gateways for others, of which it has their Meshes and the gateways' proxies.
        self.crossed: frozenset[str] = frozenset()

    def sees(self, key: ResourceKey) -> bool:
        """Whether what another mesh has may be its business."""
        if key.type == GATEWAY:
            return True  # it may be the first one
        if key.type == MESH:
            return bool(self.crossed)
        return key.type in SEEN_BY_OTHERS and key.mesh in self.crossed


@contextmanager
def _unless(undo: Callable[[], object]) -> Iterator[None]:
    """`undo` what was taken for done, unless what is inside comes to its end."""
    with ExitStack() as stack:
        stack.callback(undo)
        yield
        stack.pop_all()


class Worlds:
    """Belongs to the event loop."""

    def __init__(self, replica: Replica, *, rules: WorldRules, told: Told) -> None:
        self._replica = replica
        self._store = replica.store
        self._rules = rules
        self._told = told
        self._live: dict[str, _Live] = {}
        self._needed = trio.Event()  # some mesh is held
        self._following = trio.Event()  # changes are noted
        self._news = trio.Event()
        self._failures = FailureLog(log, "worlds-not-read", "worlds-read-again")

    @asynccontextmanager
    async def held(self, mesh: str) -> AsyncIterator[None]:
        """Inside of `async with`, `mesh` is kept up to date. Entering waits until it was read."""
        live = self._live.setdefault(mesh, _Live())
        live.holders += 1
        live.drop_at = math.inf
        self._needed.set()
        self._news.set()
        try:
            await live.read_once.wait()
            yield
        finally:
            live.holders -= 1
            if not live.holders:
                live.drop_at = trio.current_time() + KEPT_SECONDS
                self._news.set()

    def world(self, mesh: str) -> MeshWorld | None:
        """As it is now; None: there is no such mesh, or nobody holds it."""
        index = self.index(mesh)
        return None if index is None else index.world

    def index(self, mesh: str) -> IndexedMesh | None:
        """As `world`, with its indexes."""
        live = self._live.get(mesh)
        return None if live is None else live.index

    def differing(
        self, mesh: str, stored: Mapping[ResourceKey, StoredResource]
    ) -> dict[ResourceKey, Version | None] | None:
        """Of what `mesh` has in the store: what is not as it is kept, and which version it has.
        None: what is kept is of before, and is about to be read; or nothing is kept.
        """
        live = self._live.get(mesh)
        if live is None or live.is_unread or live.index is None:
            return None
        now = {key: _version(each) for key, each in stored.items()}
        return {
            key: now.get(key)
            for key in now.keys() | live.versions.keys()
            if now.get(key) != live.versions.get(key)
        }

    def read_again(self, mesh: str, keys: Iterable[ResourceKey]) -> None:
        """As if these were told to have changed now."""
        live = self._live.get(mesh)
        if live is not None:
            live.changed |= {key: trio.current_time() for key in keys}
            self._news.set()

    async def from_scratch(
        self, mesh: str, stored: Mapping[ResourceKey, StoredResource]
    ) -> IndexedMesh | None:
        """What `stored`, all of `mesh`, comes to; None: there is no such mesh."""
        items = await read_items([*stored.values()])
        return from_scratch(items, ResourceKey(MESH, "", mesh), self._rules)

    def replace(self, mesh: str, before: IndexedMesh, after: IndexedMesh) -> None:
        """Keep `after` instead of `before`, which says the same, unless something came between."""
        live = self._live.get(mesh)
        if live is not None and live.index is before:
            live.index = after

    async def run(self) -> NoReturn:
        """Keep what is held up to date, until cancelled. A store that fails is asked again."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow)
            await self._keep()

    async def _follow(self) -> NoReturn:
        """Note what changes, while anything is held."""
        while True:
            await self._needed.wait()
            try:
                async with self._replica.subscribed(FOLLOWED) as news:
                    for live in self._live.values():
                        live.is_unread = True
                    self._following.set()
                    self._news.set()
                    async for item in news:
                        self._note(item)
                        if not self._live:
                            break
            except StateError as error:
                self._failures.failed(error)
                self._following = trio.Event()
                await trio.sleep(RETRY_SECONDS)
            else:
                self._following = trio.Event()
                self._needed = trio.Event()
                if self._live:
                    self._needed.set()

    def _note(self, item: FeedItem) -> None:
        now = trio.current_time()
        if not isinstance(item, ResourceChange):
            for live in self._live.values():
                live.is_unread = True
        elif item.key.type in OF_ALL_MESHES:
            for live in self._live.values():
                live.changed.setdefault(item.key, now)
        else:
            own = mesh_of(item.key)
            for mesh, live in self._live.items():
                if mesh == own or live.sees(item.key):
                    live.changed.setdefault(item.key, now)
                    self._news.set()
            return
        self._news.set()

    async def _keep(self) -> NoReturn:
        while True:
            with trio.move_on_at(
                min((each.drop_at for each in self._live.values()), default=math.inf)
            ):
                await self._news.wait()
            await self._following.wait()
            self._news = trio.Event()
            self._drop()
            try:
                for mesh, live in [*self._live.items()]:
                    await self._read(mesh, live)
            except StateError as error:
                self._failures.failed(error)
                await trio.sleep(RETRY_SECONDS)
                self._news.set()
            else:
                self._failures.succeeded()

    def _drop(self) -> None:
        now = trio.current_time()
        for mesh, live in [*self._live.items()]:
            if live.drop_at <= now:
                del self._live[mesh]

    async def _read(self, mesh: str, live: _Live) -> None:
        """Raises: StateError; then the same is to be read again."""
        if live.is_unread:
            live.is_unread = False
            live.changed.clear()
            with _unless(lambda: setattr(live, "is_unread", True)):
                await self._read_all(mesh, live)
            live.read_once.set()
        elif live.changed:
            changed, live.changed = live.changed, {}
            with _unless(lambda: live.changed.update(changed)):
                await self._read_changed(mesh, live, changed)

    async def _read_all(self, mesh: str, live: _Live) -> None:
        """All of the mesh; of what was read before only what is another one."""
        began = trio.current_time()
        found = await self.stored(mesh)
        live.crossed = crossed_meshes(found.values())
        known = live.versions
        keys = [
            key
            for key in known.keys() | found.keys()
            if key not in found or _version(found[key]) != known.get(key)
        ]
        await self._apply(mesh, live, found, keys, began)

    async def _read_changed(
        self, mesh: str, live: _Live, changed: Mapping[ResourceKey, float]
    ) -> None:
        keys = [*changed]
        found: dict[ResourceKey, StoredResource] = {}
        for start in range(0, len(keys), KEYS_READ_AT_ONCE):
            found |= await self._store.get_many(keys[start : start + KEYS_READ_AT_ONCE])
        if ResourceKey(MESH, "", mesh) in changed and live.index is None:
            live.is_unread = True  # it is there again, and what is in it may be so, too
            self._news.set()
            return
        seen = {
            key: each
            for key, each in found.items()
            if mesh_of(key) in (mesh, "") or is_seen_by_others(each)
        }
        # What is nobody's business in other meshes is as if it were not there.
        wanted = [key for key in keys if key in seen or key in live.versions]
        if not wanted:
            return
        await self._apply(mesh, live, seen, wanted, min(changed.values()))
        if (
            any(key.type == GATEWAY for key in wanted)
            and live.index is not None
            and live.index.world.with_gateways != live.crossed
        ):
            live.is_unread = True  # other meshes come into sight, or go out of it
            self._news.set()

    async def stored(self, mesh: str) -> dict[ResourceKey, StoredResource]:
        """All that the world of `mesh` is made of, of one moment. Raises: StateError."""
        return await stored_of_mesh(self._store, mesh)

    async def _apply(
        self,
        mesh: str,
        live: _Live,
        found: Mapping[ResourceKey, StoredResource],
        keys: Collection[ResourceKey],
        since: float,
    ) -> None:
        """`found` is what there is of `keys` now."""
        read = await read_items([found[key] for key in keys if key in found])
        changes = {key: read.get(key) for key in keys}
        for key in keys:
            if key in found:
                live.versions[key] = _version(found[key])
            else:
                live.versions.pop(key, None)
        own = ResourceKey(MESH, "", mesh)
        if own in changes and changes[own] is None:
            # With a mesh all goes that is in it. Its proxies keep what they have.
            live.index = None
            live.versions.clear()
            return
        before = live.index
        if before is None:
            live.index = from_scratch(changes, own, self._rules)
            if live.index is None:
                live.versions.clear()  # what is there without its mesh is read when that comes
            else:
                self._told(mesh, Reached(everybody=True), since)
        elif changes:
            live.index = next_mesh(before, changes)
            self._told(mesh, reached(before, live.index, changes.keys()), since)


def _version(stored: StoredResource) -> Version:
    return Version(stored.version, stored.created_at, stored.modified_at)
