"""The effect of a transaction of changes, worked out alike for every database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.volume import Totals, size_of
from kong_mesh_cp.usecases.ports.resource_store import (
    AlreadyExistsError,
    Applied,
    Change,
    ChangeKind,
    ChangeRefusedError,
    Delete,
    NotFoundError,
    Put,
    QuotaExceededError,
    ResourceChange,
    StoredResource,
    VersionConflictError,
    WouldFitError,
)


class Known(NamedTuple):
    """As much of a stored resource as a decision needs."""

    version: int
    created_at: datetime
    size: int


class StoredRows(Protocol):
    """The database, inside of a transaction that excludes other writers."""

    def known(self, key: ResourceKey) -> Known | None: ...

    def owned_by(self, keys: Collection[ResourceKey]) -> Iterable[ResourceKey]:
        """What names one of `keys` as its owner."""
        ...


class Staging:
    """Changes of one transaction on top of the stored rows, until they are written out.

    `rows` holds what each touched key will be, None for what will be gone.
    """

    def __init__(self, stored: StoredRows, revision: int, totals: Totals) -> None:
        self.rows: dict[ResourceKey, StoredResource | None] = {}
        self.sizes: dict[ResourceKey, int] = {}  # of what was put, at the last
        self.revision = revision
        self.totals = totals
        self._stored = stored

    def stage(self, changes: Sequence[Change]) -> Applied:
        """Raises: ChangeRefusedError, with nothing of `changes` staged."""
        rows, sizes, revision, totals = (
            dict(self.rows),
            dict(self.sizes),
            self.revision,
            self.totals,
        )
        made: list[ResourceChange] = []
        try:
            for change in changes:
                match change:
                    case Put():
                        made.append(self._put(change))
                    case Delete():
                        made.extend(self._delete(change))
            self._require_room(changes, totals)
            for change in changes:
                if isinstance(change, Put) and change.asks_only:
                    raise WouldFitError(change.key)
        except ChangeRefusedError:
            self.rows, self.sizes, self.revision, self.totals = rows, sizes, revision, totals
            raise
        return Applied(self.revision, tuple(made))

    def _require_room(self, changes: Sequence[Change], before: Totals) -> None:
        for change in changes:
            if isinstance(change, Put) and change.quota is not None:
                excess = change.quota.excess(change.key.type, before, self.totals)
                if excess is not None:
                    raise QuotaExceededError(change.key, excess)

    def _put(self, change: Put) -> ResourceChange:
        key = change.key
        found = self._known(key)
        if found is not None and change.if_version == 0:
            raise AlreadyExistsError(key)
        if change.if_version:
            _require_version(key, change.if_version, found)
        owner = change.owner
        if owner is not None and owner != key and self._known(owner) is None:
            raise NotFoundError(owner)
        version = 1 if found is None else found.version + 1
        at = change.at.astimezone(UTC)
        created_at = change.created_at or (at if found is None else found.created_at)
        self.rows[key] = StoredResource(
            key=key,
            version=version,
            spec=change.spec,
            status=change.status,
            labels=dict(change.labels),
            created_at=created_at.astimezone(UTC),
            modified_at=at,
            owner=owner,
        )
        before = None if found is None else found.size
        after = size_of(change.spec, change.status, change.labels)
        self.sizes[key] = after
        self.totals = self.totals.changed(key.type, before, after)
        kind = ChangeKind.CREATED if found is None else ChangeKind.UPDATED
        return self._note(key, kind, version)

    def _delete(self, change: Delete) -> Iterable[ResourceChange]:
        found = self._known(change.key)
        if change.if_version is not None:
            _require_version(change.key, change.if_version, found)
        if found is None:
            raise NotFoundError(change.key)
        if change.if_created_at not in {None, found.created_at}:
            # What was meant is gone; this is another one.
            raise VersionConflictError(change.key, expected=change.if_version or 0, found=None)
        going = {change.key: found}
        newest = {change.key}
        while newest:
            newest = self._owned_by(newest) - going.keys()
            for key in sorted(newest):
                if (owned := self._known(key)) is not None:
                    going[key] = owned
        for key, known in going.items():
            self.rows[key] = None
            self.totals = self.totals.changed(key.type, known.size, None)
            yield self._note(key, ChangeKind.DELETED, known.version)

    def _known(self, key: ResourceKey) -> Known | None:
        if key not in self.rows:
            return self._stored.known(key)
        row = self.rows[key]
        return None if row is None else Known(row.version, row.created_at, self.sizes[key])

    def _owned_by(self, keys: set[ResourceKey]) -> set[ResourceKey]:
        stored = {key for key in self._stored.owned_by(keys) if key not in self.rows}
        staged = {key for key, row in self.rows.items() if row is not None and row.owner in keys}
        return stored | staged

    def _note(self, key: ResourceKey, kind: ChangeKind, version: int) -> ResourceChange:
        self.revision += 1
        return ResourceChange(key, kind, version, self.revision)


def _require_version(key: ResourceKey, expected: int, found: Known | None) -> None:
    version = None if found is None else found.version
    if version != expected:
        raise VersionConflictError(key, expected=expected, found=version)
