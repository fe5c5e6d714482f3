"""Gives each name of a mesh its virtual address, and keeps it in the store.

Every control plane does it. Two that do it at once come to the same, or the later one begins anew
with what the first one has written: the version of the Config decides.

Source: docs/wire/virtual-addresses.md#addresses
"""

from __future__ import annotations

import logging
import math
from dataclasses import field
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from typing import Final, NamedTuple, NoReturn

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.meshes.virtual_addresses import (
    Allocation,
    MalformedAddressesError,
    VirtualHost,
    VirtualServices,
    allocate,
    config_name,
    mesh_of_config,
    parse,
    render,
)
from kong_mesh_cp.core.meshes.virtual_hosts import Names, NameSources, names
from kong_mesh_cp.core.resources.key import ResourceKey
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
    StoredResource,
    VersionConflictError,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.documents import members, text_of
from kong_mesh_cp.usecases.resources.reader import MESH, mesh_key
from kong_mesh_cp.usecases.resources.sweeping import read_keys, sweep
from kong_mesh_cp.usecases.upkeep.mesh_names import NAMING, MeshNames, concerned

CONFIG: Final = "Config"
FOLLOWED: Final = (MESH, CONFIG, *NAMING)
NAMES_AT_ONCE_MAX: Final = 500  # looked at on the event loop; more are in a thread
TEXT_AT_ONCE_BYTES_MAX: Final = 64 * 1024  # likewise, of the stored text
LATELY_SECONDS: Final = 3600.0  # an address waits for its name to come back
LATELY_MAX: Final = 1000  # such addresses of one mesh

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualAddressRules:
    """What `dnsServer` and `runtime.universal` say of virtual addresses."""

    network: IPv4Network | IPv6Network
    domain: str
    service_names: bool  # whether each service has a name of its own
    zone: str
    interval: float  # seconds between two times that names get addresses, at least


class _Stored(NamedTuple):
    """The Config of a mesh; version 0: there is none."""

    version: int
    services: VirtualServices


@dataclass(slots=True)
class _Told:
    """What was said in the log of a mesh, so that it is said once."""

    conflicts: tuple[str, ...] = ()
    without: tuple[VirtualHost, ...] = ()
    outside: tuple[VirtualHost, ...] = ()


@dataclass(slots=True)
class _Mesh:
    """What is known of one mesh. `stored` is None when it has to be read."""

    is_due: bool = True
    stored: _Stored | None = None
    lately: dict[VirtualHost, tuple[str, float]] = field(default_factory=dict)
    told: _Told = field(default_factory=_Told)


