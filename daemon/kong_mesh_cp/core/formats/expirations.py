"""How long certificates are valid, as a Mesh says it: `10y`, `1d`, `500ms`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_EXPIRATION: Final = re.compile(r"([0-9]{1,9})(y|w|d|h|m|s|ms)")
_UNITS: Final = {
    "y": timedelta(days=365),
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}


def expiration_of(text: str) -> timedelta | None:
    """None for what says no time, and for one that is too long to be counted."""
    match = _EXPIRATION.fullmatch(text)
    if match is None:
        return None
    try:
        return int(match[1]) * _UNITS[match[2]]
    except OverflowError:
        return None
