"""Tokens signed here: JWTs of RS256 as the control plane issues them (wire contract 5.1)."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from kong_mesh_cp.core.resources.durations import SECOND
from kumactl.errors import UsageError

SIGNING_KEY_BITS: Final = 2048
SIGNING_KEY_BITS_MIN: Final = 2048  # a shorter one would be refused by any verifier of today
CLOCK_SKEW_SECONDS: Final = 5 * 60  # a verifier's clock may be this far behind ours
_KID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


def new_signing_key() -> bytes:
    """A private key for tokens: PEM, PKCS#1, as the control plane keeps its own."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=SIGNING_KEY_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def public_key(pem: bytes) -> bytes:
    """The public half of a signing key: PEM, PKCS#1. Raises: UsageError."""
    return _signing_key(pem).public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)


def signed_token(
    claims: Mapping[str, object], *, pem: bytes, kid: str, valid_nanoseconds: int, now: datetime
) -> str:
    """`claims` with times and an id, signed by the key in `pem`. Raises: UsageError."""
    if not _KID.fullmatch(kid):
        raise UsageError("--kid is a number, or letters, digits, '.', '_' and '-'")
    if valid_nanoseconds < SECOND:
        raise UsageError("--valid-for is at least 1s")
    key = _signing_key(pem)
    issued = int(now.timestamp())
    payload = {
        **claims,
        "exp": issued + valid_nanoseconds // SECOND,
        "nbf": issued - CLOCK_SKEW_SECONDS,
        "iat": issued,
        "jti": str(uuid.uuid4()),
    }
    header = {"alg": "RS256", "kid": kid, "typ": "JWT"}
    signed = f"{_part(header)}.{_part(payload)}"
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{_base64url(signature)}"


def _signing_key(pem: bytes) -> rsa.RSAPrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError("provided file is not a PEM-encoded signing key") from None
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < SIGNING_KEY_BITS_MIN:
        raise UsageError(f"a signing key is an RSA key of at least {SIGNING_KEY_BITS_MIN} bits")
    return key


def _part(value: Mapping[str, object]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
