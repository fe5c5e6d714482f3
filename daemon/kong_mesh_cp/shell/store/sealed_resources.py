"""A store that seals the secrets in resources; callers see them open.

What is sealed is the whole document of a Secret or GlobalSecret, so it comes back letter for
letter. A document that lies there unsealed is given back as it is: it is sealed when it is
written again.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.identity.secrets_at_rest import (
    SECRET_BYTES_MAX,
    SealedSecretError,
    SecretKeys,
    is_sealed,
)
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import (
    Applied,
    Change,
    ChangeRefusedError,
    FeedItem,
    Page,
    Put,
    ResourceStore,
    Selection,
    StoredResource,
)

SEALED_TYPES: Final = ("GlobalSecret", "Secret")
SEARCHED_ITEMS: Final = 100  # at a time, until one is sealed

_SEALED: Final = "sealed"  # the only member of a sealed document


class SealedResources:
    """`usecases.ports.resource_store.ResourceStore` over another one.

    A secret that cannot be opened is a failure of the store: StateError, which says what to do.
    """

    def __init__(self, store: ResourceStore, keys: SecretKeys) -> None:
        self._store = store
        self._keys = keys

    async def revision(self) -> int:
        return await self._store.revision()

    async def get(self, key: ResourceKey) -> StoredResource | None:
        found = await self._store.get(key)
        return None if found is None else self._opened(found)

    async def get_many(self, keys: Collection[ResourceKey]) -> Mapping[ResourceKey, StoredResource]:
        found = await self._store.get_many(keys)
        return {key: self._opened(stored) for key, stored in found.items()}

    async def list(self, selection: Selection) -> Page:
        page = await self._store.list(selection)
        if selection.type not in SEALED_TYPES:
            return page
        return replace(page, items=tuple(map(self._opened, page.items)))

    async def apply(self, changes: Sequence[Change]) -> Applied:
        return await self._store.apply([self._sealed(change) for change in changes])

    def changes(self, since: int | None = None) -> AbstractContextManager[AsyncIterator[FeedItem]]:
        return self._store.changes(since)

    def _sealed(self, change: Change) -> Change:
        if not isinstance(change, Put) or change.key.type not in SEALED_TYPES:
            return change
        from kong_mesh_cp.shell.host.randomness import (  # noqa: PLC0415 (a start does not wait for it)
            new_nonce,
        )

        document = change.spec.encode()
        if len(document) > SECRET_BYTES_MAX:
            message = f"{change.key.name!r} is larger than {SECRET_BYTES_MAX} bytes"
            raise ChangeRefusedError(change.key, message)
        text = self._keys.seal(document, of=change.key, nonce=new_nonce())
        return replace(change, spec=json.dumps({_SEALED: text}))

    def _opened(self, stored: StoredResource) -> StoredResource:
        sealed = _sealed_text(stored)
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
            if any(_sealed_text(stored) is not None for stored in page.items):
                return True
            offset, total = offset + SEARCHED_ITEMS, page.total
    return False


def _sealed_text(stored: StoredResource) -> str | None:
    if stored.key.type not in SEALED_TYPES:
        return None
    text = json.loads(stored.spec).get(_SEALED)
    return text if isinstance(text, str) and is_sealed(text) else None
