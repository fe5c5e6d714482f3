"""What becomes of resources that another control plane sends: checked, compared, stored.

Source: docs/wire/zone-sync.md#receiving
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import trio

from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kind import InvalidResourceError, Kind
from kong_mesh_cp.core.resources.plugin_kind import PluginKind, read_document
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.schema.record_faults import EnoughFaultsError, Faults
from kong_mesh_cp.core.zone_sync.belonging import Sender
from kong_mesh_cp.core.zone_sync.kuma_resources import NoResourceError, unpacked
from kong_mesh_cp.core.zone_sync.synced_names import key_of_removed
from kong_mesh_cp.core.zone_sync.synced_resources import SyncedResource
from kong_mesh_cp.core.zone_sync.wire_messages import AnyMessage
from kong_mesh_cp.usecases.ports.resource_store import (
    Change,
    ChangeRefusedError,
    Delete,
    Put,
    ResourceStore,
    StoredResource,
)
from kong_mesh_cp.usecases.ports.resource_store import Selection as Select
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.documents import spec_text, text_of
from kong_mesh_cp.usecases.resources.reader import mesh_key
from kong_mesh_cp.usecases.resources.sweeping import in_slices, sweep
from kong_mesh_cp.usecases.zone_sync.sync_ports import Ending, SyncEndedError, Told
from kong_mesh_cp.usecases.zone_sync.synced_kinds import SYNCED_KINDS, message_type_of

ATTEMPTS_MAX: Final = 5  # of a response, where others write the same resources meanwhile
KEYS_AT_ONCE: Final = 250  # asked of the store
INLINE_BYTES_MAX: Final = 8 * 1024  # of a resource; a larger one is read beside the loop
_READ_AT_ONCE: Final = trio.CapacityLimiter(2)  # of these; each may become much of memory
REFUSAL_CHARACTERS_MAX: Final = 16_384  # of the text that goes back

log = logging.getLogger(__name__)


class _Wanted(NamedTuple):
    """As it is to be stored."""

    key: ResourceKey
    spec: str
    status: str | None
    labels: Mapping[str, str]


class Arrivals:
    """All that one sender sends. `owner`: of what it makes; None, that is its mesh, if any."""

    def __init__(
        self,
        store: ResourceStore,
        sender: Sender,
        wall_clock: WallClock,
        owner: ResourceKey | None = None,
    ) -> None:
        self._store = store
        self._sender = sender
        self._wall_clock = wall_clock
        self._owner = owner

    async def take(self, told: Told, *, is_first: bool) -> str:
        """Why a part of it was refused; "" where nothing was. The rest is stored.

        `is_first`: it is all that the sender has of the type. Raises: SyncEndedError, StateError.
        """
        refusals: list[str] = []
        wanted: dict[ResourceKey, _Wanted] = {}
        refused: set[ResourceKey] = set()
        async for data in in_slices(told.resources):
            read = partial(self._read, told.type, data, wanted, refused, refusals)
            if len(data.value) <= INLINE_BYTES_MAX:
                read()
            else:
                await trio.to_thread.run_sync(read, limiter=_READ_AT_ONCE)
        taken: list[str] = []
        removed = [self._removed_key(told.type, name) for name in told.removed]
        for left in reversed(range(ATTEMPTS_MAX)):
            there = await self._there(told.type, [*wanted, *removed], all_of_it=is_first)
            gone = [key for key in (there if is_first else removed) if key not in refused]
            changes, taken = await self._changes(wanted, there, gone)
            if not changes:
                break
            try:
                await self._store.apply(changes)
                break
            except ChangeRefusedError as error:
                if not left:
                    text = f"failed to store {told.type} resources: {error}"
                    raise SyncEndedError(Ending.NOT_STORED, text) from None
                await trio.lowlevel.checkpoint()
        return "\n".join([*refusals, *taken])[:REFUSAL_CHARACTERS_MAX]

    def _read(
        self,
        type_name: str,
        data: AnyMessage,
        wanted: dict[ResourceKey, _Wanted],
        refused: set[ResourceKey],
        refusals: list[str],
    ) -> None:
        try:
            sent = unpacked(type_name, data, message_type_of(type_name))
        except NoResourceError as error:
            refusals.append(f"{type_name}: {error}")
            return
        resource = self._sender.received(sent)
        try:
            each = _checked(resource)
        except (InvalidResourceError, ParseError) as error:
            refused.add(resource.key)
            refusals.append(f"{error}")
            log.info(
                "zone-sync-invalid: %s %s was refused: %s",
                type_name,
                printable(resource.key.name),
                printable(f"{error}"),
            )
            return
        wanted[each.key] = each

    def _removed_key(self, type_name: str, name: str) -> ResourceKey:
        key = key_of_removed(type_name, name)
        return self._sender.received(SyncedResource(key=key, spec={})).key

    async def _there(
        self, type_name: str, keys: Sequence[ResourceKey], *, all_of_it: bool
    ) -> dict[ResourceKey, StoredResource]:
        """What is stored, of the sender or not."""
        found: dict[ResourceKey, StoredResource] = {}
        if all_of_it:
            async for stored in sweep(self._store, Select(type=type_name)):
                if self._sender.owns(stored.key, stored.labels):
                    found[stored.key] = stored
            keys = [key for key in keys if key not in found]
        for start in range(0, len(keys), KEYS_AT_ONCE):
            found.update(await self._store.get_many(keys[start : start + KEYS_AT_ONCE]))
        return found

    async def _changes(
        self,
        wanted: Mapping[ResourceKey, _Wanted],
        there: Mapping[ResourceKey, StoredResource],
        gone: Sequence[ResourceKey],
    ) -> tuple[list[Change], list[str]]:
        changes: list[Change] = []
        taken: list[str] = []
        meshes = await self._meshes(wanted.values())
        for key in gone:
            stored = there.get(key)
            if stored is not None and key not in wanted and self._owns(stored):
                changes.append(Delete.as_read(stored))
                log.info("zone-sync-removed: %s %s", key.type, printable(key.name))
        async for each in in_slices(list(wanted.values())):
            stored = there.get(each.key)
            if stored is not None and not self._owns(stored):
                taken.append(_exists(each.key))
            elif stored is None or not _is(stored, each):
                changes.append(self._put(each, stored, meshes))
        return changes, taken

    def _owns(self, stored: StoredResource) -> bool:
        return self._sender.owns(stored.key, stored.labels)

    async def _meshes(self, wanted: Collection[_Wanted]) -> frozenset[ResourceKey]:
        """Those of them that exist, where resources are owned by their meshes."""
        if self._owner is not None:
            return frozenset()
        keys = {mesh_key(each.key.mesh) for each in wanted if each.key.mesh}
        return frozenset(await self._store.get_many(keys)) if keys else frozenset()

    def _put(
        self, each: _Wanted, stored: StoredResource | None, meshes: frozenset[ResourceKey]
    ) -> Put:
        owner = self._owner if stored is None else stored.owner
        if owner is None and each.key.mesh and mesh_key(each.key.mesh) in meshes:
            owner = mesh_key(each.key.mesh)
        status = each.status
        if status is None and stored is not None:
            status = stored.status  # of this control plane's own
        if stored is None:
            log.info("zone-sync-made: %s %s", each.key.type, printable(each.key.name))
        return Put(
            key=each.key,
            spec=each.spec,
            status=status,
            labels=each.labels,
            owner=owner,
            at=self._wall_clock(),
            if_version=0 if stored is None else stored.version,
        )


def _checked(resource: SyncedResource) -> _Wanted:
    """Raises: InvalidResourceError, ParseError."""
    key = resource.key
    of = TYPES[key.type]
    kind = SYNCED_KINDS[key.type]
    meta: dict[str, object] = {"type": key.type, "name": key.name}
    if of.is_mesh_scoped:
        meta["mesh"] = key.mesh
    body = {**meta, **({"spec": resource.spec} if of.plugin else resource.spec)}
    spec = _parsed(kind, body)
    violations = tuple(kind.validate(spec))
    if violations:
        raise InvalidResourceError(violations)
    status = None
    if kind.render_status is not None and kind.parse_status is not None:
        given = resource.status
        if given:
            parsed = kind.parse_status({"status": given})
            status = text_of(kind.render_status(parsed))
    # Of a newer type as it was sent: it may have members that only newer versions know.
    text = text_of({"spec": resource.spec}) if of.plugin else spec_text(kind, spec)
    return _Wanted(key, text, status, dict(resource.labels))


def _parsed(kind: Kind[Any], body: dict[str, object]) -> Any:
    """The spec. Of a newer type that does not fit its schema, what a validator has to say comes
    first: it is what the other side's would say.
    """
    if not isinstance(kind, PluginKind):
        return kind.parse(body)
    faults = Faults()
    try:
        spec = read_document(kind.type, kind.spec_type, body, faults)
    except EnoughFaultsError:
        raise InvalidResourceError(faults.violations) from None
    if faults.violations and not tuple(kind.validate(spec)):
        raise InvalidResourceError(faults.violations)
    if faults.stopped is not None:
        raise faults.stopped
    return spec


def _is(stored: StoredResource, wanted: _Wanted) -> bool:
    """Whether there is nothing to write."""
    return (
        stored.spec == wanted.spec
        and dict(stored.labels) == dict(wanted.labels)
        and (wanted.status is None or stored.status == wanted.status)
    )


def _exists(key: ResourceKey) -> str:
    """As the original says it."""
    named = f"type={go_quote(key.type)} name={go_quote(key.name)}"
    return f"resource already exists: {named} mesh={go_quote(key.mesh)}"
