"""Damages signed tokens in the ways that forgers and broken transports do; chosen by a seed."""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable
from random import Random

from support.fakes.identity import (
    EAST,
    JOHN,
    WEB,
    base64url,
    compact,
    part,
    signing_key,
    token_for,
)

ORIGINALS = (token_for(JOHN), token_for(WEB), token_for(EAST), token_for(JOHN, key=2, kid="2"))
_ALPHABET = string.ascii_letters + string.digits + "-_"
_HEADERS: tuple[dict[str, object], ...] = (
    {"alg": "none", "kid": "1", "typ": "JWT"},
    {"alg": "None", "kid": "1"},
    {"alg": "", "kid": "1"},
    {"alg": "HS256", "kid": "1", "typ": "JWT"},
    {"alg": "RS384", "kid": "1"},
    {"alg": "PS256", "kid": "1"},
    {"alg": "ES256", "kid": "1"},
    {"alg": ["RS256"], "kid": "1"},
    {"alg": "RS256"},
    {"alg": "RS256", "kid": 1},
    {"alg": "RS256", "kid": "../1"},
    {"alg": "RS256", "kid": "1", "crit": ["exp"]},
    {"alg": "RS256", "kid": "1", "jwk": {"kty": "RSA"}, "jku": "http://example.com/"},
    {"kid": "1"},
    {},
)
_VALUES: tuple[object, ...] = (
    None, True, 0, -1, 1e308, "", "admin", "mesh-system:admin", [], ["mesh-system:admin"], {},
    99_999_999_999, "\u202e", [[]], {"a": ["b"]},
)  # fmt: skip
_CLAIMS = ("Name", "Groups", "Mesh", "Tags", "Type", "Zone", "Scope", "exp", "nbf", "iat", "jti")


def mutated(random: Random) -> str:
    """One damaged token; it may turn out to be an original again."""
    token = random.choice(ORIGINALS)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        token = random.choice(_MUTATIONS)(token, random)
    return token


def _flip(token: str, random: Random) -> str:
    place = random.randrange(len(token) + 1)
    return token[:place] + random.choice(_ALPHABET) + token[place + 1 :]


def _flip_last_bits(token: str, random: Random) -> str:
    """The bits at the end of a part that no byte holds."""
    parts = token.split(".")
    which = random.randrange(len(parts))
    if parts[which]:
        parts[which] = parts[which][:-1] + random.choice(_ALPHABET)
    return ".".join(parts)


def _cut(token: str, random: Random) -> str:
    start = random.randrange(len(token) + 1)
    return token[:start] + token[start + random.choice((1, 2, 3, 4, 100)) :]


def _insert(token: str, random: Random) -> str:
    place = random.randrange(len(token) + 1)
    junk = random.choice((".", "=", "==", "\n", " ", "+", "/", "\0", "é", "A", "AAAA", "..", "%2e"))
    return token[:place] + junk + token[place:]


def _splice(token: str, random: Random) -> str:
    """Parts of different tokens put together."""
    donors = [random.choice((token, *ORIGINALS)).split(".") for _ in range(3)]
    return ".".join(donor[min(place, len(donor) - 1)] for place, donor in enumerate(donors))


def _reheaded(token: str, random: Random) -> str:
    rest = token.partition(".")[2]
    return f"{part(random.choice(_HEADERS))}.{rest}"


def _resigned_wrongly(_token: str, random: Random) -> str:
    """A foreign key's signature, an empty one, or HMAC's with what everybody may know."""
    payload = {"Name": "mesh-system:admin", "Groups": ["mesh-system:admin"], "exp": 99_999_999_999}
    header = {"alg": "RS256", "kid": "1", "typ": "JWT"}
    match random.randrange(3):
        case 0:
            return compact(header, payload, sign_with=3)
        case 1:
            return compact(random.choice(_HEADERS), payload, sign_with=None)
        case _:
            signed = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(payload)}"
            import hmac

            public = signing_key(1).verifier.pem()
            return f"{signed}.{base64url(hmac.digest(public, signed.encode(), 'sha256'))}"


def _reclaimed(token: str, random: Random) -> str:
    """Another claim under the old signature."""
    parts = token.split(".")
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        payload[random.choice(_CLAIMS)] = random.choice(_VALUES)
    except (ValueError, IndexError, TypeError):
        return _flip(token, random)
    parts[1] = part(payload)
    return ".".join(parts)


def _recoded(token: str, random: Random) -> str:
    return random.choice(
        (token + "=", token + "\n", " " + token, token.swapcase(), token[::-1], token + ".")
    )


_MUTATIONS: tuple[Callable[[str, Random], str], ...] = (
    _flip, _flip, _flip_last_bits, _cut, _insert, _splice, _reheaded, _resigned_wrongly,
    _reclaimed, _reclaimed, _recoded,
)  # fmt: skip
