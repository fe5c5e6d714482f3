"""A resource store of dictionaries for tests of use cases. It passes the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from typing import Self

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.volume import Totals, size_of
from kong_mesh_cp.usecases.ports.resource_store import (
    AlreadyExistsError,
    Applied,
    Change,
    ChangeKind,
    Delete,
    FeedItem,
    NotFoundError,
    Page,
    Put,
    QuotaExceededError,
    ResourceChange,
    Resync,
    Selection,
    StoredResource,
    VersionConflictError,
    WouldFitError,
    up_to,
)


@dataclass
class FakeResourceStore:
    """Set `failure` to make every call raise it; set it to None again to recover."""

    resources: dict[ResourceKey, StoredResource] = field(default_factory=dict)
    log: list[ResourceChange] = field(default_factory=list)
    failure: StateError | None = None
    changed: trio.Event = field(default_factory=trio.Event)

    async def _ready(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.failure is not None:
            raise self.failure

    async def revision(self) -> int:
        await self._ready()
        return len(self.log)

    async def get(self, key: ResourceKey) -> StoredResource | None:
        await self._ready()
        return self.resources.get(key)

    async def get_many(self, keys: Collection[ResourceKey]) -> dict[ResourceKey, StoredResource]:
        await self._ready()
        return {key: self.resources[key] for key in keys if key in self.resources}

    async def list(self, selection: Selection) -> Page:
        await self._ready()
        return self._page(selection)

    async def list_together(self, selections: Sequence[Selection]) -> Sequence[Page]:
        asked = list(selections)
        await self._ready()
        return [self._page(each) for each in asked]

    def _page(self, selection: Selection) -> Page:
        found = [
            self.resources[key]
            for key in sorted(self.resources)
            if key.type == selection.type
            and selection.mesh in (None, key.mesh)
            and selection.name_contains in key.name
            and selection.labels.items() <= self.resources[key].labels.items()
        ]
        end = None if selection.limit is None else selection.offset + selection.limit
        items = up_to(selection.bytes_max, found[selection.offset : end])
        return Page(tuple(items), len(found), len(self.log))

    async def apply(self, changes: Sequence[Change]) -> Applied:
        asked = list(changes)
        await self._ready()
        before, length = dict(self.resources), len(self.log)
        try:
            for change in asked:
                if isinstance(change, Put):
                    self._put(change)
                else:
                    self._delete(change)
            self._require_room(asked, before)
            _require_meant(asked)
        except BaseException:
            self.resources, self.log = before, self.log[:length]
            raise
        self.changed.set()
        self.changed = trio.Event()
        return Applied(len(self.log), tuple(self.log[length:]))

    def _require_room(
        self, changes: Sequence[Change], before: dict[ResourceKey, StoredResource]
    ) -> None:
        for change in changes:
            if isinstance(change, Put) and change.quota is not None:
                type_name = change.key.type
                excess = change.quota.excess(type_name, _totals(before), _totals(self.resources))
                if excess is not None:
                    raise QuotaExceededError(change.key, excess)

    def _put(self, change: Put) -> None:
        key, old = change.key, self.resources.get(change.key)
        if change.if_version == 0 and old is not None:
            raise AlreadyExistsError(key)
        if change.if_version:
            self._require(key, change.if_version)
        if change.owner is not None and change.owner not in {key, *self.resources}:
            raise NotFoundError(change.owner)
        at = change.at.astimezone(UTC)
        self.resources[key] = StoredResource(
            key=key,
            version=old.version + 1 if old else 1,
            spec=change.spec,
            status=change.status,
            labels=dict(change.labels),
            created_at=change.created_at or (old.created_at if old else at),
            modified_at=at,
            owner=change.owner,
        )
        self._note(key, ChangeKind.UPDATED if old else ChangeKind.CREATED)

    def _delete(self, change: Delete) -> None:
        key, if_version = change.key, change.if_version
        if if_version is not None:
            self._require(key, if_version)
        if key not in self.resources:
            raise NotFoundError(key)
        if change.if_created_at not in {None, self.resources[key].created_at}:
            raise VersionConflictError(key, expected=if_version or 0, found=None)
        level = [key]
        gone: dict[ResourceKey, None] = {}
        while level:
            gone |= dict.fromkeys(level)
            level = sorted(
                one.key
                for one in self.resources.values()
                if one.owner in level and one.key not in gone
            )
        for one in gone:
            self._note(one, ChangeKind.DELETED)
            del self.resources[one]

    def _require(self, key: ResourceKey, version: int) -> None:
        found = self.resources[key].version if key in self.resources else None
        if found != version:
            raise VersionConflictError(key, expected=version, found=found)

    def _note(self, key: ResourceKey, kind: ChangeKind) -> None:
        version = self.resources[key].version
        self.log.append(ResourceChange(key, kind, version, len(self.log) + 1))

    @contextmanager
    def changes(self, since: int | None = None) -> Iterator[AsyncIterator[FeedItem]]:
        yield _Reader(self, len(self.log) if since is None else since)


def _require_meant(changes: Sequence[Change]) -> None:
    for change in changes:
        if isinstance(change, Put) and change.asks_only:
            raise WouldFitError(change.key)


def _totals(resources: dict[ResourceKey, StoredResource]) -> Totals:
    totals = Totals()
    for each in resources.values():
        size = size_of(each.spec, each.status, each.labels)
        totals = totals.changed(each.key.type, None, size)
    return totals


@dataclass
class _Reader:
    store: FakeResourceStore
    seen: int

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> FeedItem:
        await trio.lowlevel.checkpoint()
        while self.seen == len(self.store.log):
            await self.store.changed.wait()
        if self.seen > len(self.store.log):
            self.seen = len(self.store.log)
            return Resync(self.seen)
        missed = {change.key: change for change in self.store.log[self.seen :]}
        oldest = min(missed.values(), key=lambda change: change.revision)
        self.seen = oldest.revision
        return oldest


@dataclass
class InterruptedStore(FakeResourceStore):
    """Between what a writer has read and its write something else happens, once.

    `meanwhile`: the type of what is written first, and what happens then.
    """

    meanwhile: tuple[str, Callable[[], Awaitable[object]]] | None = None

    async def apply(self, changes: Sequence[Change]) -> Applied:
        if self.meanwhile is not None and changes[0].key.type == self.meanwhile[0]:
            _, happen = self.meanwhile
            self.meanwhile = None
            await happen()
        return await super().apply(changes)


@dataclass
class CountedReads(FakeResourceStore):
    """Remembers which resources were asked for by their keys."""

    asked: list[ResourceKey] = field(default_factory=list)

    async def get_many(self, keys: Collection[ResourceKey]) -> dict[ResourceKey, StoredResource]:
        self.asked += keys
        return await super().get_many(keys)


@dataclass
class CountedLists(FakeResourceStore):
    """Counts the questions for lists, and names the types that they were about."""

    questions: int = 0
    listed: list[str] = field(default_factory=list)

    async def list(self, selection: Selection) -> Page:
        self.questions += 1
        self.listed.append(selection.type)
        return await super().list(selection)

    async def list_together(self, selections: Sequence[Selection]) -> Sequence[Page]:
        self.questions += 1
        self.listed += [each.type for each in selections]
        return await super().list_together(selections)
