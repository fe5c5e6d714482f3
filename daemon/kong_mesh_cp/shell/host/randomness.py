"""Randomness for keys, serial numbers and ids; the core gets it passed in."""

from __future__ import annotations

import secrets
import uuid
from typing import TYPE_CHECKING

from kong_mesh_cp.core.identity.rsa_keys import KEY_BITS
from kong_mesh_cp.core.identity.secrets_at_rest import NONCE_BYTES
from kong_mesh_cp.core.lazy_import import lazy_import

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    from kong_mesh_cp.core.identity import ca
else:
    ca = lazy_import("kong_mesh_cp.core.identity.ca")
    ec = lazy_import("cryptography.hazmat.primitives.asymmetric.ec")
    rsa = lazy_import("cryptography.hazmat.primitives.asymmetric.rsa")


def new_rsa_key(bits: int = KEY_BITS) -> rsa.RSAPrivateKey:
    """Takes long, and not always equally: about 0.1 s for 2048 bits."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def new_ec_key() -> ec.EllipticCurvePrivateKey:
    """A key on the curve P-256, within a tenth of a millisecond."""
    return ec.generate_private_key(ec.SECP256R1())


def new_serial() -> int:
    """A serial number for a certificate."""
    return 1 + secrets.randbelow(2**ca.SERIAL_BITS_MAX - 1)


def new_nonce() -> bytes:
    """For sealing one secret. After 2**32 of them under one key, chance may repeat one."""
    return secrets.token_bytes(NONCE_BYTES)


def new_token_id() -> str:
    """The `jti` of a token."""
    return str(uuid.uuid4())
