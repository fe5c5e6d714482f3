"""Keeps the insights of meshes up to date: MeshInsight and ServiceInsight.

What is known of a mesh stays in memory, so a change is read and counted alone. Of the time that
passes, this takes a fixed part at the most, however much there is to do.

Source: docs/wire/insights.md#meshinsight, docs/wire/insights.md#serviceinsight
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final, NamedTuple, NoReturn

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.insights.counts import Counts
from kong_mesh_cp.core.insights.facts import ExternalFacts
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.schema.messages import Message
from kong_mesh_cp.usecases.following.due_work import work_on_changes
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import (
    AlreadyExistsError,
    ChangeKind,
    FeedItem,
    NotFoundError,
    Put,
    ResourceChange,
    Selection,
    VersionConflictError,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.documents import spec_text
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.reader import MESH, mesh_key
from kong_mesh_cp.usecases.resources.sweeping import SLICE_ITEMS, read_keys, sweep
from kong_mesh_cp.usecases.upkeep.mesh_facts import COUNTED_ONLY, LOOKED_INTO, MeshFacts

MESH_INSIGHT: Final = "MeshInsight"
SERVICE_INSIGHT: Final = "ServiceInsight"
FOLLOWED: Final = (MESH, MESH_INSIGHT, SERVICE_INSIGHT, *LOOKED_INTO, *COUNTED_ONLY)
SETTLE_SECONDS: Final = 0.1  # what is written together is counted together
SERVICES_AT_ONCE_MAX: Final = 200  # made on the event loop; more are made in a thread
REST_FACTOR: Final = 4.0  # work is followed by this much rest, so it takes a fifth of the time

# On a machine that is busy with other things, work takes long that is not much.
REST_SECONDS_MAX: Final = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResyncIntervals:
    """`metrics.mesh`, in seconds."""

    minimum: float  # between two times that the insights of one mesh are made
    full: float  # after which all that changes is looked for, whatever the feed has said


class _Written(NamedTuple):
    """An insight as it is in the store."""

    version: int
    spec: Message


class _Made(NamedTuple):
    """An insight as it should be. Without a text it is what was written last."""

    spec: Message
    text: str | None


class InsightUpkeep:
    """One job of one control plane; several may do it over the same store.

    They come to the same result, and an equal result is not written.
    """

    def __init__(self, replica: Replica, intervals: ResyncIntervals, wall_clock: WallClock) -> None:
        self._replica = replica
        self._store = replica.store
        self._intervals = intervals
        self._wall_clock = wall_clock
        self._meshes: dict[str, MeshFacts] = {}
        self._written: dict[ResourceKey, _Written] = {}
        self._sweep_due = -math.inf
        self._swept_revision = -1
        self._rest_until = -math.inf
        self._complaints = FailureLog(log, "insights-not-kept", "insights-kept-again")

    async def run(self) -> NoReturn:
        """Until cancelled. A store that fails is asked again, and said once."""
        await work_on_changes(
            self._replica,
            FOLLOWED,
            begin=self._begin_anew,
            take=self._take,
            next_due=self._next_due,
            work=self._work,
            outcomes=self._complaints,
        )

    def _begin_anew(self) -> None:
        self._sweep_due = -math.inf
        self._swept_revision = -1
        for census in self._meshes.values():
            census.due = -math.inf
        self._written.clear()  # what came of the last attempt is not known

    def _next_due(self) -> float:
        return max(min(self._next_mesh_due(), self._sweep_due), self._rest_until)

    def _next_mesh_due(self) -> float:
        return min((each.due for each in self._meshes.values()), default=math.inf)

    def _take(self, item: FeedItem) -> None:
        if not isinstance(item, ResourceChange):
            self._sweep_due, self._swept_revision = -math.inf, -1
            return
        key = item.key
        if key.type == MESH:
            if item.kind is ChangeKind.DELETED:
                self._forget(key.name)
            elif key.name not in self._meshes:
                self._mark(self._meshes.setdefault(key.name, MeshFacts()))
        elif key.type in (MESH_INSIGHT, SERVICE_INSIGHT):
            self._compare(item, key.mesh or key.name)
        elif key.mesh in self._meshes:
            self._note(self._meshes[key.mesh], key)

    def _compare(self, change: ResourceChange, mesh: str) -> None:
        """Whether it is what was written here; if not, it is to be looked at."""
        written = self._written.get(change.key)
        own = written is not None and written.version == change.version
        if mesh in self._meshes and (not own or change.kind is ChangeKind.DELETED):
            self._doubt(mesh)
            self._mark(self._meshes[mesh])

    def _doubt(self, mesh: str) -> None:
        for key in _keys(mesh):
            self._written.pop(key, None)

    def _note(self, census: MeshFacts, key: ResourceKey) -> None:
        if key.type in LOOKED_INTO:
            census.changed[key.type].add(key.name)
        elif key.type in COUNTED_ONLY:
            census.changed_types.add(key.type)
        else:
            return
        self._mark(census)

    def _mark(self, census: MeshFacts) -> None:
        due = max(trio.current_time() + SETTLE_SECONDS, census.not_before)
        census.due = min(census.due, due)

    def _forget(self, mesh: str) -> None:
        self._meshes.pop(mesh, None)
        self._doubt(mesh)

    async def _work(self) -> None:
        """One piece of what is due, and the rest that it has earned. Raises: StateError."""
        began = trio.current_time()
        if self._sweep_due <= began:
            await self._sweep()
            self._sweep_due = trio.current_time() + self._intervals.full
            if self._next_mesh_due() == math.inf:
                self._complaints.succeeded()
        else:
            mesh = min(self._meshes, key=lambda name: self._meshes[name].due)
            census = self._meshes[mesh]
            # The time between two begins here, so that it does not grow with the time it takes.
            census.not_before = began + self._intervals.minimum
            await self._read_changes(mesh, census)
            await self._make(mesh, census)
            self._complaints.succeeded()  # it was read and, where that was due, written
        now = trio.current_time()
        self._rest_until = now + min((now - began) * REST_FACTOR, REST_SECONDS_MAX)

    async def _sweep(self) -> None:
        """Find what is not known yet, whatever the feed said. At the start that is everything."""
        revision = await self._store.revision()
        if revision == self._swept_revision:
            return
        found = {stored.key.name async for stored in sweep(self._store, Selection(type=MESH))}
        for gone in self._meshes.keys() - found:
            self._forget(gone)
        for mesh in found:
            census = self._meshes.setdefault(mesh, MeshFacts())
            if self._swept_revision < 0:
                census.unread = True
            if census.unread:
                self._mark(census)
        if self._swept_revision >= 0:
            for type_name in LOOKED_INTO:
                await self._look_into(type_name, self._meshes)
            for type_name in COUNTED_ONLY:
                await self._check_total(type_name)
        self._swept_revision = revision

    async def _look_into(
        self, type_name: str, meshes: Mapping[str, MeshFacts], mesh: str | None = None
    ) -> None:
        """Go through all resources of a type that are in `meshes`, or in `mesh` alone."""
        names: dict[str, set[str]] = {name: set() for name in meshes}
        async for stored in sweep(self._store, Selection(type=type_name, mesh=mesh)):
            census = meshes.get(stored.key.mesh)
            if census is not None:
                names[stored.key.mesh].add(stored.key.name)
                if census.take(stored):
                    self._mark(census)
        for name, census in meshes.items():
            if census.keep_only(type_name, names[name]):
                self._mark(census)

    async def _check_total(self, type_name: str) -> None:
        """Where the sum over all meshes is right, nothing was missed."""
        total = (await self._store.list(Selection(type=type_name, limit=1))).total
        if total != sum(census.totals.get(type_name, 0) for census in self._meshes.values()):
            for census in self._meshes.values():
                census.changed_types.add(type_name)
                self._mark(census)

    async def _read_changes(self, mesh: str, census: MeshFacts) -> None:
        if census.unread:
            for type_name in LOOKED_INTO:
                await self._look_into(type_name, {mesh: census}, mesh)
            census.changed_types.update(COUNTED_ONLY)
        for type_name in sorted(census.changed_types):
            page = await self._store.list(Selection(type=type_name, mesh=mesh, limit=1))
            census.set_total(type_name, page.total)
        for type_name, names in census.changed.items():
            keys = [ResourceKey(type_name, mesh, name) for name in sorted(names)]
            async for key, stored in read_keys(self._store, keys):
                if stored is None:
                    census.forget(type_name, key.name)
                else:
                    census.take(stored)
        census.unread = False
        census.due = math.inf
        census.changed_types.clear()
        for names in census.changed.values():
            names.clear()

    async def _make(self, mesh: str, census: MeshFacts) -> None:
        tally = Counts()
        for index, (dataplane, insight, proxies) in enumerate(census.pairs()):
            if index % SLICE_ITEMS == 0:
                await trio.lowlevel.checkpoint()
            tally.add(dataplane, insight, proxies)
        known = {key: self._written.get(key) for key in _keys(mesh)}
        make = partial(_made, mesh, tally, census.totals, census.external(), known)
        if tally.services <= SERVICES_AT_ONCE_MAX:
            made = make()
        else:
            made = await trio.to_thread.run_sync(make)
        puts = await self._puts(mesh, made)
        if not puts:
            return
        try:
            applied = await self._store.apply(puts)
        except NotFoundError:
            self._forget(mesh)  # with the mesh its insights are gone
        except (AlreadyExistsError, VersionConflictError):
            self._doubt(mesh)  # another control plane was faster; most likely with the same
            self._mark(census)
        else:
            for change in applied.changes:
                self._written[change.key] = _Written(change.version, made[change.key].spec)

    async def _puts(self, mesh: str, made: Mapping[ResourceKey, _Made]) -> list[Put]:
        unknown = [key for key in made if key not in self._written]
        found = await self._store.get_many(unknown) if unknown else {}
        puts = []
        for key, insight in made.items():
            if insight.text is None:
                continue
            there = found.get(key)
            if there is not None and there.spec == insight.text:
                self._written[key] = _Written(there.version, insight.spec)
                continue
            if key in self._written:
                version = self._written[key].version
            else:
                version = there.version if there is not None else 0
            puts.append(
                Put(
                    key=key,
                    spec=insight.text,
                    at=self._wall_clock(),
                    owner=mesh_key(mesh),
                    if_version=version,
                )
            )
        return puts


def _made(
    mesh: str,
    tally: Counts,
    totals: Mapping[str, int],
    external: Iterable[ExternalFacts],
    known: Mapping[ResourceKey, _Written | None],
) -> Mapping[ResourceKey, _Made]:
    """The insights of `mesh`. Of many services it takes too long for the event loop."""
    mesh_insight, service_insight = _keys(mesh)
    specs: Mapping[ResourceKey, Message] = {
        mesh_insight: tally.mesh_insight(totals),
        service_insight: tally.service_insight(external),
    }
    made = {}
    for key, spec in specs.items():
        written = known[key]
        is_same = written is not None and written.spec == spec
        made[key] = _Made(spec, None if is_same else spec_text(KINDS[key.type], spec))
    return made


def _keys(mesh: str) -> tuple[ResourceKey, ResourceKey]:
    return (
        ResourceKey(MESH_INSIGHT, "", mesh),
        ResourceKey(SERVICE_INSIGHT, mesh, f"all-services-{mesh}"),
    )
