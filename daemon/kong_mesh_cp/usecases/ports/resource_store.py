"""The port of a store of resources. It knows keys and documents, no meanings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from kong_mesh_cp.core.admission.seats import SeatId, SeatRecord
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.volume import Excess, Quota


class ChangeRefusedError(Exception):
    """A change does not fit what is stored, so its whole transaction was not made."""

    def __init__(self, key: ResourceKey, message: str) -> None:
        super().__init__(message)
        self.key = key


class AlreadyExistsError(ChangeRefusedError):
    """There is a resource where there must not be one."""

    def __init__(self, key: ResourceKey) -> None:
        super().__init__(key, f"{key} exists already")


class NotFoundError(ChangeRefusedError):
    """What shall be deleted, or shall own something, is not there; `key` names it."""

    def __init__(self, key: ResourceKey) -> None:
        super().__init__(key, f"{key} does not exist")


class VersionConflictError(ChangeRefusedError):
    """Another writer was faster. `found` is None when the resource is gone."""

    def __init__(self, key: ResourceKey, *, expected: int, found: int | None) -> None:
        super().__init__(key, f"{key} has version {found}, not {expected}")
        self.expected = expected
        self.found = found


class QuotaExceededError(ChangeRefusedError):
    """There would be more in the store than its writer may bring about."""

    def __init__(self, key: ResourceKey, excess: Excess) -> None:
        super().__init__(key, f"{key} would make {excess.found} {excess.what} of {excess.most}")
        self.excess = excess


class WouldFitError(ChangeRefusedError):
    """Nothing stands against the changes, which were not to be made."""

    def __init__(self, key: ResourceKey) -> None:
        super().__init__(key, f"{key} would be written")


class TooLargeError(ChangeRefusedError):
    """A document takes more than there may be of its type."""

    def __init__(self, key: ResourceKey, *, found: int, most: int) -> None:
        super().__init__(key, f"{key} has {found} bytes, and is to have at most {most}")
        self.found = found
        self.most = most


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResource:
    """A resource as it is kept. `version` is 1 when it is made and 1 more with each change."""

    key: ResourceKey
    version: int
    spec: str  # a JSON object, given back letter for letter
    status: str | None = None  # likewise
    labels: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime  # aware, UTC, kept to the microsecond
    modified_at: datetime
    owner: ResourceKey | None = None  # it goes when its owner goes

    @property
    def text_bytes(self) -> int:
        """How much memory its spec and status take at most."""
        size = len(self.spec) if self.spec.isascii() else 4 * len(self.spec)
        if self.status is None:
            return size
        return size + (len(self.status) if self.status.isascii() else 4 * len(self.status))


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Make a resource, or replace all of it but its key, version and time of creation.

    `if_version`: 0, it must not exist; n, it must have exactly this version; None, whatever is
    there. `owner` has to exist when the change's turn comes. `created_at` is for a resource that
    comes with its past; otherwise `at` is when it was made, if it was not there. `quota`: how much
    there may be when the whole transaction has been made, unless that takes no more than before.
    `asks_only`: the whole transaction ends with WouldFitError if nothing else refuses it.
    """

    key: ResourceKey
    spec: str
    at: datetime  # aware
    status: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    owner: ResourceKey | None = None
    if_version: int | None = None
    created_at: datetime | None = None
    quota: Quota | None = None
    asks_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Take a resource out, with all that it owns and what that owns.

    `if_version`: n, it must have exactly this version; None, it must be there. `if_created_at`: it
    must have been made then. Versions begin anew with what is made anew under the same key.
    """

    key: ResourceKey
    if_version: int | None = None
    if_created_at: datetime | None = None

    @classmethod
    def as_read(cls, stored: StoredResource) -> Delete:
        """Take out just what was read, unless anything has become of it."""
        return cls(key=stored.key, if_version=stored.version, if_created_at=stored.created_at)


Change = Put | Delete


class ChangeKind(StrEnum):
    """What happened to a resource."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """Something that has happened. `version` is the new one; of what was deleted, the last one."""

    key: ResourceKey
    kind: ChangeKind
    version: int
    revision: int  # of the store, after this change


@dataclass(frozen=True, slots=True)
class Resync:
    """Changes were missed: read anew. What is read from now on has at least `revision`."""

    revision: int


FeedItem = ResourceChange | Resync


@dataclass(frozen=True, slots=True)
class Applied:
    """What a transaction came to: each change in order, those of a cascade after its cause."""

    revision: int
    changes: tuple[ResourceChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which resources a list is made of, and which part of it is wanted."""

    type: str
    mesh: str | None = None  # None: of every mesh
    name_contains: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)  # each has to be there, with its value
    offset: int = 0
    limit: int | None = None  # None: all from `offset` on
    bytes_max: int | None = None  # the page has no more `text_bytes`, but one resource at least


