"""Envoy's resources for people's eyes: what may be a secret in them is not shown to anybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MASK: Final = "(hidden: it may be a secret)"

# Names of Envoy's fields, normalised: what stands in them inline, or is their text.
_SECRET_FIELDS: Final = (
    "credential",
    "password",
    "pkcs12",
    "privatekey",
    "secretaccesskey",
    "sessionticketkey",
    "sessiontoken",
)
_SECRET_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})
_INLINE: Final = frozenset({"inlinebytes", "inlinestring"})
_PRIVATE_KEY: Final = "PRIVATE KEY-----"


def without_secrets(value: object) -> object:
    """A resource in protobuf's form of JSON, with a mask for each secret in it."""
    return _shown(value, is_secret=False)


def _shown(value: object, *, is_secret: bool) -> object:
    """`is_secret`: it stands somewhere in a field of secrets."""
    if isinstance(value, Mapping):
        if str(value.get("key", "")).lower() in _SECRET_HEADERS and "value" in value:
            return {**value, "value": MASK}
        return {name: _member(name, each, is_secret=is_secret) for name, each in value.items()}
    if isinstance(value, list):
        return [_shown(each, is_secret=is_secret) for each in value]
    if isinstance(value, str) and _PRIVATE_KEY in value:
        return MASK
    return value


def _member(name: str, value: object, *, is_secret: bool) -> object:
    form = name.replace("_", "").lower()
    is_secret = is_secret or any(each in form for each in _SECRET_FIELDS)
    if isinstance(value, str) and is_secret and (form in _INLINE or _is_text_of_secret(form)):
        return MASK
    return _shown(value, is_secret=is_secret)


def _is_text_of_secret(form: str) -> bool:
    return any(form.endswith(each) for each in _SECRET_FIELDS)
