"""A store that seals the secrets in resources; callers see them open.

What is sealed is the whole document of a Secret or GlobalSecret, so it comes back letter for
letter. A document that lies there unsealed is given back as it is: it is sealed when it is
written again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final, TypeGuard

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.identity.secrets_at_rest import (
    SECRET_BYTES_MAX,
    SealedSecretError,
    SecretKeys,
    sealing_key_id,
)
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.host.randomness import new_nonce
from kong_mesh_cp.shell.store.sealed_documents import (
    SEALED_TYPES,
    SealedRows,
    document_of,
    sealed_text,
)
from kong_mesh_cp.usecases.ports.resource_store import (
    Applied,
    Change,
    FeedItem,
    Page,
    Put,
    ResourceStore,
    Selection,
    StoredResource,
    TooLargeError,
)

SEARCHED_ITEMS: Final = 100  # at a time, until one is sealed


def _believe() -> None:
    """For keys that nobody can take away."""


class SealedResources:
    """`usecases.ports.resource_store.ResourceStore` over another one.

    A secret that cannot be opened is a failure of the store: StateError, which says what to do.
    """

    def __init__(
        self, store: ResourceStore, keys: SecretKeys, require_kept: Callable[[], None] = _believe
    ) -> None:
        """`require_kept` raises StateError where a secret could not be opened after a restart."""
        self._store = store
        self._require_kept = require_kept
        self._keys = keys
        self._changing = trio.Lock()  # of the key that seals
        self._under_way = 0  # writes of secrets
        self._none_under_way = trio.Event()

    @property
    def keys(self) -> SecretKeys:
        """The first one seals."""
        return self._keys

    async def revision(self) -> int:
        return await self._store.revision()

    async def get(self, key: ResourceKey) -> StoredResource | None:
        found = await self._store.get(key)
        return None if found is None else self._opened(found)

    async def get_many(self, keys: Collection[ResourceKey]) -> Mapping[ResourceKey, StoredResource]:
        found = await self._store.get_many(keys)
        return {key: self._opened(stored) for key, stored in found.items()}

    async def list(self, selection: Selection) -> Page:
        return self._opened_page(selection, await self._store.list(selection))

    async def list_together(self, selections: Sequence[Selection]) -> Sequence[Page]:
        asked = tuple(selections)
        found = await self._store.list_together(asked)
        return [*map(self._opened_page, asked, found)]

    async def apply(self, changes: Sequence[Change]) -> Applied:
        self._require_kept()
        if not any(map(_is_to_be_sealed, changes)):
            return await self._store.apply(changes)
        async with self._changing:  # a write while the key changes waits for the new one
            self._under_way += 1
        try:
            return await self._store.apply([self._sealed(change) for change in changes])
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._none_under_way.set()

    def changes(self, since: int | None = None) -> AbstractContextManager[AsyncIterator[FeedItem]]:
        return self._store.changes(since)

    async def reseal(self, keys: SecretKeys, rows: SealedRows) -> int:
        """Seal with the first of `keys` from now on, and what lies in `rows` anew; how many.

        `keys` have all that are in use now. What cannot be opened stays as it is, and so does what
        lies there unsealed. After an error both the old and the new key open, and the old one seals
        until the next attempt. Raises: as `SealedRows.reseal`.
        """
        first = keys.keys[0]

        def rewrite(key: ResourceKey, spec: str) -> str | None:
            sealed = sealed_text(key, spec)
            if sealed is None or sealing_key_id(sealed) == first.id:
                return None
            try:
                data = keys.open(sealed, of=key)
            except SealedSecretError:
                return None
            return document_of(_seal(keys, data, key))

        async with self._changing:
            while self._under_way:
                self._none_under_way = trio.Event()
                await self._none_under_way.wait()
            # From the commit on there is what the new key has sealed.
            self._keys = SecretKeys((self._keys.keys[0],)).and_those_of(keys)
            with trio.CancelScope(shield=True):  # or it would be unknown which key seals
                done = await rows.reseal(first.id, rewrite)
            self._keys = keys
        return done

    def forget(self, keys: SecretKeys) -> None:
        """Open with `keys` only. The one that seals has to be the first of them."""
        self._keys = keys

    def _sealed(self, change: Change) -> Change:
        if not _is_to_be_sealed(change):
            return change
        document = change.spec.encode()
        if len(document) > SECRET_BYTES_MAX:
            raise TooLargeError(change.key, found=len(document), most=SECRET_BYTES_MAX)
        return replace(change, spec=document_of(_seal(self._keys, document, change.key)))

    def _opened_page(self, selection: Selection, page: Page) -> Page:
        if selection.type not in SEALED_TYPES:
            return page
        return replace(page, items=tuple(map(self._opened, page.items)))

    def _opened(self, stored: StoredResource) -> StoredResource:
        sealed = sealed_text(stored.key, stored.spec)
        if sealed is None:
            return stored
        try:
            spec = self._keys.open(sealed, of=stored.key).decode()
        except SealedSecretError as error:
            raise StateError(error.message, code=error.code, hint=error.hint) from None
        return replace(stored, spec=spec)


async def holds_sealed(store: ResourceStore) -> bool:
    """Whether there is a sealed secret in `store`, which is not wrapped."""
    for type_name in SEALED_TYPES:
        offset, total = 0, 1
        while offset < total:
            page = await store.list(Selection(type=type_name, offset=offset, limit=SEARCHED_ITEMS))
            if any(sealed_text(stored.key, stored.spec) is not None for stored in page.items):
                return True
            offset, total = offset + SEARCHED_ITEMS, page.total
    return False


def _is_to_be_sealed(change: Change) -> TypeGuard[Put]:
    return isinstance(change, Put) and change.key.type in SEALED_TYPES


def _seal(keys: SecretKeys, document: bytes, key: ResourceKey) -> str:
    return keys.seal(document, of=key, nonce=new_nonce())
