"""JSON Web Tokens in compact form (RFC 7515, RFC 7519), as far as this product uses them.

A token is read before it is believed, so nothing in it is acted upon but the id of the key that
may have signed it. The algorithm is the key's: a token only says which of the two kinds of key it
was made with, and a key of one kind never verifies a token of the other. Keys in the header
(`jwk`, `jku`, `x5u`) are never looked at.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats import strict_json
from kong_mesh_cp.core.formats.go.go_values import JsonObject, is_object
from kong_mesh_cp.core.identity.refusals import TokenFault, TokenRejectedError
from kong_mesh_cp.core.identity.rsa_keys import Algorithm, SigningKey, VerifyingKey

TOKEN_BYTES_MAX: Final = 16 * 1024  # beyond what a header of an HTTP request may hold
KEY_ID_CHARACTERS_MAX: Final = 128

_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_KEY_ID: Final = re.compile(rf"[A-Za-z0-9._-]{{1,{KEY_ID_CHARACTERS_MAX}}}")
_ALGORITHM_SHOWN: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedToken:
    """A token as it was presented: readable, not yet verified."""

    algorithm: Algorithm  # as the token claims; the key decides
    kid: str  # "" for HS256: there is one such key, and it has no id
    _payload: str = field(repr=False)
    _signed: bytes = field(repr=False)
    _signature: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> PresentedToken:
        """Raises: TokenRejectedError for anything that is no token of RS256 or HS256."""
        if len(text) > TOKEN_BYTES_MAX:
            raise _malformed(f"token is longer than {TOKEN_BYTES_MAX} bytes")
        parts = _COMPACT.fullmatch(text)
        if parts is None:
            raise _malformed("token is malformed: it does not consist of three parts in base64url")
        header = _object(parts[1], "header")
        algorithm = _algorithm(header.get("alg"))
        if "crit" in header:
            # RFC 7515 section 4.1.11: extensions that must be understood, and none is.
            raise _malformed("token is malformed: its header asks for extensions")
        return cls(
            algorithm=algorithm,
            kid=_key_id(header) if algorithm is Algorithm.RS256 else "",
            _payload=parts[2],
            _signed=f"{parts[1]}.{parts[2]}".encode(),
            _signature=_decoded(parts[3], "signature"),
        )

    def payload(self, keys: Iterable[VerifyingKey]) -> JsonObject:
        """What the token says, once one of `keys` has proven to have signed it.

        Raises: TokenRejectedError. The payload is not parsed before that.
        """
        if not any(
            key.algorithm is self.algorithm and key.verifies(self._signature, self._signed)
            for key in keys
        ):
            raise TokenRejectedError(TokenFault.SIGNATURE, "token signature is invalid")
        return _object(self._payload, "payload")


def encode(payload: Mapping[str, object], *, key: SigningKey, kid: str) -> str:
    """`payload` as a token that `key` has signed.

    Raises: SigningKeyError; ValueError for an id no reader would take, or a token too long.
    """
    if not _KEY_ID.fullmatch(kid):
        raise ValueError("a key id is 1 to 128 letters, digits, '.', '_' and '-'")
    signed = f"{_part({'alg': 'RS256', 'kid': kid, 'typ': 'JWT'})}.{_part(payload)}"
    token = f"{signed}.{_base64url(key.sign(signed.encode()))}"
    if len(token) > TOKEN_BYTES_MAX:
        raise ValueError(f"a token is at most {TOKEN_BYTES_MAX} bytes long")
    return token


def _algorithm(name: object) -> Algorithm:
    if isinstance(name, str) and name in set(Algorithm):
        return Algorithm(name)
    shown = name if isinstance(name, str) and _ALGORITHM_SHOWN.fullmatch(name) else "in its header"
    raise TokenRejectedError(
        TokenFault.ALGORITHM,
        f"unsupported token alg {shown}. Allowed algorithms are RS256 and HS256",
    )


def _key_id(header: JsonObject) -> str:
    if "kid" not in header:
        raise TokenRejectedError(TokenFault.KEY_ID, "JWT token must have kid header")
    kid = header["kid"]
    if not isinstance(kid, str) or not _KEY_ID.fullmatch(kid):
        raise TokenRejectedError(TokenFault.KEY_ID, "JWT token has a kid header that names no key")
    return kid


def _object(part: str, name: str) -> JsonObject:
    try:
        value = strict_json.parse(_decoded(part, name))
    except strict_json.StrictJsonError as error:
        raise _malformed(f"token is malformed: its {name} is no JSON: {error.message}") from None
    if not is_object(value):
        raise _malformed(f"token is malformed: its {name} is no JSON object")
    return value


def _decoded(part: str, name: str) -> bytes:
    try:
        content = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise _malformed(f"token is malformed: its {name} is no base64url") from None
    # Bits that no byte holds could be changed, and the same token would have several forms.
    if _base64url(content) != part:
        raise _malformed(f"token is malformed: its {name} is no base64url")
    return content


def _malformed(message: str) -> TokenRejectedError:
    return TokenRejectedError(TokenFault.MALFORMED, message)


def _part(value: Mapping[str, object]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
