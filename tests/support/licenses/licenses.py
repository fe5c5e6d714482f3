"""Really signed licenses and keyrings. Every key is derived from a constant: no two runs differ.

document = license_document(dataplanes=5, expires="2023-11-09")
license_ = verify(document, KEYRING)
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from kong_mesh_cp.core.license.canonical import LICENSE_TYPE, canonical_body, signed_message
from kong_mesh_cp.core.license.document import License, verify
from kong_mesh_cp.core.license.keyring import Key, KeyPurpose, Keyring, KeyStatus

# A secret that no output may ever show: search for it and for signature_of(document).
LICENSE_KEY = "canary-4f1c0b77-a2e5-4a55-9d20-5e1f0c66beef"


@dataclass(frozen=True)
class Signer:
    """A vendor's private key."""

    private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

    @property
    def spki(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def pem(self) -> bytes:
        """The private key as `kong-mesh-license keygen` writes it."""
        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def key(
        self,
        purpose: KeyPurpose = KeyPurpose.ISSUED,
        status: KeyStatus = KeyStatus.ACTIVE,
        comment: str = "",
    ) -> Key:
        return Key.from_spki(self.spki, purpose=purpose, status=status, comment=comment)

    def sign(self, message: bytes) -> str:
        """Lower-case hex of the signature over `message`."""
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(message).hex()
        return self.private.sign(message, ec.ECDSA(hashes.SHA256())).hex()


def ed25519_signer(name: str) -> Signer:
    return Signer(ed25519.Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b".")[:32]))


def p256_signer(name: str) -> Signer:
    number = int.from_bytes(name.encode().ljust(31, b".")[:31])
    return Signer(ec.derive_private_key(number, ec.SECP256R1()))


VENDOR = ed25519_signer("the vendor's key in use")
FIPS_VENDOR = p256_signer("the vendor's key for FIPS sites")
TEST_VENDOR = ed25519_signer("the vendor's key for tests")
RETIRED_VENDOR = ed25519_signer("the vendor's key of last year")
STRANGER = ed25519_signer("somebody else's key")

KEYRING = Keyring.of(
    [
        VENDOR.key(),
        FIPS_VENDOR.key(),
        TEST_VENDOR.key(KeyPurpose.TEST),
        RETIRED_VENDOR.key(status=KeyStatus.RETIRED),
    ]
)


def keyring_json(keyring: Keyring = KEYRING) -> bytes:
    """The content of a keyring.json."""
    return json.dumps(
        [
            {
                "kid": key.kid,
                "spki": base64.b64encode(key.spki).decode(),
                "purpose": key.purpose.value,
                "status": key.status.value,
                "comment": key.comment,
            }
            for key in keyring.keys
        ],
        indent=1,
    ).encode()


def payload_of(
    *,
    customer: str = "company_inc",
    dataplanes: int | str = 20,
    created: str = "2021-8-4",
    expires: str = "2032-11-09",
    product: str = "Kong Mesh",
    license_key: str = LICENSE_KEY,
    **others: str,
) -> dict[str, str]:
    """The payload of the product's documentation, with what the test is about changed."""
    return {
        "customer": customer,
        "license_creation_date": created,
        "product_subscription": product,
        "dataplanes": str(dataplanes),
        "license_expiration_date": expires,
        "license_key": license_key,
        **others,
    }


def signed(
    payload: Mapping[str, str],
    signer: Signer = VENDOR,
    *,
    version: int | str = 1,
    payload_type: str = LICENSE_TYPE,
) -> bytes:
    """A document around `payload`, signed as it is, well-formed or not."""
    message = signed_message(canonical_body(payload), payload_type=payload_type)
    return envelope(payload, signer.sign(message), version=version)


def envelope(payload: object, signature: object, *, version: object = 1) -> bytes:
    document = {"license": {"version": version, "signature": signature, "payload": payload}}
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def license_document(
    signer: Signer = VENDOR,
    *,
    customer: str = "company_inc",
    dataplanes: int = 20,
    created: str = "2021-8-4",
    expires: str = "2032-11-09",
) -> bytes:
    """The content of a license.json that `KEYRING` verifies."""
    payload = payload_of(customer=customer, dataplanes=dataplanes, created=created, expires=expires)
    return signed(payload, signer)


def issued(
    signer: Signer = VENDOR,
    *,
    customer: str = "company_inc",
    dataplanes: int = 20,
    created: str = "2021-8-4",
    expires: str = "2032-11-09",
) -> License:
    """A verified license."""
    document = license_document(
        signer, customer=customer, dataplanes=dataplanes, created=created, expires=expires
    )
    return verify(document, KEYRING)


def signature_of(document: bytes) -> str:
    """The signature in a document made here: as secret as the license key."""
    text: str = json.loads(document)["license"]["signature"]
    return text


def at(text: str) -> datetime:
    """`2026-11-21` or `2026-11-21T12:00:00` as an aware instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
