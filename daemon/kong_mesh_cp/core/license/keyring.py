"""The public keys whose signatures on licenses are believed."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import field
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ConfigurationError
from kong_mesh_cp.core.formats import strict_json
from kong_mesh_cp.core.lazy_import import lazy_import

if TYPE_CHECKING:
    from cryptography import exceptions
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
else:
    exceptions = lazy_import("cryptography.exceptions")
    ec = lazy_import("cryptography.hazmat.primitives.asymmetric.ec")
    ed25519 = lazy_import("cryptography.hazmat.primitives.asymmetric.ed25519")
    hashes = lazy_import("cryptography.hazmat.primitives.hashes")

KEYRING_BYTES_MAX = 64 * 1024
ACTIVE_KEYS_MAX = 8  # each is tried on every license: bounds the work a document can cause
KEYS_MAX = 32  # with the retired ones, which are tried only to explain a refusal
KID_DIGITS = 16
COMMENT_CHARACTERS_MAX = 256


class KeyPurpose(StrEnum):
    """What a key signs: licenses for customers, or for tests (and then everything says TEST)."""

    ISSUED = "issued"
    TEST = "test"


class KeyStatus(StrEnum):
    """Whether a key still makes licenses valid."""

    ACTIVE = "active"
    RETIRED = "retired"


class Algorithm(StrEnum):
    """How a key signs. It is a property of the trusted key; a license cannot choose it."""

    ED25519 = "ed25519"
    ECDSA_P256 = "ecdsa-p256"


# DER of a SubjectPublicKeyInfo up to the key itself (RFC 8410 section 4, RFC 5480 section 2).
# Both are of fixed length, so comparing a prefix is a whole parser and x509 need not be imported.
_PREFIXES = {
    Algorithm.ED25519: bytes.fromhex("302a300506032b6570032100"),
    Algorithm.ECDSA_P256: bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200"),
}
_KEY_BYTES = {Algorithm.ED25519: 32, Algorithm.ECDSA_P256: 65}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One trusted public key."""

    kid: str  # first 16 hex digits of sha256(SPKI)
    algorithm: Algorithm
    spki: bytes = field(repr=False)  # SubjectPublicKeyInfo, DER
    purpose: KeyPurpose
    status: KeyStatus
    comment: str

    @classmethod
    def from_spki(
        cls,
        spki: bytes,
        *,
        purpose: KeyPurpose,
        status: KeyStatus = KeyStatus.ACTIVE,
        comment: str = "",
    ) -> Key:
        """Raises: ValueError saying why these bytes are no key of a supported algorithm."""
        return cls(
            kid=key_id(spki),
            algorithm=_algorithm(spki),
            spki=spki,
            purpose=purpose,
            status=status,
            comment=comment,
        )

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether this key signed `message`. Never raises for any bytes."""
        point = _point(self.spki, self.algorithm)
        match self.algorithm:
            case Algorithm.ED25519:
                return _ed25519_verifies(point, signature, message)
            case Algorithm.ECDSA_P256:
                return _p256_verifies(point, signature, message)


@dataclass(frozen=True, slots=True)
class Keyring:
    """An ordered set of trusted keys."""

    keys: tuple[Key, ...] = ()

    @property
    def active(self) -> tuple[Key, ...]:
        return tuple(key for key in self.keys if key.status is KeyStatus.ACTIVE)

    @property
    def retired(self) -> tuple[Key, ...]:
        return tuple(key for key in self.keys if key.status is KeyStatus.RETIRED)

    @classmethod
    def parse(cls, document: bytes, *, source: str) -> Keyring:
        """Read keyring.json. Raises: ConfigurationError naming `source` and the entry."""
        if len(document) > KEYRING_BYTES_MAX:
            raise _refused(source, f"is larger than {KEYRING_BYTES_MAX} bytes")
        try:
            value = strict_json.parse(document)
        except strict_json.StrictJsonError as error:
            raise _refused(source, f"is not strict JSON: {error.message}") from None
        if not isinstance(value, list):
            raise _refused(source, "is not a list of keys")
        keys: list[Key] = []
        for number, entry in enumerate(value, start=1):
            try:
                keys.append(_entry(entry))
            except ValueError as error:
                raise _refused(source, f"has a fault in entry {number}: {error}") from None
        try:
            return cls.of(keys)
        except ValueError as error:
            raise _refused(source, str(error)) from None

    @classmethod
    def of(cls, keys: Iterable[Key]) -> Keyring:
        """Raises: ValueError when a key is there twice or there are too many of them."""
        ring = cls(tuple(keys))
        kids = [key.kid for key in ring.keys]
        for kid in kids:
            if kids.count(kid) > 1:
                raise ValueError(f"names the key {kid} twice")
        if len(ring.keys) > KEYS_MAX:
            raise ValueError(f"holds more than {KEYS_MAX} keys")
        if len(ring.active) > ACTIVE_KEYS_MAX:
            raise ValueError(f"holds more than {ACTIVE_KEYS_MAX} active keys")
        return ring

    def signer(self, signature: bytes, message: bytes) -> Key | None:
        """The key that signed `message`, active ones first; the caller asks for its status."""
        for key in (*self.active, *self.retired):
            if key.verifies(signature, message):
                return key
        return None


def key_id(spki: bytes) -> str:
    """The name of a public key: the first 16 hex digits of sha256 over its SPKI DER."""
    return sha256(spki).hexdigest()[:KID_DIGITS]


_REQUIRED = {"kid", "spki", "purpose", "status"}
_ALLOWED = _REQUIRED | {"comment"}
_KID = re.compile(rf"[0-9a-f]{{{KID_DIGITS}}}")


def _entry(value: object) -> Key:
    if not isinstance(value, dict):
        raise ValueError("it is not an object")  # noqa: TRY004 (the caller names the place)
    if missing := sorted(_REQUIRED - value.keys()):
        raise ValueError(f"{missing[0]!r} is missing")
    if value.keys() - _ALLOWED:
        raise ValueError(f"it has members other than {', '.join(sorted(_ALLOWED))}")
    texts: dict[str, str] = {}
    for name, text in value.items():
        if not isinstance(text, str):
            raise ValueError(f"{name!r} is not a string")  # noqa: TRY004 (as above)
        texts[name] = text
    key = Key.from_spki(
        _decoded(texts["spki"]),
        purpose=KeyPurpose(_one_of("purpose", texts["purpose"], KeyPurpose)),
        status=KeyStatus(_one_of("status", texts["status"], KeyStatus)),
        comment=_comment(texts.get("comment", "")),
    )
    if not _KID.fullmatch(texts["kid"]) or texts["kid"] != key.kid:
        raise ValueError(f"its kid is not that of its key, which is {key.kid}")
    return key


def _one_of(name: str, text: str, choices: type[KeyPurpose | KeyStatus]) -> str:
    allowed = [choice.value for choice in choices]
    if text not in allowed:
        raise ValueError(f"{name!r} is none of {', '.join(allowed)}")
    return text


def _comment(text: str) -> str:
    if len(text) > COMMENT_CHARACTERS_MAX or not text.isprintable():
        raise ValueError(
            f"its comment is longer than {COMMENT_CHARACTERS_MAX} characters or not printable"
        )
    return text


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("'spki' is not base64") from None


def _algorithm(spki: bytes) -> Algorithm:
    for algorithm, prefix in _PREFIXES.items():
        if spki.startswith(prefix) and len(spki) == len(prefix) + _KEY_BYTES[algorithm]:
            if algorithm is Algorithm.ECDSA_P256:
                _p256_key(_point(spki, algorithm))
            return algorithm
    raise ValueError("the key is neither Ed25519 nor ECDSA P-256 (uncompressed) in SPKI DER")


def _point(spki: bytes, algorithm: Algorithm) -> bytes:
    return spki[len(_PREFIXES[algorithm]) :]


# cryptography is imported when a key is used: a control plane on its pre-bundled license never
# pays for it, and one with Ed25519 keys never loads the elliptic curves.


def _ed25519_verifies(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except exceptions.InvalidSignature:
        return False
    return True


def _p256_verifies(point: bytes, signature: bytes, message: bytes) -> bool:
    try:
        _p256_key(point).verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except exceptions.InvalidSignature:
        return False
    return True


def _p256_key(point: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        raise ValueError("the key is not a point on the curve P-256") from None


def _refused(source: str, problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"the keyring {source} {problem}",
        code="keyring-invalid",
        hint="Make keyrings with: kong-mesh-license keyring add FILE --public-key KEY.",
    )
