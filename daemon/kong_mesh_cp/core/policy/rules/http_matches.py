"""The short name under which `_rules` and other policies know the matches of an HTTP rule."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

from kong_mesh_cp.core.formats.go.go_json import encoded

RULE_MATCHES_HASH_TAG: Final = "__rule-matches-hash__"
"""A tag no service carries: it stands for "requests that this rule of a route matches"."""

# The hash is over bytes, so the order of members is part of it.
_MATCH: Final = ("path", "method", "queryParams", "headers")
_PATH: Final = ("value", "type")
_NAMED: Final = ("type", "name", "value")
_MEMBERS: Final = {"path": _PATH, "queryParams": _NAMED, "headers": _NAMED}


def matches_hash(matches: object) -> str:
    """Base64 of the SHA-256 of `matches` (a JSON list, or None) in its canonical form."""
    # None stays `null`: a rule without matches has a hash of its own, other than that of `[]`.
    canonical = (
        [_ordered(match, _MATCH) for match in matches] if isinstance(matches, list) else None
    )
    return base64.b64encode(hashlib.sha256(encoded(canonical).encode()).digest()).decode()


def _ordered(value: object, members: tuple[str, ...]) -> object:
    if not isinstance(value, Mapping):
        return value
    return {
        member: _inner(value[member], _MEMBERS.get(member, ()))
        for member in members
        # Go's `omitempty` on pointers: absent and null members are left out of the hashed text.
        if value.get(member) is not None
    }


def _inner(value: object, members: tuple[str, ...]) -> object:
    if isinstance(value, list):
        return [_ordered(item, members) for item in value]
    return _ordered(value, members)
