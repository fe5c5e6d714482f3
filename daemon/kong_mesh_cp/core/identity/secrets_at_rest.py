"""Secrets as they lie in the store: sealed with AES-256-GCM, each for its own place.

A sealed secret is one line of ASCII, `kmesh-sealed:1:<key id>:<nonce and ciphertext>`. The
resource's key is authenticated with it, so that one secret cannot be put in the place of another.
Keys of an earlier time open what they have sealed; only the first one seals.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import EX_CONFIG, ControlPlaneError
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.resources.key import ResourceKey

if TYPE_CHECKING:
    from cryptography import exceptions
    from cryptography.hazmat.primitives.ciphers import aead
else:
    exceptions = lazy_import("cryptography.exceptions")
    aead = lazy_import("cryptography.hazmat.primitives.ciphers.aead")

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
KEYS_MAX: Final = 16  # one in use and those of earlier rotations
KEY_FILE_BYTES_MAX: Final = 4096
SECRET_BYTES_MAX: Final = 1024 * 1024  # what may be sealed: as much as an etcd value, by habit

_PREFIX: Final = "kmesh-sealed:"
_SEALED: Final = re.compile(r"kmesh-sealed:1:([0-9a-f]{16}):([A-Za-z0-9_-]+)")
_SEALED_BY: Final = re.compile(r"kmesh-sealed:1:([0-9a-f]{16}):")
_KEY_LINE: Final = re.compile(r"[A-Za-z0-9+/]{43}=")
_TAG_BYTES: Final = 16


class SecretKeyError(ControlPlaneError):
    """The key of the secrets is missing or unusable; nothing may go on as if there were none."""

    exit_status = EX_CONFIG


UNKNOWN_KEY: Final = "secret-key-unknown"
DAMAGED: Final = "secret-damaged"
NOT_TO_BE_OPENED: Final = frozenset({UNKNOWN_KEY, DAMAGED})
"""Codes of a secret that is there and cannot be opened, however often it is tried."""


class SealedSecretError(ControlPlaneError):
    """A secret in the store that cannot be opened. Its code is one of NOT_TO_BE_OPENED."""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One key. It never shows in a log: only its id does."""

    _bytes: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self._bytes) != KEY_BYTES:
            raise ValueError(f"a key of secrets has {KEY_BYTES} bytes")

    @property
    def id(self) -> str:
        """Tells keys apart, and nothing about them."""
        return sha256(b"kong-mesh-cp secret key id\0" + self._bytes).hexdigest()[:16]

    def line(self) -> str:
        """As it stands in a key file."""
        return base64.b64encode(self._bytes).decode()

    def seal(self, data: bytes, *, nonce: bytes, associated: bytes) -> bytes:
        return aead.AESGCM(self._bytes).encrypt(nonce, data, associated)

    def open(self, sealed: bytes, *, nonce: bytes, associated: bytes) -> bytes | None:
        """None: it was not this key, or something has been changed."""
        try:
            return aead.AESGCM(self._bytes).decrypt(nonce, sealed, associated)
        except exceptions.InvalidTag:
            return None


