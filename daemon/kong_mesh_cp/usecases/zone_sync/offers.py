"""What this control plane has for others, packed and up to date."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, NoReturn

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.discovery.snapshots import Resource, Snapshot, TypeResources
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.identity.secrets_at_rest import NOT_TO_BE_OPENED
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.zone import Zone
from kong_mesh_cp.core.schema.wire_format import BinaryError
from kong_mesh_cp.core.zone_sync.directions import is_across_zones
from kong_mesh_cp.core.zone_sync.going_down import ASKED_FEATURES, Offer, Terms
from kong_mesh_cp.core.zone_sync.kuma_resources import packed, renamed
from kong_mesh_cp.core.zone_sync.synced_names import removed_name
from kong_mesh_cp.core.zone_sync.synced_resources import SyncedResource
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import (
    ResourceChange,
    Selection,
    StoredResource,
)
from kong_mesh_cp.usecases.resources.documents import readable_as
from kong_mesh_cp.usecases.resources.sweeping import sweep
from kong_mesh_cp.usecases.zone_sync.synced_kinds import message_type_of, synced_of

ZONE: Final = "Zone"
MADE_MAX: Final = 2048  # lists that are kept: of some dozens of types, for so many groups of zones

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recipient:
    """For whom an offer is looked through. For the global control plane: nothing of it counts."""

    zone: str = ""
    features: frozenset[str] = frozenset()
    hashes_names: bool = True


class _Held(NamedTuple):
    resource: Resource  # under its hashed name
    key: ResourceKey  # likewise
    plain_name: str
    terms: Terms


class Offers:
    """One direction's. `make`: what a stored resource becomes on its way; None, it stays."""

    def __init__(
        self,
        replica: Replica,
        types: Sequence[str],
        make: Callable[[SyncedResource], Offer | None],
    ) -> None:
        self._replica = replica
        self._types = types
        self._make = make
        self._held: dict[str, dict[ResourceKey, _Held]] = {name: {} for name in types}
        self._generations: dict[str, int] = dict.fromkeys(types, 0)
        self._disabled: frozenset[str] = frozenset()
        self._made: dict[tuple[str, Recipient], tuple[int, TypeResources]] = {}
        self.moment = 0  # counts changes
        self._news = trio.Event()
        self._read_once = trio.Event()

    async def run(self) -> NoReturn:
        """Follow the store until cancelled."""
        await self._replica.follow(
            [*self._types, ZONE],
            read=self._read,
            take=self._take,
            outcomes=FailureLog(log, "zone-sync-store-failing", "zone-sync-store-again"),
        )

    async def ready(self) -> None:
        """Return when there is what is stored."""
        await self._read_once.wait()

    async def changed(self, since: int) -> None:
        """Return when there is a later `moment` than `since`."""
        while self.moment == since:
            await self._news.wait()

    def snapshot(self, recipient: Recipient) -> Snapshot:
        return Snapshot({name: self._of_type(name, recipient) for name in self._types})

    def _of_type(self, name: str, recipient: Recipient) -> TypeResources:
        across = is_across_zones(name)
        # What is of no zone goes to all zones alike that are able to do the same.
        group = replace(
            recipient,
            zone=recipient.zone if across else "",
            features=recipient.features & ASKED_FEATURES,
        )
        generation = self._generations[name]
        made = self._made.get((name, group))
        if made is not None and made[0] == generation:
            return made[1]
        found = TypeResources.of(
            _named(each, recipient)
            for each in self._held[name].values()
            if each.terms.met_by(recipient.zone, recipient.features, self._is_enabled)
        )
        if len(self._made) >= MADE_MAX:
            self._made.clear()
        self._made[name, group] = generation, found
        return found

    def _is_enabled(self, zone: str) -> bool:
        return zone not in self._disabled

    async def _read(self) -> None:
        store = self._replica.store
        disabled = {
            each.key.name
            async for each in sweep(store, Selection(type=ZONE))
            if not _is_enabled(each)
        }
        for name in self._types:
            held: dict[ResourceKey, _Held] = {}
            async for stored in sweep(store, Selection(type=name)):
                self._hold(held, stored)
            self._held[name] = held
            self._generations[name] += 1
        self._disabled = frozenset(disabled)
        self._read_once.set()
        self._tell()

    async def _take(self, change: ResourceChange) -> None:
        key = change.key
        try:
            stored = await self._replica.store.get(key)
        except StateError as error:
            if error.code not in NOT_TO_BE_OPENED:
                raise
            stored = None  # a list leaves it out as well
        if key.type == ZONE:
            self._enable(key.name, enabled=stored is None or _is_enabled(stored))
            return
        held = self._held[key.type]
        before = held.pop(key, None)
        if stored is not None:
            self._hold(held, stored)
        if held.get(key) != before:
            self._generations[key.type] += 1
            self._tell()

    def _enable(self, zone: str, *, enabled: bool) -> None:
        disabled = self._disabled - {zone} if enabled else self._disabled | {zone}
        if disabled == self._disabled:
            return
        self._disabled = disabled
        for name in self._types:
            if is_across_zones(name):
                self._generations[name] += 1
        self._tell()

    def _hold(self, held: dict[ResourceKey, _Held], stored: StoredResource) -> None:
        offer = self._make(synced_of(stored))
        if offer is None:
            return
        key = offer.resource.key
        try:
            data = packed(offer.resource, message_type_of(key.type))
        except (BinaryError, ParseError) as error:
            log.error(
                "zone-sync-not-packed: %s %s cannot be sent to other control planes: %s",
                key.type,
                removed_name(stored.key),
                error,
            )
            return
        resource = Resource.of(removed_name(key), data)
        held[stored.key] = _Held(resource, key, offer.plain_name, offer.terms)

    def _tell(self) -> None:
        self.moment += 1
        self._news.set()
        self._news = trio.Event()


def _named(held: _Held, recipient: Recipient) -> Resource:
    if recipient.hashes_names or held.plain_name == held.key.name:
        return held.resource
    key = held.key._replace(name=held.plain_name)
    return Resource.of(removed_name(key), renamed(held.resource.packed, key.name))


def _is_enabled(stored: StoredResource) -> bool:
    zone = readable_as(Zone, stored)
    return zone is None or zone.is_enabled
