"""Secrets in memory, for whoever issues and verifies tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import NotFoundError
from kong_mesh_cp.usecases.ports.secrets import NewSigningKey
from support.fakes.identity import NOW, pem

Meanwhile = Callable[[], Awaitable[None]]


class FakeKeySecrets:
    """The port KeySecrets in a dictionary. Global secrets, and those of the meshes given."""

    def __init__(self, *meshes: str) -> None:
        self.kept: dict[ResourceKey, bytes] = {}
        self._made: dict[ResourceKey, datetime] = {}
        self._meshes = {"", *meshes}
        self._meanwhile: list[Meanwhile] = []

    async def get(self, key: ResourceKey) -> bytes | None:
        return self.kept.get(key)

    async def made_at(self, key: ResourceKey) -> datetime | None:
        return self._made.get(key) if key in self.kept else None

    async def names(self, type_name: str, mesh: str, prefix: str) -> Sequence[str]:
        found = (key for key in self.kept if (key.type, key.mesh) == (type_name, mesh))
        return sorted(key.name for key in found if key.name.startswith(prefix))

    async def put(self, key: ResourceKey, data: bytes, *, expected: bytes | None) -> bool:
        if self._meanwhile:
            await self._meanwhile.pop()()
        if key.mesh not in self._meshes:
            raise NotFoundError(ResourceKey("Mesh", "", key.mesh))
        if self.kept.get(key) != expected:
            return False
        if key not in self.kept:
            self._made[key] = NOW
        self.kept[key] = data
        return True

    async def delete(self, key: ResourceKey) -> bool:
        return self.kept.pop(key, None) is not None

    def before_the_next_put(self, happens: Meanwhile) -> None:
        """Somebody else is faster."""
        self._meanwhile.append(happens)


def numbered_keys() -> NewSigningKey:
    """Makes key pair 1, then 2, and so on; each is generated once in a run."""
    made = 0

    async def new_key() -> bytes:
        nonlocal made
        made += 1
        return pem(made)

    return new_key
