"""Meshes in memory for admissions, which ask often and cannot wait for a store."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import ResourceChange, Selection, StoredResource

if TYPE_CHECKING:
    from kong_mesh_cp.core.resources.kinds import mesh as mesh_kind
    from kong_mesh_cp.core.resources.kinds.mesh import ProxyConstraints
    from kong_mesh_cp.core.schema import messages
else:
    mesh_kind = lazy_import("kong_mesh_cp.core.resources.kinds.mesh")
    messages = lazy_import("kong_mesh_cp.core.schema.messages")

MESH: Final = "Mesh"
LOOK_UP_SECONDS_MAX: Final = 1.0  # a store that is slow refuses who asks for an unknown mesh

log = logging.getLogger(__name__)


class StoredMeshes:
    """`usecases.ports.state_store.MeshDirectory` that follows what is stored.

    `awaited` are meshes that a start is about to make; they count as there until `settle`, so that
    the first proxies of a new control plane do not have to wait for keys to be made.
    """

    def __init__(self, replica: Replica, awaited: Sequence[str] = ()) -> None:
        self._replica = replica
        self._store = replica.store
        self._awaited = frozenset(awaited)
        self._stored: Mapping[str, ProxyConstraints | None] = {}
        self._names: tuple[str, ...] = tuple(sorted(self._awaited))
        self._unreadable: dict[str, tuple[int, datetime]] = {}  # logged, in this version
        self._news = trio.Event()
        self._reading = trio.Lock()  # what is read later must not be known earlier
        self.vanished: Callable[[str], None] = lambda _: None  # called with the mesh that is gone

    def names(self) -> Sequence[str]:
        return self._names

    async def exists(self, mesh: str) -> bool:
        if mesh not in self._names:
            # Whoever made the mesh a moment ago starts its proxies now, and news take a while.
            with trio.move_on_after(LOOK_UP_SECONDS_MAX), contextlib.suppress(StateError):
                await self._read_one(ResourceKey(MESH, "", mesh))
        return mesh in self._names

    async def made(self, mesh: str) -> None:
        while self.is_awaited(mesh):
            await self._news.wait()

    def is_awaited(self, mesh: str) -> bool:
        return mesh in self._awaited and mesh not in self._stored

    def constraints(self, mesh: str) -> ProxyConstraints | None:
        return self._stored.get(mesh)

    async def read(self) -> None:
        """Bring it up to date. Raises: StateError."""
        async with self._reading:
            found = await self._store.list(Selection(type=MESH))
            known: dict[str, ProxyConstraints | None] = {}
            for each in found.items:
                self._learn(known, each)
            self._know(known)

    async def settle(self) -> None:
        """What was awaited is there by now, or will not come. Raises: StateError."""
        await self.read()
        self._awaited = frozenset()
        self._know(self._stored)

    async def follow(self) -> None:
        """Take over every change, until cancelled. A store that fails is asked again."""
        await self._replica.follow(
            {MESH},
            read=self.read,
            take=self._take,
            outcomes=FailureLog(log, "meshes-not-read", "meshes-read-again"),
        )

    async def _take(self, item: ResourceChange) -> None:
        await self._read_one(item.key)

    async def _read_one(self, key: ResourceKey) -> None:
        """Raises: StateError."""
        async with self._reading:
            mesh = await self._store.get(key)
            if mesh is None and key.name not in self._stored:
                return
            known = dict(self._stored)
            known.pop(key.name, None)
            if mesh is not None:
                self._learn(known, mesh)
            self._know(known)

    def _learn(self, known: dict[str, ProxyConstraints | None], mesh: StoredResource) -> None:
        """Put `mesh` into `known`, unless its constraints are unknown: then no proxy joins."""
        version = (mesh.version, mesh.modified_at)
        try:
            known[mesh.key.name] = _constraints(mesh)
            self._unreadable.pop(mesh.key.name, None)
        except ParseError as error:
            if self._unreadable.get(mesh.key.name) != version:
                log.error(
                    "store-mesh-unreadable: the constraints of mesh %s cannot be read: %s; nobody "
                    "joins it. No release of this program has stored that: write the mesh anew.",
                    go_quote(mesh.key.name),
                    error.reason,
                )
            self._unreadable[mesh.key.name] = version

    def _know(self, stored: Mapping[str, ProxyConstraints | None]) -> None:
        before = self._names
        self._stored = stored
        self._names = tuple(sorted(stored.keys() | self._awaited))
        self._news.set()
        self._news = trio.Event()
        for mesh in before:
            if mesh not in self._names:
                self.vanished(mesh)


def _constraints(mesh: StoredResource) -> ProxyConstraints | None:
    """Raises: ParseError for what no release of this program has stored."""
    document = json.loads(mesh.spec).get("constraints")
    if document is None:
        return None
    # Most meshes have none, and a start does not wait for what reads resources.
    return messages.read_message(mesh_kind.Constraints, document).dataplane_proxy
