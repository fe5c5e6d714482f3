"""How long certificates are valid, as a Mesh says it: `10y`, `1d`, `500ms`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

# One unit only: Kuma multiplies a number, and does not add up parts as durations do.
_EXPIRATION: Final = re.compile(r"([0-9]+)(y|w|d|h|m|s|ms)")
_DIGITS_MAX: Final = 18  # of a number that is worth to be multiplied
_UNITS: Final = {
    # Always 365 days, as in Kuma: leap years are not counted.
    "y": timedelta(days=365),
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}


def expiration_of(text: str) -> timedelta | None:
    """None for what says no time; what is too long to be counted is the longest time there is."""
    if text == "0":
        return timedelta()
    match = _EXPIRATION.fullmatch(text)
    if match is None:
        return None
    digits = match[1].lstrip("0") or "0"
    try:
        return int(digits) * _UNITS[match[2]] if len(digits) <= _DIGITS_MAX else timedelta.max
    except OverflowError:
        return timedelta.max