class VirtualAddressUpkeep:
    """One job of one control plane; several may do it over the same store."""

    def __init__(self, replica: Replica, rules: VirtualAddressRules, wall_clock: WallClock) -> None:
        self._replica = replica
        self._store = replica.store
        self._rules = rules
        self._wall_clock = wall_clock
        self._meshes: dict[str, _Mesh] = {}
        self._names = MeshNames(rules.domain, rules.zone)
        self._changed: set[ResourceKey] = set()
        self._is_lost = True  # everything is to be read
        self._not_before = -math.inf
        self._complaints = FailureLog(
            log, "virtual-addresses-not-kept", "virtual-addresses-kept-again"
        )

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
        if self._is_lost or self._changed or any(each.is_due for each in self._meshes.values()):
            return self._not_before
        return math.inf

    def _take(self, item: FeedItem) -> None:
        if not isinstance(item, ResourceChange):
            self._is_lost = True
        elif item.key.type == CONFIG:
            self._compare(item)
        elif item.key.type == MESH:
            if item.kind is ChangeKind.DELETED:
                self._meshes.pop(item.key.name, None)
            else:
                self._meshes.setdefault(item.key.name, _Mesh())
        else:
            self._changed.add(item.key)

    def _compare(self, change: ResourceChange) -> None:
        """Whether it is what was written here; if not, it is to be read."""
        mesh = self._meshes.get(mesh_of_config(change.key.name) or "")
        if mesh is None or mesh.stored is None:
            return
        if change.kind is ChangeKind.DELETED or change.version != mesh.stored.version:
            mesh.stored, mesh.is_due = None, True

    async def _work(self) -> None:
        """All that is due. Raises: StateError."""
        # What comes while this works is for the next time, a moment later.
        self._not_before = trio.current_time() + self._rules.interval
        if self._is_lost:
            await self._read_all()
        await self._read_changes()
        for name in sorted(name for name, mesh in self._meshes.items() if mesh.is_due):
            if name in self._meshes:
                await self._make(name, self._meshes[name])
        self._complaints.succeeded()

    async def _read_all(self) -> None:
        found = {stored.key.name async for stored in sweep(self._store, Selection(type=MESH))}
        for gone in self._meshes.keys() - found:
            del self._meshes[gone]
        for name in found:
            mesh = self._meshes.setdefault(name, _Mesh())
            mesh.is_due, mesh.stored = True, None
        for type_name in NAMING:
            keys = set()
            async for stored in sweep(self._store, Selection(type=type_name)):
                keys.add(stored.key)
                self._names.take(stored)
            self._names.keep_only(type_name, keys)
        self._is_lost = False

    async def _read_changes(self) -> None:
        async for key, stored in read_keys(self._store, sorted(self._changed)):
            is_new = self._names.forget(key) if stored is None else self._names.take(stored)
            if is_new:
                self._mark(concerned(key))
            self._changed.discard(key)

    def _mark(self, mesh: str | None) -> None:
        for name in self._meshes if mesh is None else self._meshes.keys() & {mesh}:
            self._meshes[name].is_due = True

    async def _make(self, name: str, mesh: _Mesh) -> None:
        """Raises: StateError."""
        mesh.is_due = False
        try:
            stored = mesh.stored or await self._read(name, mesh)
            lately = self._lately(mesh)
            sources = self._names.sources(name)
            make = partial(_made, sources, self._rules, stored.services, lately)
            if len(sources.inbounds) + len(stored.services) <= NAMES_AT_ONCE_MAX:
                made, allocation, text = make()
            else:
                made, allocation, text = await trio.to_thread.run_sync(make)
            self._tell(name, mesh, made, allocation)
            if text is not None:
                await self._write(name, mesh, stored, allocation.services, text)
        except StateError:
            mesh.is_due, mesh.stored = True, None  # what came of it is not known
            raise

    async def _read(self, name: str, mesh: _Mesh) -> _Stored:
        found = await self._store.get(ResourceKey(CONFIG, "", config_name(name)))
        if found is None:
            stored = _Stored(0, {})
        elif found.text_bytes <= TEXT_AT_ONCE_BYTES_MAX:
            stored = _Stored(found.version, _services(found))
        else:
            services = await trio.to_thread.run_sync(_services, found)
            stored = _Stored(found.version, services)
        mesh.stored = stored
        return stored

    async def _write(
        self, name: str, mesh: _Mesh, stored: _Stored, services: VirtualServices, text: str
    ) -> None:
        put = Put(
            key=ResourceKey(CONFIG, "", config_name(name)),
            spec=text,
            at=self._wall_clock(),
            owner=mesh_key(name),
            if_version=stored.version,
        )
        try:
            applied = await self._store.apply([put])
        except NotFoundError:
            return  # with the mesh its addresses are gone
        except (AlreadyExistsError, VersionConflictError):
            mesh.is_due, mesh.stored = True, None  # another control plane was faster
            return
        mesh.stored = _Stored(applied.changes[0].version, services)
        until = trio.current_time() + LATELY_SECONDS
        for host, service in stored.services.items():
            if service.address and host not in services:
                mesh.lately.pop(host, None)  # so that it moves to the end
                mesh.lately[host] = (service.address, until)

    def _lately(self, mesh: _Mesh) -> dict[VirtualHost, str]:
        """Addresses of names that went not long ago."""
        now = trio.current_time()
        kept = [(host, each) for host, each in mesh.lately.items() if each[1] > now]
        mesh.lately = dict(kept[-LATELY_MAX:])
        return {host: address for host, (address, _) in mesh.lately.items()}

    def _tell(self, name: str, mesh: _Mesh, made: Names, allocation: Allocation) -> None:
        told = mesh.told
        mesh.told = _Told(made.conflicts, allocation.without, allocation.outside)
        for conflict in made.conflicts:
            if conflict not in told.conflicts:
                log.warning(
                    "virtual-name-conflict: mesh %s: %s", go_quote(name), go_quote(conflict)
                )
        if allocation.without and allocation.without != told.without:
            log.error(
                "virtual-addresses-exhausted: mesh %s: no address of %s is free for %d names, %s"
                " the first. Set dnsServer.CIDR to a larger range.",
                go_quote(name),
                self._rules.network,
                len(allocation.without),
                go_quote(allocation.without[0].name),
            )
        if allocation.outside and not told.outside:
            log.warning(
                "virtual-addresses-outside: mesh %s: %d names, %s the first, keep addresses that"
                " are not in %s, so that who calls them goes on. A name that goes for an hour gets"
                " one of that range when it comes back.",
                go_quote(name),
                len(allocation.outside),
                go_quote(allocation.outside[0].name),
                self._rules.network,
            )


def _services(found: StoredResource) -> VirtualServices:
    config = members(found).get("config", "")
    try:
        return parse(config if isinstance(config, str) else "")
    except MalformedAddressesError as error:
        log.error(
            "virtual-addresses-unreadable: Config %s: %s. All names get new addresses; proxies"
            " follow by themselves.",
            go_quote(found.key.name),
            go_quote(str(error)),
        )
        return {}


def _made(
    sources: NameSources,
    rules: VirtualAddressRules,
    known: VirtualServices,
    lately: dict[VirtualHost, str],
) -> tuple[Names, Allocation, str | None]:
    """The text is None where nothing changes. Of many names it takes too long for the loop."""
    wanted = names(sources, service_names=rules.service_names)
    allocation = allocate(wanted.hosts, known, rules.network, lately)
    if allocation.services == known:
        return wanted, allocation, None
    return wanted, allocation, text_of({"config": render(allocation.services)})
