"""What a user token says of itself, read without the key that would prove it.

Only to tell its owner why it is no good: whether it is good is for the control plane to judge.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from kong_mesh_cp.core.formats.strict_json import StrictJsonError, parse
from kumactl.json_value import JsonObject, at, text_at

TOKEN_CHARACTERS_MAX: Final = 64 * 1024  # a file of a token is not longer
_UNKNOWN_REASON: Final = "it is revoked, or signed by a key that this control plane does not have"
# What the other kinds of tokens say and a user token does not.
_OTHER_KINDS: Final = {"Zone": "a zone token", "Mesh": "a data plane token"}


def user_of(token: str) -> str:
    """The user that `token` names, or ""."""
    return text_at(_payload(token), "Name")


def fault(token: str, now: datetime) -> str:
    """Why `token` cannot be good at `now` (aware): `it expired at …`; "" if nothing shows it."""
    return next(_faults(token, now), "")


def reason_of_refusal(token: str, now: datetime) -> str:
    """The likeliest reason for a control plane not to take `token`."""
    return fault(token, now) or _UNKNOWN_REASON


def _faults(token: str, now: datetime) -> Iterator[str]:
    payload = _payload(token)
    if payload is None:
        yield "it is none: a token has three parts in Base64 with a point between them"
        return
    for claim, kind in _OTHER_KINDS.items():
        if at(payload, claim) is not None:
            yield f"it is {kind}, and the API takes user tokens"
    expires, begins = _instant(payload, "exp"), _instant(payload, "nbf")
    if expires is not None and expires <= now:
        yield f"it expired at {_shown(expires)}"
    if begins is not None and begins > now:
        yield f"it is not good before {_shown(begins)}, and the clock here says {_shown(now)}"


def _payload(token: str) -> JsonObject | None:
    parts = token.split(".") if len(token) <= TOKEN_CHARACTERS_MAX else []
    if len(parts) != 3:
        return None
    try:
        text = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        payload = parse(text)
    except (binascii.Error, StrictJsonError, ValueError):
        return None
    return payload if isinstance(payload, dict) else None


def _instant(payload: JsonObject, claim: str) -> datetime | None:
    seconds = at(payload, claim)
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _shown(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
