"""Keys, tokens and users for tests. Keys are real ones, made once a run."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import rsa

from kong_mesh_cp.core.formats.durations import HOUR
from kong_mesh_cp.core.identity import tokens
from kong_mesh_cp.core.identity.jwt import encode
from kong_mesh_cp.core.identity.rsa_keys import SigningKey, private_key_pem
from kong_mesh_cp.core.identity.tokens import Claims, DataplaneClaims, UserClaims, ZoneClaims
from kong_mesh_cp.core.identity.users import AUTHENTICATED, User

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
JOHN = UserClaims(name="john", groups=("team-a", "team-b"))
WEB = DataplaneClaims(
    name="web-1", mesh="default", tags={"kuma.io/service": ("web", "api")}, type="dataplane"
)
EAST = ZoneClaims(zone="east", scope=("ingress", "egress"))
KNOWN = User("john", ("team-a", AUTHENTICATED))


def rsa_key(number: int = 1, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The key pair number `number`, the same one throughout a run."""
    return _made(number, bits)


@functools.cache
def _made(_number: int, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def pem(number: int = 1, bits: int = 2048) -> bytes:
    return private_key_pem(rsa_key(number, bits))


@functools.cache
def signing_key(number: int = 1) -> SigningKey:
    return SigningKey.parse(pem(number))


def token_for(
    claims: Claims,
    *,
    key: int = 1,
    kid: str = "1",
    token_id: str = "id-1",
    now: datetime = NOW,
    hours: int = 24,
) -> str:
    """A token as the issuer makes it."""
    return tokens.sign(
        claims,
        key=signing_key(key),
        kid=kid,
        token_id=token_id,
        now=now,
        valid_nanoseconds=hours * HOUR,
    )


def token_of(payload: Mapping[str, object], *, key: int = 1, kid: str = "1") -> str:
    """A token with any payload, correctly signed."""
    return encode(payload, key=signing_key(key), kid=kid)


def compact(header: object, payload: object, sign_with: int | None = 1) -> str:
    """A token with any header and payload, correctly signed, or with an empty signature."""
    signed = f"{part(header)}.{part(payload)}"
    signature = b"" if sign_with is None else signing_key(sign_with).sign(signed.encode())
    return f"{signed}.{base64url(signature)}"


def part(value: object) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64url(content)


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def unpacked(token: str) -> tuple[dict[str, object], dict[str, object]]:
    """Header and payload, without asking whether they are true."""
    header, payload, _ = token.split(".")
    return _json(header), _json(payload)


def _json(text: str) -> dict[str, object]:
    value = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    assert isinstance(value, dict)
    return value


def later(**parts: float) -> datetime:
    return NOW + timedelta(**parts)
