"""What a secret has to hold that is called like a key of tokens, or like a list of void ones.

Source: docs/wire/tokens.md#signing-keys, docs/wire/tokens.md#revocation
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Final

from kong_mesh_cp.core.identity.key_series import (
    GLOBAL_SECRET,
    SECRET,
    USER_KEYS,
    WRITTEN_SERIAL_MAX,
    ZONE_KEYS,
    KeySeries,
    dataplane_keys,
)
from kong_mesh_cp.core.identity.refusals import SigningKeyError
from kong_mesh_cp.core.identity.rsa_keys import SigningKey, public_key_of
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.schema.violations import Violation

_NUMBERED: Final = re.compile(r"(.+)-([0-9]+)", re.ASCII)
_PROXY_REVOCATIONS: Final = "dataplane-token-revocations-"  # the name of a mesh follows
_ENCODED_CHARACTERS_MIN: Final = 16
_HINT: Final = "Write the ids between commas, and encode that text once in Base64."
_DIGITS_MAX: Final = len(str(WRITTEN_SERIAL_MAX))


def is_token_key(key: ResourceKey) -> bool:
    """Whether the control plane takes the secret `key` for one that tokens are signed or verified
    with. Any other name is another instance's, and so is what is in it.
    """
    return _named(key) is not None


def is_revocations(key: ResourceKey) -> bool:
    """Whether the control plane looks into the secret `key` for the ids of void tokens."""
    if key.type == GLOBAL_SECRET and key.name.startswith(_PROXY_REVOCATIONS):
        return True
    return any(key in series.revocations for series in _series_beside(key))


def revocation_violations(data: bytes) -> list[Violation]:
    """What speaks against `data` as a list of ids: what would void no token, whatever is meant."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return [Violation("data", f"is no list of ids of tokens: it is no UTF-8 text. {_HINT}")]
    # A mark of the encoding in front does no harm.
    if not "".join(text.removeprefix("\ufeff").split()).isprintable():
        return [Violation("data", f"is no list of ids of tokens: it is no plain text. {_HINT}")]
    if _is_encoded(text.strip()):
        return [Violation("data", f"is a list of ids of tokens that is encoded twice. {_HINT}")]
    return []


def _is_encoded(text: str) -> bool:
    """Whether it is the Base64 of a text; few ids of tokens could be that, and no UUID."""
    if len(text) < _ENCODED_CHARACTERS_MIN:
        return False
    try:
        return base64.b64decode(text, validate=True).decode().rstrip("\n").isprintable()
    except (binascii.Error, ValueError):
        return False


def violations(key: ResourceKey, data: bytes) -> list[Violation]:
    """What speaks against `data` in the secret `key`; nothing about secrets that hold no key.

    Proves a private key by signing with it: see `SigningKey.proven` for how long that takes.
    """
    named = _named(key)
    if named is None:
        return []
    digits, prove = named
    found: list[Violation] = []
    if len(digits) > _DIGITS_MAX or digits != str(int(digits)):
        reason = f"the number at its end must be from 0 to {WRITTEN_SERIAL_MAX}, without more zeros"
        found.append(Violation("name", reason))
    try:
        prove(data)
    except SigningKeyError as error:
        found.append(Violation("data", f"{error.message}. {error.hint}"))
    return found


def _named(key: ResourceKey) -> tuple[str, Callable[[bytes], object]] | None:
    """The digits of the name, and what proves the content."""
    matched = _NUMBERED.fullmatch(key.name)
    if matched is None:
        return None
    prefix, digits = matched.groups()
    for series in _series_beside(key):
        if prefix == series.prefix:
            return digits, SigningKey.proven
        if prefix == series.public_prefix:
            return digits, public_key_of
    return None


def _series_beside(key: ResourceKey) -> tuple[KeySeries, ...]:
    if key.type == GLOBAL_SECRET:
        return USER_KEYS, ZONE_KEYS
    return (dataplane_keys(key.mesh),) if key.type == SECRET else ()
