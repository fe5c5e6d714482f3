"""The port KeySecrets over a store of resources: the secrets of signing keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.secret import Secret
from kong_mesh_cp.usecases.ports.resource_store import (
    AlreadyExistsError,
    Delete,
    NotFoundError,
    ResourceStore,
    Selection,
    StoredResource,
    VersionConflictError,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.documents import spec_as
from kong_mesh_cp.usecases.resources.mesh_creation import secret_put


class StoredKeySecrets:
    """`usecases.ports.secrets.KeySecrets`. What clients write counts from its next question on."""

    def __init__(self, store: ResourceStore, wall_clock: WallClock) -> None:
        self._store = store
        self._wall_clock = wall_clock

    async def get(self, key: ResourceKey) -> bytes | None:
        stored = await self._store.get(key)
        return None if stored is None else _content(stored)

    async def made_at(self, key: ResourceKey) -> datetime | None:
        stored = await self._store.get(key)
        return None if stored is None else stored.created_at

    async def names(self, type_name: str, mesh: str, prefix: str) -> Sequence[str]:
        page = await self._store.list(Selection(type=type_name, mesh=mesh, name_contains=prefix))
        names = (stored.key.name for stored in page.items)
        return sorted(name for name in names if name.startswith(prefix))

    async def put(self, key: ResourceKey, data: bytes, *, expected: bytes | None) -> bool:
        # Between this question and the change another writer may be faster: the version tells.
        stored = await self._store.get(key)
        if (None if stored is None else _content(stored)) != expected:
            return False
        change = secret_put(key, data, self._wall_clock())
        if stored is None:
            change = replace(change, if_version=0)
        else:
            change = replace(change, if_version=stored.version, labels=stored.labels)
        try:
            await self._store.apply([change])
        except (AlreadyExistsError, VersionConflictError):
            return False
        return True

    async def delete(self, key: ResourceKey) -> bool:
        try:
            await self._store.apply([Delete(key=key)])
        except NotFoundError:
            return False
        return True


def _content(stored: StoredResource) -> bytes:
    return spec_as(Secret, stored).data or b""
