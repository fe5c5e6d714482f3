"""What a secret has to hold that is called like a key of tokens.

Source: docs/wire/tokens.md#signing-keys
"""

from __future__ import annotations

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
_DIGITS_MAX: Final = len(str(WRITTEN_SERIAL_MAX))


def is_token_key(key: ResourceKey) -> bool:
    """Whether the control plane takes the secret `key` for one that tokens are signed or verified
    with. Any other name is another instance's, and so is what is in it.
    """
    return _named(key) is not None


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