@dataclass(frozen=True, slots=True)
class SecretKeys:
    """The keys in use: the first one seals, each of them opens."""

    keys: tuple[SecretKey, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self._by_id()) <= KEYS_MAX:
            raise ValueError(f"there are 1 to {KEYS_MAX} keys of secrets")

    @classmethod
    def parse(cls, document: bytes, *, source: str) -> SecretKeys:
        """A key file: one key a line, in Base64, the one in use first. Raises: SecretKeyError."""
        try:
            lines = document.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise _unusable(source, "is no text") from None
        keys = []
        for number, line in enumerate((line.strip() for line in lines), start=1):
            if not line:
                continue
            if not _KEY_LINE.fullmatch(line):
                raise _unusable(source, f"holds no key of {KEY_BYTES} bytes in line {number}")
            keys.append(SecretKey(base64.b64decode(line)))
        if not keys:
            raise _unusable(source, "is empty")
        if len(keys) > KEYS_MAX:
            raise _unusable(source, f"holds more than {KEYS_MAX} keys")
        return cls(tuple(dict.fromkeys(keys)))

    def document(self) -> bytes:
        """The key file."""
        return "".join(f"{key.line()}\n" for key in self.keys).encode()

    def rotated(self, key: SecretKey) -> SecretKeys:
        """With `key` in use from now on. Raises: ValueError when there would be too many."""
        return SecretKeys(tuple(dict.fromkeys((key, *self.keys))))

    def and_those_of(self, earlier: SecretKeys) -> SecretKeys:
        """With the keys of `earlier` as well, for opening. Raises: ValueError as above."""
        return SecretKeys(tuple(dict.fromkeys((*self.keys, *earlier.keys))))

    def seal(self, data: bytes, *, of: ResourceKey, nonce: bytes) -> str:
        """`data` for its place `of`. `nonce` is NONCE_BYTES of randomness, never used before.

        Raises: ValueError.
        """
        if len(nonce) != NONCE_BYTES:
            raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
        if len(data) > SECRET_BYTES_MAX:
            raise ValueError(f"a secret has at most {SECRET_BYTES_MAX} bytes")
        key = self.keys[0]
        sealed = nonce + key.seal(data, nonce=nonce, associated=_associated(key.id, of))
        return f"{_PREFIX}1:{key.id}:{base64.urlsafe_b64encode(sealed).rstrip(b'=').decode()}"

    def open(self, sealed: str, *, of: ResourceKey) -> bytes:
        """What was sealed for the place `of`. Raises: SealedSecretError."""
        key_id, content = _parts(sealed, of)
        key = self._by_id().get(key_id)
        if key is None:
            raise _unknown_key(key_id, of, self.keys)
        opened = key.open(
            content[NONCE_BYTES:], nonce=content[:NONCE_BYTES], associated=_associated(key_id, of)
        )
        if opened is None:
            raise _damaged(of)
        return opened

    def _by_id(self) -> Mapping[str, SecretKey]:
        return {key.id: key for key in self.keys}


def is_sealed(text: str) -> bool:
    """Whether `text` was meant as a sealed secret, rather than as one in plain Base64."""
    return text.startswith(_PREFIX)


def sealing_key_id(sealed: str) -> str:
    """The id of the key that `sealed` says it was sealed with; "" where it says none."""
    match = _SEALED_BY.match(sealed)
    return "" if match is None else match[1]


def _parts(sealed: str, of: ResourceKey) -> tuple[str, bytes]:
    match = _SEALED.fullmatch(sealed)
    if match is None:
        raise _damaged(of)
    text = match[2]
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise _damaged(of) from None
    if len(content) < NONCE_BYTES + _TAG_BYTES:
        raise _damaged(of)
    return match[1], content


def _associated(key_id: str, of: ResourceKey) -> bytes:
    """Unambiguous: each part is preceded by its length."""
    parts = (b"kmesh-sealed:1", key_id.encode(), *(part.encode() for part in of))
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _named(of: ResourceKey) -> str:
    where = f" in mesh {go_quote(of.mesh)}" if of.mesh else ""
    return f"the {of.type} {go_quote(of.name)}{where}"


def _unknown_key(key_id: str, of: ResourceKey, keys: Sequence[SecretKey]) -> SealedSecretError:
    there = ", ".join(key.id for key in keys)
    return SealedSecretError(
        f"{_named(of)} was sealed with the key {key_id}, which is not there (there is {there})",
        code=UNKNOWN_KEY,
        hint="Add that key as a further line of the key file, from a backup, and restart.",
    )


def _damaged(of: ResourceKey) -> SealedSecretError:
    return SealedSecretError(
        f"{_named(of)} was changed in the store, or moved there from another name",
        code=DAMAGED,
        hint="Restore the store from a backup, or put that secret again.",
    )


def _unusable(source: str, problem: str) -> SecretKeyError:
    return SecretKeyError(
        f"the key of the secrets, {source}, {problem}",
        code="secret-key-invalid",
        hint="Restore it from a backup: without it no secret in the store can be read.",
    )
