"""Durations as Go reads and writes them. Everywhere else they are whole nanoseconds."""

from __future__ import annotations

import re
from typing import Final

NANOSECONDS_MAX: Final = 2**63 - 1  # Go's time.Duration is a signed 64-bit number

MICROSECOND: Final = 1_000
MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE

_UNITS: Final = {
    "ns": 1,
    "us": MICROSECOND,
    "µs": MICROSECOND,  # micro sign
    "μs": MICROSECOND,  # Greek letter mu
    "ms": MILLISECOND,
    "s": SECOND,
    "m": MINUTE,
    "h": HOUR,
}
_TERM = re.compile(r"(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?(?P<unit>[^.0-9]*)")


# Its text is Go's, quotation marks included.
class DurationError(ValueError):
    """A text that is no duration; its own text is the one Go gives."""


def parse_duration(text: str) -> int:
    """Nanoseconds of `text` as Go's time.ParseDuration reads it: `1h30m`, `1.5s`, `-2us`, `0`.

    Raises: DurationError.
    """
    negative = text.startswith("-")
    rest = text[1:] if text[:1] in {"-", "+"} else text
    if rest == "0":
        return 0
    if not rest:
        raise _invalid(text)
    nanoseconds = 0
    position = 0
    while position < len(rest):
        term = _TERM.match(rest, position)
        if term is None or not (term["whole"] or term["part"]):
            raise _invalid(text)
        nanoseconds += _nanoseconds(term, text)
        position = term.end()
    # The lowest duration has no positive twin.
    if nanoseconds > NANOSECONDS_MAX + negative:
        raise _invalid(text)
    return -nanoseconds if negative else nanoseconds


def _nanoseconds(term: re.Match[str], text: str) -> int:
    name = term["unit"]
    if not name:
        raise DurationError(f"time: missing unit in duration {_quoted(text)}")
    unit = _UNITS.get(name)
    if unit is None:
        raise DurationError(f"time: unknown unit {_quoted(name)} in duration {_quoted(text)}")
    # Numbers of any length would cost quadratic time, and cannot be durations.
    whole, part = (term["whole"] or "").lstrip("0"), (term["part"] or "")[:19]
    if len(whole) > 19:
        raise _invalid(text)
    scale: int = 10 ** len(part)
    return int(whole or "0") * unit + int(part or "0") * unit // scale


def _invalid(text: str) -> DurationError:
    return DurationError(f"time: invalid duration {_quoted(text)}")


def _quoted(text: str) -> str:
    # Go's time package quotes by itself: bytes, where the rest of Go escapes characters.
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in {'"', "\\"}:
        return f"\\{character}"
    if " " <= character <= "\x7f":
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode(errors="replace"))


def format_duration(nanoseconds: int) -> str:
    """As Go prints a time.Duration: `1h0m0s`, `1.5s`, `25ms`, `0s`."""
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest == 0:
        return "0s"
    for unit, name in ((MICROSECOND, "ns"), (MILLISECOND, "µs"), (SECOND, "ms")):
        if rest < unit:
            return f"{sign}{_decimal(rest, _UNITS[name])}{name}"
    minutes, rest = divmod(rest, MINUTE)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, SECOND)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else sign + text


def _decimal(count: int, unit: int) -> str:
    whole, part = divmod(count, unit)
    if not part:
        return str(whole)
    return f"{whole}.{part:0{len(str(unit)) - 1}d}".rstrip("0")


def format_proto_duration(nanoseconds: int) -> str:
    """As protobuf writes a Duration in JSON: seconds with 0, 3, 6 or 9 digits behind the point."""
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    seconds, part = divmod(rest, SECOND)
    return f"{sign}{seconds}{fraction(part)}s"


def fraction(nanoseconds: int) -> str:
    """A part of a second as protobuf writes it: "", `.500`, `.000001`, `.000000001`."""
    if not nanoseconds:
        return ""
    for digits in (3, 6):
        part, rest = divmod(nanoseconds, 10 ** (9 - digits))
        if not rest:
            return f".{part:0{digits}d}"
    return f".{nanoseconds:09d}"
