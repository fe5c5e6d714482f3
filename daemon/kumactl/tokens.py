"""Tokens signed here, without a control plane, by a key that one trusts."""

from __future__ import annotations

import uuid
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.identity.refusals import SigningKeyError
from kong_mesh_cp.core.identity.rsa_keys import KEY_BITS, SigningKey
from kong_mesh_cp.core.identity.tokens import Claims, sign
from kumactl.errors import UsageError


def new_signing_key() -> bytes:
    """A private key for tokens: PEM, PKCS#1, as the control plane keeps its own."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def public_key(pem: bytes) -> bytes:
    """The public half of a signing key: PEM, PKCS#1. Raises: UsageError."""
    return _signing_key(pem).verifier.pem()


def signed_token(
    claims: Claims, *, pem: bytes, kid: str, valid_nanoseconds: int, now: datetime
) -> str:
    """A token for `claims`, signed by the key in `pem`. Raises: UsageError."""
    if valid_nanoseconds < SECOND:
        raise UsageError("--valid-for is at least 1s")
    try:
        return sign(
            claims,
            key=_signing_key(pem),
            kid=kid,
            token_id=str(uuid.uuid4()),
            now=now,
            valid_nanoseconds=valid_nanoseconds,
        )
    except (SigningKeyError, ValueError) as error:
        raise UsageError(str(error)) from None


def _signing_key(pem: bytes) -> SigningKey:
    try:
        return SigningKey.parse(pem)
    except SigningKeyError as error:
        raise UsageError(str(error)) from None
