"""Keeps the services of meshes: makes MeshServices, gives services addresses and host names, and
says in their status what has become of them.

Every control plane does it. Two that do it at once come to the same, or the later one begins anew
with what the first one has written: versions decide. A virtual address is given in one transaction
with the Config that says which one was given last, so no two services get the same.

Source: docs/wire/services.md#services
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.prometheus_text import MetricFamily
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.meshes.services.service_addresses import Network
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.following.due_work import work_on_changes
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import (
    ChangeKind,
    FeedItem,
    NotFoundError,
    ResourceChange,
    Selection,
    StoredResource,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.reader import MESH
from kong_mesh_cp.usecases.resources.sweeping import in_slices, read_keys, sweep
from kong_mesh_cp.usecases.upkeep.hostname_generators import HostnameGenerators
from kong_mesh_cp.usecases.upkeep.mesh_services import (
    MESH_SERVICE,
    PROXY_TYPES,
    SERVICE_TYPES,
    GenerationRules,
    MeshServices,
)
from kong_mesh_cp.usecases.upkeep.service_metrics import service_metrics
from kong_mesh_cp.usecases.upkeep.service_writing import (
    CONFIG,
    CONFIG_KEY,
    ServiceWrite,
    ServiceWriter,
)
from kong_mesh_cp.usecases.upkeep.stored_services import UsedAddresses, addresses_of

if TYPE_CHECKING:
    from kong_mesh_cp.core.meshes.services import service_hostnames
    from kong_mesh_cp.usecases.upkeep import service_decisions
    from kong_mesh_cp.usecases.upkeep.service_decisions import Wanted
else:  # most control planes have no services with names of their own
    service_hostnames = lazy_import("kong_mesh_cp.core.meshes.services.service_hostnames")
    service_decisions = lazy_import("kong_mesh_cp.usecases.upkeep.service_decisions")

GENERATOR: Final = "HostnameGenerator"
FOLLOWED: Final = (MESH, CONFIG, GENERATOR, *SERVICE_TYPES, *PROXY_TYPES)
CONTEST_SECONDS: Final = 0.05  # after another control plane was faster
PROXIES_AT_ONCE_MAX: Final = 1000  # of one service, looked at on the event loop; more in a thread
NAMES_AT_ONCE_MAX: Final = 2000  # likewise, of names that are made of services and generators
REST_FACTOR: Final = 4.0  # work is followed by this much rest, so it takes a fifth of the time
REST_SECONDS_MAX: Final = 1.0  # on a machine that is busy with other things

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRules:
    """What the settings say of services."""

    generation: GenerationRules
    networks: Mapping[str, Network]  # of virtual addresses, by type of service
    counts_interval: float  # seconds between two writes of one service that only count proxies


class ServiceUpkeep:
    """One job of one control plane; several may do it over the same store."""

    def __init__(self, replica: Replica, rules: ServiceRules, wall_clock: WallClock) -> None:
        self._replica = replica
        self._store = replica.store
        self._rules = rules
        self._wall_clock = wall_clock
        self._meshes: dict[str, MeshServices] = {}
        self._used = UsedAddresses()
        self._writer = ServiceWriter(self._store, rules.networks, self._used, wall_clock)
        self._generators = HostnameGenerators()
        self._changed: set[ResourceKey] = set()
        self._is_lost = True  # everything is to be read
        self._loading = 0.0  # seconds of the work that is going on
        self._not_before = -math.inf
        self._complaints = FailureLog(log, "services-not-kept", "services-kept-again")

    def metrics(self) -> tuple[MetricFamily, ...]:
        return service_metrics(self._meshes.values(), self._writer.written)

    async def run(self) -> NoReturn:
        """Until cancelled. A store that fails is asked again, and said once."""
        await work_on_changes(
            self._replica,
            FOLLOWED,
            begin=self._lose_sight,
            take=self._take,
            next_due=self._next_due,
            work=self._work,
            outcomes=self._complaints,
        )

    def _lose_sight(self) -> None:
        self._is_lost = True

    def _next_due(self) -> float:
        if self._is_lost or self._changed:
            return self._not_before
        due = min((each.next_due for each in self._meshes.values()), default=math.inf)
        return max(due, self._not_before)

    def _take(self, item: FeedItem) -> None:
        if not isinstance(item, ResourceChange):
            self._is_lost = True
            return
        key = item.key
        if key.type == CONFIG:
            if key == CONFIG_KEY:
                self._writer.forget_cursor(item.revision)
        elif key.type == MESH and item.kind is ChangeKind.DELETED:
            self._forget_mesh(key.name)
        elif key.type in PROXY_TYPES:
            # Those of a mesh that needs none, or is not read yet, are read when it does.
            book = self._meshes.get(key.mesh)
            if book is not None and book.has_proxies:
                self._changed.add(key)
        elif not self._is_own(item):
            self._changed.add(key)

    def _is_own(self, change: ResourceChange) -> bool:
        book = self._meshes.get(change.key.mesh)
        if book is None or change.key.type not in SERVICE_TYPES:
            return False
        known = book.known[change.key.type].get(change.key.name)
        return known is not None and known.revision == change.revision

    def _forget_mesh(self, name: str) -> None:
        book = self._meshes.pop(name, None)
        if book is not None:
            book.drop()

    async def _work(self) -> None:
        """All that is due, and the rest that it has earned. Raises: StateError."""
        began = trio.current_time()
        self._not_before = began
        if self._is_lost:
            await self._read_all()
        await self._read_changes()
        await self._part_the_doubled()
        for name in sorted(self._meshes):
            book = self._meshes.get(name)
            if book is not None and book.next_due <= trio.current_time():
                await self._make(book)
        self._complaints.succeeded()
        now = trio.current_time()
        took, self._loading = now - began - self._loading, 0.0
        rest = min(took * REST_FACTOR, REST_SECONDS_MAX)
        self._not_before = max(self._not_before, now + rest)

    async def _read_all(self) -> None:
        self._changed.clear()
        self._writer.forget_cursor(-1)
        found = {stored.key.name: stored async for stored in self._all(MESH)}
        for gone in self._meshes.keys() - found.keys():
            self._forget_mesh(gone)
        for stored in found.values():
            self._take_mesh(stored)
        self._generators.are([stored async for stored in self._all(GENERATOR)])
        self._generators_differ()
        for type_name in SERVICE_TYPES:
            await self._sweep(type_name, self._meshes)
        for book in self._meshes.values():
            book.has_proxies = False  # they are read again where they matter
            book.all_due()
        self._is_lost = False

    def _all(self, type_name: str, mesh: str | None = None) -> AsyncIterator[StoredResource]:
        return sweep(self._store, Selection(type=type_name, mesh=mesh))

    async def _sweep(
        self, type_name: str, books: Mapping[str, MeshServices], mesh: str | None = None
    ) -> None:
        """Read all of a type that is in `books`, or in `mesh` alone."""
        names: dict[str, set[str]] = {name: set() for name in books}
        async for stored in self._all(type_name, mesh):
            if (book := books.get(stored.key.mesh)) is not None:
                names[stored.key.mesh].add(stored.key.name)
                book.take(stored)
        for name, book in books.items():
            book.keep_only(type_name, names[name])

    async def _read_changes(self) -> None:
        # Meshes first: what is in a mesh that is not known is not looked at.
        keys = sorted(self._changed, key=lambda key: (key.type != MESH, key))
        async for key, stored in read_keys(self._store, keys):
            self._look_into(key, stored)
            self._changed.discard(key)
        if any(key.type == GENERATOR for key in keys):
            self._generators_differ()

    def _look_into(self, key: ResourceKey, stored: StoredResource | None) -> None:
        if key.type == MESH:
            if stored is None:
                self._forget_mesh(key.name)
            else:
                self._take_mesh(stored)
        elif key.type == GENERATOR:
            self._generators.take(key.name, stored)
        elif (book := self._meshes.get(key.mesh)) is not None:
            if stored is None:
                book.forget(key)
            else:
                book.take(stored)

    def _take_mesh(self, stored: StoredResource) -> None:
        name = stored.key.name
        if name not in self._meshes:
            self._meshes[name] = MeshServices(name, self._used)
        self._meshes[name].take_mesh(stored)

    def _generators_differ(self) -> None:
        for book in self._meshes.values():
            book.names_due.update(SERVICE_TYPES)

    async def _part_the_doubled(self) -> None:
        """Of services that came with the address of another one, the oldest keeps it."""
        for address in sorted(self._used.doubled):
            await trio.lowlevel.checkpoint()
            holders = [each for book in self._meshes.values() for each in book.holders(address)]
            for _, type_name, mesh, name in sorted(holders)[1:]:
                self._meshes[mesh].part(type_name, name)
                log.warning(
                    "service-address-doubled: %s %s of the mesh %s has the address %s of an older"
                    " service, and gets another one. Apply services without their status.",
                    type_name,
                    go_quote(name),
                    go_quote(mesh),
                    address,
                )
        self._used.doubled.clear()

    async def _make(self, book: MeshServices) -> None:
        """Raises: StateError."""
        if book.needs_proxies and not book.has_proxies:
            book.has_proxies = True  # what changes from now on comes with the feed
            for type_name in PROXY_TYPES:
                await self._sweep(type_name, {book.mesh: book}, book.mesh)
        due = book.take_due(trio.current_time())
        names_due, book.names_due = book.names_due, set()
        try:
            writes = await self._writes(book, due, names_due)
            contested = await self._writer.write(book, writes) if writes else ()
        except NotFoundError:
            self._forget_mesh(book.mesh)  # with the mesh its services are gone
            return
        if contested:
            self._changed.update(contested)
            book.names_due.update(SERVICE_TYPES)
            for key in contested:
                book.due[key.type].add(key.name)
            self._not_before = trio.current_time() + CONTEST_SECONDS

    async def _writes(
        self, book: MeshServices, due: Mapping[str, list[str]], names_due: set[str]
    ) -> list[ServiceWrite]:
        writes: list[ServiceWrite] = []
        if any(due.values()) or any(book.known.values()):
            await self._load()
        for type_name in SERVICE_TYPES:
            known = book.known[type_name]
            if not known and not due[type_name]:
                continue
            made: dict[str, Wanted] = {}
            async for name in in_slices(due[type_name]):
                if (one := await self._wanted(book, type_name, name)) is not None:
                    made[name] = one
            comes_or_goes = any(name not in known or one.spec is None for name, one in made.items())
            if comes_or_goes or type_name in names_due:
                await self._name(book, type_name, made)
            async for name, one in in_slices([*made.items()]):
                key = ResourceKey(type_name, book.mesh, name)
                named = one
                if one.spec is not None:
                    names = book.names[type_name].get(name)
                    named = one._replace(status=service_decisions.with_names(one.status, names))
                if self._is_to_be_written(book, key, named):
                    writes.append(ServiceWrite(key, named, known.get(name)))
        return writes

    async def _load(self) -> None:
        """What decides about services, with the first one. It is no work to rest from."""
        if service_decisions.__name__ not in sys.modules:
            began = trio.current_time()
            await trio.to_thread.run_sync(lambda: service_decisions.wanted)
            self._loading += trio.current_time() - began

    async def _wanted(self, book: MeshServices, type_name: str, name: str) -> Wanted | None:
        generation, now = self._rules.generation, self._wall_clock()
        decide = partial(service_decisions.wanted, book, type_name, name, generation, now)
        if type_name != MESH_SERVICE or book.size(name) <= PROXIES_AT_ONCE_MAX:
            one = decide()
        else:
            one = await trio.to_thread.run_sync(decide)
        if one is not None and one.kept_for is not None:
            book.look_again(name, trio.current_time() + one.kept_for.total_seconds())
        if type_name == MESH_SERVICE:
            self._tell_conflict(book, name, () if one is None else one.conflicting)
        return one

    async def _name(self, book: MeshServices, type_name: str, made: dict[str, Wanted]) -> None:
        """Bring the host names of all services of a type up to date. Those of which they change
        come to `made`.
        """
        there = [
            service_hostnames.HostnamedService(name, book.mesh, known.labels, known.created_at)
            for name, known in book.known[type_name].items()
            if name not in made
        ]
        for name, one in made.items():
            if one.spec is not None:
                known = book.known[type_name].get(name)
                created_at = self._wall_clock() if known is None else known.created_at
                there.append(
                    service_hostnames.HostnamedService(name, book.mesh, one.labels, created_at)
                )
        generators, zone = self._generators.in_order(), self._rules.generation.zone
        make = partial(service_decisions.names_of, book, type_name, there, generators, zone)
        if len(there) * len(generators) <= NAMES_AT_ONCE_MAX:
            names = make()
        else:
            names = await trio.to_thread.run_sync(make)
        before, book.names[type_name] = book.names[type_name], names
        for name in book.known[type_name].keys() - made.keys():
            if names.get(name) != before.get(name):
                other = await self._wanted(book, type_name, name)
                if other is not None:
                    made[name] = other

    def _is_to_be_written(self, book: MeshServices, key: ResourceKey, one: Wanted) -> bool:
        known = book.known[key.type].get(key.name)
        if known is None or one.spec is None:
            return True
        if not addresses_of(known.status):
            return True
        if (one.labels, one.spec, one.status) == (known.labels, known.spec, known.status):
            return False
        now = trio.current_time()
        counts_due = book.counts_due.get(key.name, now)
        if now < counts_due and service_decisions.changed_only_in_counts(known, one):
            book.look_again(key.name, counts_due)
            return False
        if key.type == MESH_SERVICE:
            book.counts_due[key.name] = now + self._rules.counts_interval
        return True

    def _tell_conflict(self, book: MeshServices, name: str, conflicting: tuple[str, ...]) -> None:
        if conflicting and book.told.get(name) != conflicting:
            log.warning(
                "mesh-service-conflict: mesh %s: %d proxies say something else of the ports of the"
                " service %s than its oldest one, %s the first. The ports of all proxies of a"
                " service have to be the same, with their names and protocols.",
                go_quote(book.mesh),
                len(conflicting),
                go_quote(name),
                go_quote(conflicting[0]),
            )
        if conflicting:
            book.told[name] = conflicting
        else:
            book.told.pop(name, None)
