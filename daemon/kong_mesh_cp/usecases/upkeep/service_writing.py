"""Writes what services should be, and gives those without one a virtual address.

Source: docs/wire/services.md#virtual-addresses
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.meshes.services.service_addresses import (
    CONFIG_NAME,
    Network,
    next_address,
    parse,
    render,
)
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import (
    AlreadyExistsError,
    Change,
    ChangeRefusedError,
    Delete,
    NotFoundError,
    Put,
    ResourceStore,
    TooLargeError,
    VersionConflictError,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.documents import members, spec_text, text_of
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.reader import mesh_key
from kong_mesh_cp.usecases.upkeep.known_services import Known, addresses_of
from kong_mesh_cp.usecases.upkeep.mesh_services import MeshServices

if TYPE_CHECKING:
    from kong_mesh_cp.core.meshes.services import generated_services
    from kong_mesh_cp.usecases.upkeep import service_decisions
    from kong_mesh_cp.usecases.upkeep.service_decisions import Wanted
else:  # most control planes have no services with names of their own
    generated_services = lazy_import("kong_mesh_cp.core.meshes.services.generated_services")
    service_decisions = lazy_import("kong_mesh_cp.usecases.upkeep.service_decisions")

CONFIG: Final = "Config"
CONFIG_KEY: Final = ResourceKey(CONFIG, "", CONFIG_NAME)
WRITTEN_AT_ONCE: Final = 20  # services in one transaction

log = logging.getLogger(__name__)


class ServiceWrite(NamedTuple):
    """What is to become of a service. `known` None: it is new."""

    key: ResourceKey
    wanted: Wanted
    known: Known | None


class Counted(NamedTuple):
    """A write, as metrics count it."""

    type: str
    what: str  # `created`, `updated` or `deleted`


@dataclass(slots=True)
class _Cursor:
    """The Config with the address given last, by range; version 0: there is none."""

    version: int
    last: dict[str, str]
    revision: int = -1  # of the change that was made here
    has_moved: bool = False  # it is to be written


@dataclass(slots=True)
class ServiceWriter:
    """Writes of one control plane. `used` are the addresses of all services that are known."""

    store: ResourceStore
    networks: Mapping[str, Network]  # by type of service
    used: Counter[str]
    wall_clock: WallClock
    written: Counter[Counted] = field(default_factory=Counter)
    _cursor: _Cursor | None = None
    _exhausted: set[str] = field(default_factory=set)  # types of which that was said

    def forget_cursor(self, revision: int) -> None:
        """The Config has changed, or may have; what was written here is known."""
        if self._cursor is not None and self._cursor.revision != revision:
            self._cursor = None

    async def write(
        self, book: MeshServices, writes: Sequence[ServiceWrite]
    ) -> Sequence[ResourceKey]:
        """What another control plane or a client was faster with: to be read, and decided anew.

        Raises: StateError; NotFoundError where the mesh is gone.
        """
        contested: list[ResourceKey] = []
        for start in range(0, len(writes), WRITTEN_AT_ONCE):
            part = writes[start : start + WRITTEN_AT_ONCE]
            try:
                addressed = [each for each in await self._addressed(part) if _changes(each)]
                if addressed:
                    await self._write(book, addressed)
            except (AlreadyExistsError, NotFoundError, VersionConflictError) as error:
                if error.key == mesh_key(book.mesh):
                    raise
                if error.key == CONFIG_KEY:
                    self._cursor = None
                contested += [each.key for each in part]
            except TooLargeError as error:
                log.error(
                    "service-too-large: %s %s of the mesh %s is not kept up to date: it would have"
                    " %d bytes of at most %d. Give its proxies several services.",
                    error.key.type,
                    go_quote(error.key.name),
                    go_quote(error.key.mesh),
                    error.found,
                    error.most,
                )
                contested += [each.key for each in part if each.key != error.key]
        return contested

    async def _addressed(self, part: Sequence[ServiceWrite]) -> Sequence[ServiceWrite]:
        """With an address for each that has none, as long as there are any."""
        given: set[str] = set()
        addressed = []
        for each in part:
            wanted = each.wanted
            if wanted.spec is not None and not addresses_of(wanted.status):
                address = await self._address(each, given)
                if address:
                    given.add(address)
                    wanted = wanted._replace(
                        status=service_decisions.with_address(wanted.status, address)
                    )
            addressed.append(each._replace(wanted=wanted))
        return addressed

    async def _address(self, of: ServiceWrite, given: set[str]) -> str | None:
        type_name = of.key.type
        before = "" if of.known is None else of.known.address_before
        if before and before not in self.used and before not in given:
            return before
        cursor = await self._read_cursor()
        network = self.networks[type_name]
        taken = self.used.keys() | given if given else self.used
        address = next_address(network, cursor.last.get(str(network)), taken)
        if address is not None:
            cursor.last[str(network)] = address
            cursor.has_moved = True
            self._exhausted.discard(type_name)
        elif type_name not in self._exhausted:
            self._exhausted.add(type_name)
            log.error(
                "service-addresses-exhausted: no address of %s is free for %s %s of the mesh %s."
                " Set the range of its type, ipam.*.cidr, to a larger one.",
                network,
                type_name,
                go_quote(of.key.name),
                go_quote(of.key.mesh),
            )
        return address

    async def _read_cursor(self) -> _Cursor:
        if self._cursor is None:
            found = await self.store.get(CONFIG_KEY)
            if found is None:
                self._cursor = _Cursor(0, {})
            else:
                text = members(found).get("config")
                last = parse(text if isinstance(text, str) else "")
                self._cursor = _Cursor(found.version, last)
        return self._cursor

    async def _write(self, book: MeshServices, part: Sequence[ServiceWrite]) -> None:
        at = self.wall_clock()
        changes = [_change(each, at) for each in part]
        cursor = self._cursor
        if cursor is not None and cursor.has_moved:
            config = text_of({"config": render(cursor.last)})
            changes.append(Put(key=CONFIG_KEY, spec=config, at=at, if_version=cursor.version))
        try:
            applied = await self.store.apply(changes)
        except (ChangeRefusedError, StateError):
            self._cursor = None  # what it says was not written, or that is not known
            raise
        made = {change.key: change for change in applied.changes}
        for each in part:
            change = made[each.key]
            known = None
            if each.wanted.spec is not None:
                created_at = at if each.known is None else each.known.created_at
                known = Known(
                    labels=each.wanted.labels,
                    spec=each.wanted.spec,
                    status=each.wanted.status,
                    version=change.version,
                    created_at=created_at,
                    revision=change.revision,
                )
            book.write(each.key.type, each.key.name, known)
            self.written[Counted(each.key.type, change.kind.value)] += 1
            _tell(each)
        if cursor is not None and cursor.has_moved:
            change = made[CONFIG_KEY]
            cursor.version, cursor.revision = change.version, change.revision
            cursor.has_moved = False


def _change(write: ServiceWrite, at: datetime) -> Change:
    known, wanted = write.known, write.wanted
    if wanted.spec is None:
        return Delete(key=write.key, if_version=None if known is None else known.version)
    kind = KINDS[write.key.type]
    render_status = kind.render_status
    return Put(
        key=write.key,
        spec=spec_text(kind, wanted.spec),
        status=None if render_status is None else text_of(render_status(wanted.status)),
        labels=wanted.labels,
        at=at,
        owner=mesh_key(write.key.mesh),
        if_version=0 if known is None else known.version,
    )


def _changes(write: ServiceWrite) -> bool:
    """Not a service that still has no address, because none is free."""
    known, wanted = write.known, write.wanted
    if known is None or wanted.spec is None:
        return True
    before = (known.labels, known.spec, known.status)
    return (wanted.labels, wanted.spec, wanted.status) != before


def _tell(write: ServiceWrite) -> None:
    """What an operator may look for: services that come and go."""
    known, wanted = write.known, write.wanted
    if known is None:
        what = "mesh-service-made"
    elif wanted.spec is None:
        what = "mesh-service-deleted"
    elif generated_services.GRACE_STARTED in wanted.labels.keys() - known.labels.keys():
        what = "mesh-service-left"
    elif generated_services.GRACE_STARTED in known.labels.keys() - wanted.labels.keys():
        what = "mesh-service-back"
    else:
        return
    log.info("%s: %s of the mesh %s", what, go_quote(write.key.name), go_quote(write.key.mesh))
