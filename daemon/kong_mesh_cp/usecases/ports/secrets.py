"""Ports of tokens: stored signing keys, and making new ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from kong_mesh_cp.core.resources.key import ResourceKey

NewSigningKey = Callable[[], Awaitable[bytes]]  # a private key of its own each time, PEM, PKCS #1
NewTokenId = Callable[[], str]  # a UUID of its own each time


class KeySecrets(Protocol):
    """Secrets and global secrets, as what is in them: neither sealed nor in Base64.

    All methods raise StateError when the store fails; `get` and `put` also SealedSecretError.
    """

    async def get(self, key: ResourceKey) -> bytes | None: ...

    async def names(self, type_name: str, mesh: str, prefix: str) -> Sequence[str]:
        """Of the secrets whose name starts with `prefix`, sorted."""
        ...

    async def put(self, key: ResourceKey, data: bytes, *, expected: bytes | None) -> bool:
        """Make `data` the content if it is `expected` now; None: if there is no such secret.

        Exact among all that put at the same time. False: another writer was faster; nothing was
        changed. It is durable when this returns. Raises NotFoundError for a mesh that does not
        exist.
        """
        ...

    async def delete(self, key: ResourceKey) -> bool:
        """Whether it was there."""
        ...
