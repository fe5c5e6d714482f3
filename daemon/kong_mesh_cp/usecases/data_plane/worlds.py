"""The worlds of the meshes that have connected proxies: read once, then kept by the changes.

Of other meshes nothing is held with its types. A world is dropped some time after the last proxy of
its mesh has left, so that proxies that come back together do not have it read again.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final, NamedTuple, NoReturn

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.go_quote import go_quote
from kong_mesh_cp.core.formats.go_values import ParseError
from kong_mesh_cp.core.meshes.virtual_addresses import config_name, mesh_of_config
from kong_mesh_cp.core.policy.rules.policy import TRAITS, Meta
from kong_mesh_cp.core.policy.rules.specs import policy_of
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.kinds.config import Config
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.resources.registry import Policy as PolicyParts
from kong_mesh_cp.core.xds.indexed_mesh import (
    IndexedMesh,
    Item,
    WorldRules,
    indexed_mesh,
    next_mesh,
)
from kong_mesh_cp.core.xds.reach import Reached, reached
from kong_mesh_cp.core.xds.world import MeshWorld
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import (
    FeedItem,
    ResourceChange,
    ResourceStore,
    Selection,
    StoredResource,
)
from kong_mesh_cp.usecases.resources.documents import members, resource_of, spec_document
from kong_mesh_cp.usecases.resources.reader import MESH
from kong_mesh_cp.usecases.resources.sweeping import read_in_slices

_LEGACY: Final = tuple(each.name for each in TYPES.values() if each.policy is PolicyParts.LEGACY)
OF_A_MESH: Final = (
    "Dataplane",
    "ExternalService",
    "MeshExternalService",
    "MeshGateway",
    "MeshMultiZoneService",
    "MeshService",
    "ServiceInsight",
    *TRAITS,
    *_LEGACY,
)
OF_ALL_MESHES: Final = ("HostnameGenerator", "ZoneEgress", "ZoneIngress")
CONFIG: Final = "Config"
FOLLOWED: Final = (MESH, CONFIG, *OF_A_MESH, *OF_ALL_MESHES)
"""What decides about what proxies are told."""

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
    ) -> dict[ResourceKey, Version | None]:
        """Of what `mesh` has in the store: what is not as it is kept, and which version it has."""
        live = self._live.get(mesh)
        if live is None or live.is_unread or live.index is None:
            return {}
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
        return _from_scratch(items, ResourceKey(MESH, "", mesh), self._rules)

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
            found = self._live.get(_mesh_of(item.key) or "")
            if found is None:
                return
            found.changed.setdefault(item.key, now)
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
        if live.is_unread:
            live.is_unread = False
            live.changed.clear()
            try:
                await self._read_all(mesh, live)
            except BaseException:
                live.is_unread = True
                raise
            live.read_once.set()
        elif live.changed:
            changed, live.changed = live.changed, {}
            try:
                await self._read_changed(mesh, live, changed)
            except BaseException:
                live.changed = {**changed, **live.changed}
                raise

    async def _read_all(self, mesh: str, live: _Live) -> None:
        """All of the mesh; of what was read before only what is another one."""
        began = trio.current_time()
        found = await self.stored(mesh)
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
        await self._apply(mesh, live, found, changed.keys(), min(changed.values()))

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
            live.index = _from_scratch(changes, own, self._rules)
            if live.index is None:
                live.versions.clear()  # what is there without its mesh is read when that comes
            else:
                self._told(mesh, Reached(everybody=True), since)
        elif changes:
            live.index = next_mesh(before, changes)
            self._told(mesh, reached(before, live.index, changes.keys()), since)


async def stored_of_mesh(store: ResourceStore, mesh: str) -> dict[ResourceKey, StoredResource]:
    """All that decides about the proxies of `mesh`, of one moment. Raises: StateError."""
    pages = await store.list_together(
        [
            Selection(type=MESH, mesh="", name_contains=mesh),
            Selection(type=CONFIG, mesh="", name_contains=config_name(mesh)),
            *(Selection(type=each, mesh=mesh) for each in OF_A_MESH),
            *(Selection(type=each) for each in OF_ALL_MESHES),
        ]
    )
    return {
        each.key: each
        for page in pages
        for each in page.items
        if each.key.type not in (MESH, CONFIG) or _mesh_of(each.key) == mesh
    }


async def world_now(store: ResourceStore, mesh: str, rules: WorldRules) -> MeshWorld | None:
    """`mesh` read afresh; None: there is none. Raises: StateError."""
    found = await stored_of_mesh(store, mesh)
    items = await read_items([*found.values()])
    index = _from_scratch(items, ResourceKey(MESH, "", mesh), rules)
    return None if index is None else index.world


def _mesh_of(key: ResourceKey) -> str | None:
    """The mesh whose world it is a part of."""
    if key.type == CONFIG:
        return mesh_of_config(key.name)
    return key.name if key.type == MESH else key.mesh


def _version(stored: StoredResource) -> Version:
    return Version(stored.version, stored.created_at, stored.modified_at)


def _from_scratch(
    items: Mapping[ResourceKey, Item | None], own: ResourceKey, rules: WorldRules
) -> IndexedMesh | None:
    mesh = items.get(own)
    if not isinstance(mesh, Resource) or not has_spec(mesh, Mesh):
        return None
    others = (item for key, item in items.items() if key != own and item is not None)
    return indexed_mesh(mesh, others, rules)


async def read_items(stored: Sequence[StoredResource]) -> dict[ResourceKey, Item]:
    """What generation reads of each; without those that cannot be read, which are logged."""
    found = await read_in_slices(stored, _read_some)
    return {each.key: item for each, item in zip(stored, found, strict=True) if item is not None}


def _read_some(some: Sequence[StoredResource]) -> list[Item | None]:
    return [_item(each) for each in some]


def _item(stored: StoredResource) -> Item | None:
    key = stored.key
    try:
        if key.type in TRAITS:
            meta = Meta(key.type, key.mesh, key.name, stored.labels)
            return policy_of(meta, spec_document(stored))
        return _config(stored) if key.type == CONFIG else resource_of(stored)
    except (ParseError, InvalidResourceError) as error:
        log.error(
            "xds-resource-not-read: %s %s of mesh %s is as if it were not there for proxies: %s."
            " Write it anew.",
            key.type,
            go_quote(key.name),
            go_quote(key.mesh),
            go_quote(str(error)),
        )
        return None


def _config(stored: StoredResource) -> Resource[object]:
    """A record of the control plane's own, which no client sees and no kind is for."""
    text = members(stored).get("config")
    return Resource(
        type=CONFIG,
        mesh="",
        name=stored.key.name,
        labels=stored.labels,
        spec=Config(config=text if isinstance(text, str) else ""),
        created_at=stored.created_at,
        modified_at=stored.modified_at,
        version=stored.version,
    )
