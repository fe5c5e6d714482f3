"""Keys of tokens: RSA pairs in PEM, and the secrets of an age before them.

cryptography is imported when a key is used: a start without tokens never pays for it.
"""

from __future__ import annotations

import hmac
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.identity.refusals import SigningKeyError
from kong_mesh_cp.core.lazy_import import lazy_import

if TYPE_CHECKING:
    from cryptography import exceptions
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
else:
    exceptions = lazy_import("cryptography.exceptions")
    padding = lazy_import("cryptography.hazmat.primitives.asymmetric.padding")
    rsa = lazy_import("cryptography.hazmat.primitives.asymmetric.rsa")
    hashes = lazy_import("cryptography.hazmat.primitives.hashes")
    serialization = lazy_import("cryptography.hazmat.primitives.serialization")

KEY_BITS: Final = 2048  # of a key made here
KEY_BITS_MIN: Final = 2048  # no verifier of today takes less (RFC 7518 section 3.3)
KEY_BITS_MAX: Final = 8192  # bounds the work that verifying one signature can cause
EXPONENT_BITS_MAX: Final = 33  # likewise; 65537 is what everybody has
PEM_BYTES_MAX: Final = 16 * 1024
_DAMAGED: Final = "is damaged: its numbers do not fit together"
_PROOF: Final = b"signed to see whether a key can sign"
_PEM_IN_BASE64: Final = b"LS0tLS1CRUdJTi"  # of `-----BEGIN`
_DER: Final = b"\x30\x82"  # of a sequence as long as a key
_MISTAKEN: Final = {
    b"-----BEGIN ENCRYPTED PRIVATE KEY-----": "encrypted, and has to be without a passphrase",
    b"\nProc-Type: 4,ENCRYPTED": "encrypted, and has to be without a passphrase",
    b"-----BEGIN CERTIFICATE-----": "a certificate",
    b"PUBLIC KEY-----": "a public key",
}
LEGACY_KEY_BYTES_MIN: Final = 32  # RFC 7518 section 3.2: no shorter than the hash


class Algorithm(StrEnum):
    """How a key signs. It is a property of the key; a token cannot choose it."""

    RS256 = "RS256"
    HS256 = "HS256"


@dataclass(frozen=True, slots=True)
class RsaVerifier:
    """A public key. Only what `public_key_of` let through is in one."""

    _key: rsa.RSAPublicKey = field(repr=False)

    algorithm = Algorithm.RS256

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether this key's other half signed `message`. Never raises for any bytes."""
        try:
            self._key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except exceptions.InvalidSignature:
            return False
        return True

    def pem(self) -> bytes:
        """PKCS #1, as clients of `kumactl generate public-key` expect it."""
        return self._key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)


@dataclass(frozen=True, slots=True)
class LegacyVerifier:
    """The shared secret of tokens from before signing keys had serial numbers."""

    _secret: bytes = field(repr=False)

    algorithm = Algorithm.HS256

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """In constant time. A secret too short to be one verifies nothing."""
        if len(self._secret) < LEGACY_KEY_BYTES_MIN:
            return False
        return hmac.compare_digest(hmac.digest(self._secret, message, "sha256"), signature)


VerifyingKey = RsaVerifier | LegacyVerifier


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key of tokens. Only `parse` makes one."""

    _key: rsa.RSAPrivateKey = field(repr=False)

    @classmethod
    def parse(cls, pem: bytes) -> SigningKey:
        """The key in `pem`: PKCS #1, as signing keys are kept, or PKCS #8.

        Raises: SigningKeyError. Whether its numbers fit together is found out by `sign`: checking
        their primality here would take longer than all the rest of issuing a token.
        """
        try:
            key = serialization.load_pem_private_key(
                _bounded(pem), password=None, unsafe_skip_rsa_key_validation=True
            )
        except (ValueError, TypeError, exceptions.UnsupportedAlgorithm):
            raise SigningKeyError(_unreadable(pem, "private")) from None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise SigningKeyError("is no RSA key")
        _require_strength(key.public_key())
        _require_own_size(key)
        return cls(key)

    @classmethod
    def proven(cls, pem: bytes) -> SigningKey:
        """As `parse`, of a key that has signed something. Raises: SigningKeyError.

        Takes as long as signing one token: at the worst (KEY_BITS_MAX) some hundredths of a second.
        """
        key = cls.parse(pem)
        key.sign(_PROOF)
        return key

    @property
    def verifier(self) -> RsaVerifier:
        return RsaVerifier(self._key.public_key())

    def sign(self, message: bytes) -> bytes:
        """RS256: RSASSA-PKCS1-v1_5 with SHA-256. Raises: SigningKeyError."""
        try:
            signature = self._key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        except ValueError:
            raise SigningKeyError(_DAMAGED) from None
        # A wrong signature of a damaged key would give its factors away, besides being useless.
        if not self.verifier.verifies(signature, message):
            raise SigningKeyError(_DAMAGED)
        return signature


def public_key_of(pem: bytes) -> RsaVerifier:
    """The public key in `pem`: PKCS #1, PKIX (SubjectPublicKeyInfo), or a private key's half.

    Raises: SigningKeyError.
    """
    if b"PRIVATE KEY-----" in _bounded(pem):
        return SigningKey.parse(pem).verifier
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm):
        raise SigningKeyError(_unreadable(pem, "public")) from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise SigningKeyError("is no RSA key")
    _require_strength(key)
    return RsaVerifier(key)


def private_key_pem(key: rsa.RSAPrivateKey) -> bytes:
    """PKCS #1, as signing keys and the keys of authorities are kept."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _unreadable(pem: bytes, wanted: str) -> str:
    """What is in place of a key in PEM, as far as that can be told."""
    text = pem.strip()
    for mark, found in _MISTAKEN.items():
        if mark in text:
            return f"is no {wanted} key in PEM: it is {found}"
    if text.startswith(_PEM_IN_BASE64):
        return f"is no {wanted} key in PEM: it is Base64 of one, so it was encoded twice"
    if text.startswith(_DER):
        return f"is no {wanted} key in PEM: it is in DER"
    return f"is no {wanted} key in PEM"


def _bounded(pem: bytes) -> bytes:
    if len(pem) > PEM_BYTES_MAX:
        raise SigningKeyError(f"is larger than {PEM_BYTES_MAX} bytes")
    return pem


def _require_own_size(key: rsa.RSAPrivateKey) -> None:
    """No part of a private key is longer than the key: signing takes as long as they are."""
    numbers = key.private_numbers()
    parts = (numbers.p, numbers.q, numbers.d, numbers.dmp1, numbers.dmq1, numbers.iqmp)
    if any(part.bit_length() > key.key_size for part in parts):
        raise SigningKeyError(_DAMAGED)


def _require_strength(key: rsa.RSAPublicKey) -> None:
    if not KEY_BITS_MIN <= key.key_size <= KEY_BITS_MAX:
        raise SigningKeyError(f"has {key.key_size} bits; it needs {KEY_BITS_MIN} to {KEY_BITS_MAX}")
    if key.public_numbers().e.bit_length() > EXPONENT_BITS_MAX:
        raise SigningKeyError("has a public exponent that is too large")
