"""What Prometheus is told of all meshes: kept up to date with the store from the first question on.

Source: docs/wire/metrics.md#assignments
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Final, NoReturn

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.policy.rules.matched import MeshView
from kong_mesh_cp.core.policy.rules.mesh_resources import gateway_of
from kong_mesh_cp.core.policy.rules.policy import Meta
from kong_mesh_cp.core.policy.rules.specs import policy_of
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.following.mesh_context import MESH, MeshContext
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.monitoring.scrape_assignments import (
    DEFAULT_CLIENT,
    POLICY_TYPE,
    Assignment,
    MonitoredMesh,
)
from kong_mesh_cp.usecases.ports.resource_store import ResourceChange, Selection, StoredResource
from kong_mesh_cp.usecases.resources.documents import resource_as, spec_document
from kong_mesh_cp.usecases.resources.sweeping import in_slices, sweep

DATAPLANE: Final = "Dataplane"
GATEWAY: Final = "MeshGateway"
FOLLOWED: Final = (MESH, DATAPLANE, POLICY_TYPE, GATEWAY)
ASSIGNMENTS_AT_ONCE_MAX: Final = 500  # made a version of on the event loop; of more in a thread

_said = attrgetter(*(each.name for each in fields(Assignment)))

log = logging.getLogger(__name__)

ByClient = Mapping[str, Mapping[str, Assignment]]
"""The assignments of one mesh by client, then by the name of the proxy."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one client is told. Equal assignments have equal versions, at every control plane."""

    version: str
    assignments: tuple[Assignment, ...]


class MonitoredMeshes:
    """Belongs to the event loop. `run` is one of its tasks."""

    def __init__(self, replica: Replica, interval: float) -> None:
        """`interval`: seconds between two times that changes are looked at, at least."""
        self._replica = replica
        self._interval = interval
        self._meshes: dict[str, ByClient] = {}
        self._told: dict[str, Told] = {}
        self._due: set[str] = set()  # meshes to be looked at
        self._is_lost = True  # all of them
        self._is_followed = False
        self._not_before = -math.inf
        self._looking = trio.Lock()
        self._news = trio.Event()
        self._complaints = FailureLog(
            log,
            "monitoring-assignments-not-kept",
            "monitoring-assignments-kept-again",
            meanwhile="Prometheus is told what was known before",
        )

    async def run(self) -> NoReturn:
        """Follow the store until cancelled."""
        await self._replica.follow(
            FOLLOWED,
            read=self._read,
            take=self._take,
            outcomes=self._complaints,
            lost=self._lose,
        )

    async def fetch(
        self, client: str, known: str, seconds: float, stopping: trio.Event
    ) -> Told | None:
        """What `client` is told, as soon as it is another version than `known`.

        None: for `seconds` it was not, or a stop has begun. Without seconds nothing is waited for.
        Raises: StateError.
        """
        deadline = trio.current_time() + seconds
        while True:
            news = self._news
            await self._look()
            found = await self._of_client(client)
            if found.version != known:
                return found
            if trio.current_time() >= deadline or stopping.is_set():
                return None
            await self._wait(news, deadline, stopping)

    async def _wait(self, news: trio.Event, deadline: float, stopping: trio.Event) -> None:
        """Until something may be new, which is looked at no sooner than it may be."""

        async def stop() -> None:
            await stopping.wait()
            nursery.cancel_scope.cancel()

        with trio.move_on_at(deadline):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stop)
                if not self._is_due:
                    await news.wait()
                await trio.sleep_until(self._not_before)
                nursery.cancel_scope.cancel()

    async def _read(self) -> None:
        self._is_followed = True
        self._lose_sight()

    def _lose(self) -> None:
        self._is_followed = False
        self._lose_sight()

    def _lose_sight(self) -> None:
        self._is_lost = True
        self._tell()

    async def _take(self, change: ResourceChange) -> None:
        key = change.key
        self._due.add(key.name if key.type == MESH else key.mesh)
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def _look(self) -> None:
        """Bring everything up to date, unless that was done a moment ago. Raises: StateError."""
        async with self._looking:
            if not self._is_due or trio.current_time() < self._not_before:
                return
            self._not_before = trio.current_time() + self._interval
            due = await self._all_due()
            while due:
                name = due.pop()
                # Marked as done when it is: who is cancelled, or fails, leaves it due.
                self._due.discard(name)
                found: ByClient | None = None
                try:
                    found = await self._of_mesh(name)
                finally:
                    if found is None:
                        self._due.add(name)
                self._meshes.pop(name, None)
                if found:
                    self._meshes[name] = found
                self._told = {}

    @property
    def _is_due(self) -> bool:
        return bool(self._due or self._is_lost or not self._is_followed)

    async def _all_due(self) -> set[str]:
        if not self._is_lost and self._is_followed:
            return set(self._due)
        self._is_lost = False
        names: set[str] | None = None
        try:
            stored = sweep(self._replica.store, Selection(type=MESH))
            names = {each.key.name async for each in stored}
        finally:
            self._is_lost |= names is None
        self._due |= names | self._meshes.keys()
        return set(self._due)

    async def _of_mesh(self, name: str) -> ByClient:
        context = await self._replica.context(name, FOLLOWED)
        if context.mesh_resource is None:
            return {}
        try:
            mesh = MonitoredMesh(resource_as(Mesh, context.mesh_resource), _view(context))
        except (ParseError, InvalidResourceError):
            return {}  # no release of this program has stored it so
        if not mesh.is_scraped:
            return {}
        found: dict[str, dict[str, Assignment]] = {}
        async for stored in in_slices(context.of_type(DATAPLANE)):
            for client, assignment in _of_proxy(mesh, stored):
                found.setdefault(client, {})[assignment.proxy] = assignment
        return found

    async def _of_client(self, client: str) -> Told:
        known = any(client in each for each in self._meshes.values())
        client = client if known else DEFAULT_CLIENT
        by_client = self._told  # while a thread works, it may be replaced
        told = by_client.get(client)
        if told is None:
            found = [
                assignment
                for _, mesh in sorted(self._meshes.items())
                for _, assignment in sorted(mesh.get(client, {}).items())
            ]
            if len(found) <= ASSIGNMENTS_AT_ONCE_MAX:
                version = _version(found)
            else:
                version = await trio.to_thread.run_sync(_version, found)
            told = by_client[client] = Told(version, tuple(found))
        return told


def _view(context: MeshContext) -> MeshView:
    """Raises: ParseError, InvalidResourceError."""
    policies = (
        policy_of(
            Meta(each.key.type, each.key.mesh, each.key.name, each.labels), spec_document(each)
        )
        for each in context.of_type(POLICY_TYPE)
    )
    gateways = (gateway_of(resource_as(MeshGateway, each)) for each in context.of_type(GATEWAY))
    return MeshView(tuple(policies), tuple(gateways))


def _of_proxy(mesh: MonitoredMesh, stored: StoredResource) -> Sequence[tuple[str, Assignment]]:
    try:
        return tuple(mesh.assignments(resource_as(Dataplane, stored)))
    except (ParseError, InvalidResourceError):
        return ()


def _version(found: Sequence[Assignment]) -> str:
    said = json.dumps([_said(each) for each in found], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()