@dataclass(frozen=True, slots=True)
class Page:
    """`items` are sorted by mesh and name (code points); all three are of one moment."""

    items: tuple[StoredResource, ...]
    total: int  # of the whole selection, on any page
    revision: int


def up_to(bytes_max: int | None, found: Iterable[StoredResource]) -> Iterator[StoredResource]:
    """What a page holds of `found`: see `Selection.bytes_max`."""
    if bytes_max is None:
        yield from found
        return
    total = 0
    for number, each in enumerate(found):
        total += each.text_bytes
        if total > bytes_max and number:
            return
        yield each


class ResourceStore(Protocol):
    """Durable resources of all meshes. All methods raise StateError when the store fails.

    Keys and labels are any text but lone surrogates. The revision of a store counts its changes:
    it only rises, also over restarts, and a higher one never becomes visible before a lower one.
    """

    async def revision(self) -> int: ...

    async def get(self, key: ResourceKey) -> StoredResource | None: ...

    async def get_many(self, keys: Collection[ResourceKey]) -> Mapping[ResourceKey, StoredResource]:
        """Those of `keys` that exist, of one moment."""
        ...

    async def list(self, selection: Selection) -> Page: ...

    async def list_together(self, selections: Sequence[Selection]) -> Sequence[Page]:
        """The pages of `selections`, in their order and all of one moment: of one revision."""
        ...

    async def apply(self, changes: Sequence[Change]) -> Applied:
        """Make all of `changes`, in order, in one transaction; return when they are on disk.

        Raises: AlreadyExistsError, NotFoundError, VersionConflictError, QuotaExceededError,
        TooLargeError, WouldFitError (nothing was changed);
        StateError, in general without a change. Only a connection that was lost while the store
        was committing (`store-outcome-unknown`) leaves open whether the whole was made or
        nothing. So does cancelling the caller.
        """
        ...

    def changes(self, since: int | None = None) -> AbstractContextManager[AsyncIterator[FeedItem]]:
        """What happens after revision `since`, from inside of `with` on; None: from now on.

        To miss nothing: enter, then read, then take what comes. What was made just before may
        still come (a shared store tells a moment later than it shows), also to the one who made
        it; its revision tells. A reader that is slow gets the last change of each resource only,
        in the order of their revisions; one that is too slow, or asks for a past that is not
        kept, or whose store lost its connection meanwhile, gets a Resync. A change comes when it
        can be read. One task at a time may wait for the next item.
        """
        ...


class SeatSlots(Protocol):
    """Seats as the store counts them, for all control planes that share it.

    Where one process owns the store (SQLite), its own count is exact and the store adds nothing:
    that adapter answers from memory, and the database is never asked. Where several share one
    (PostgreSQL), the answer is the database's. Raises: StateError.
    """

    async def claim(self, record: SeatRecord, limit: int) -> bool:
        """Take a seat unless `limit` are taken; a proxy that has one keeps it, and moves here.

        Exact among all that ask at the same time. The seat is held for SLOT_SECONDS from now.
        """
        ...

    async def free(self, seat: SeatId) -> None:
        """Give back a seat that was claimed here; one that has moved away stays taken."""
        ...

    async def has_room(self, seat: SeatId, limit: int) -> bool:
        """Whether `claim` would take it now. Changes nothing."""
        ...

    async def hold(self, records: Collection[SeatRecord]) -> None:
        """Take all of these seats, however many are taken; those held elsewhere move here."""
        ...

    async def regain(self, records: Collection[SeatRecord], limit: int | None) -> frozenset[SeatId]:
        """Take those that no other plane holds, unless `limit` are taken; None: there is none.

        Gives those that are held here then.
        """
        ...

    async def elsewhere(self) -> int:
        """How many seats are held through other control planes now."""
        ...

    async def renew(self) -> frozenset[SeatId]:
        """Hold every seat claimed here for SLOT_SECONDS from now; those that are still ours.

        To be called at least every SLOT_RENEWAL_SECONDS. The seats of a control plane that has
        died are free again when their time is over.
        """
        ...


SLOT_SECONDS = 60.0  # the reclaim window: a seat outlives its control plane by this
SLOT_RENEWAL_SECONDS = 15.0  # three of them may fail
