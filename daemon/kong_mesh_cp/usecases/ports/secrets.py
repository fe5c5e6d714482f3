"""Ports of tokens: stored signing keys, and making new ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.key import ResourceKey

NewSigningKey = Callable[[], Awaitable[bytes]]  # a private key of its own each time, PEM, PKCS #1
NewTokenId = Callable[[], str]  # a UUID of its own each time


class KeySecrets(Protocol):
    """Secrets and global secrets, as what is in them: neither sealed nor in Base64.

    All methods raise StateError when the store fails; `get` and `put` also SealedSecretError.
    """

    async def get(self, key: ResourceKey) -> bytes | None: ...

    async def made_at(self, key: ResourceKey) -> datetime | None:
        """When the secret was made; None: there is none."""
        ...

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


class SealingKeyUse(StrEnum):
    """What a key of secrets at rest is there for."""

    SEALING = "sealing"  # what is written
    OPENING = "opening"  # what it has sealed before
    WAITING = "waiting"  # to be the one that seals
    MISSING = "missing"  # it has sealed something, and is not here


@dataclass(frozen=True, slots=True)
class SealingKeyRow:
    """One key of secrets at rest; its id tells keys apart, and nothing about them."""

    id: str
    use: SealingKeyUse
    secrets: int  # sealed with it


@dataclass(frozen=True, slots=True)
class KeyRotation:
    """What came of rotating the sealing key."""

    id: str  # of the key that seals now
    earlier: tuple[str, ...]  # which still open
    secrets: int  # sealed anew


@dataclass(frozen=True, slots=True)
class KeyRetirement:
    """What came of retiring the earlier sealing keys, by their ids."""

    retired: tuple[str, ...]
    kept: tuple[str, ...]  # of a credential, which only who hands it over can change
    secrets: int  # sealed anew before


# Codes of StateErrors that say no more than that the state does not allow it.
SEALING_KEY_CONFLICTS: Final = frozenset({"secret-key-shared", "secret-key-in-use"})


class SealingKey(Protocol):
    """The key that seals secrets in the store. All methods raise StateError and SecretKeyError."""

    async def keys(self) -> Sequence[SealingKeyRow]:
        """All there are, the one that seals first."""
        ...

    async def rotate(self) -> KeyRotation:
        """Seal everything with a new key, or with one that waits; finish a rotation that was
        interrupted before another begins. Raises StateError `secret-key-shared`.
        """
        ...

    async def retire(self) -> KeyRetirement:
        """Forget the earlier keys. Raises StateError `secret-key-in-use`."""
        ...
