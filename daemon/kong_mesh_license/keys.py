"""Signing keys: made, kept as PKCS #8 PEM, read back."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from kong_mesh_cp.core.license.keyring import Algorithm
from kong_mesh_license.errors import VendorToolError

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

_HINT = "Make a key with: kong-mesh-license keygen --out NAME"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key of a vendor. Its repr shows nothing of it."""

    private: PrivateKey = field(repr=False)

    @classmethod
    def generate(cls, algorithm: Algorithm) -> SigningKey:
        match algorithm:
            case Algorithm.ED25519:
                return cls(ed25519.Ed25519PrivateKey.generate())
            case Algorithm.ECDSA_P256:
                return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_pem(cls, pem: bytes) -> SigningKey:
        """Raises: VendorToolError `key-unusable`, which quotes nothing of the file."""
        try:
            private = serialization.load_pem_private_key(pem, password=None)
        except TypeError:
            raise _unusable("is encrypted", "Decrypt it with: openssl pkey -in FILE") from None
        except (ValueError, UnsupportedAlgorithm):
            raise _unusable("is not a private key in PEM", _HINT) from None
        if isinstance(private, ed25519.Ed25519PrivateKey):
            return cls(private)
        if isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(
            private.curve, ec.SECP256R1
        ):
            return cls(private)
        raise _unusable("is neither Ed25519 nor ECDSA P-256", _HINT)

    @property
    def private_pem(self) -> bytes:
        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def spki(self) -> bytes:
        """The public key as SubjectPublicKeyInfo in DER."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(message)
        return self.private.sign(message, ec.ECDSA(hashes.SHA256()))


def spki_of_public_pem(pem: bytes) -> bytes:
    """SubjectPublicKeyInfo in DER of a public key file. Raises: VendorToolError `key-unusable`."""
    if b"PRIVATE KEY" in pem:
        raise _unusable(
            "is a private key, which belongs in no keyring", "Name the .pub.pem file beside it."
        )
    try:
        public = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable("is not a public key in PEM", _HINT) from None
    return public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _unusable(problem: str, hint: str) -> VendorToolError:
    return VendorToolError(f"the key {problem}", code="key-unusable", hint=hint)
