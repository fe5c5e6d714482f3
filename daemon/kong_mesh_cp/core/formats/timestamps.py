"""Instants as protobuf's JSON has them: RFC 3339, in UTC, to the nanosecond."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from kong_mesh_cp.core.formats.durations import MICROSECOND, SECOND, fraction
from kong_mesh_cp.core.formats.go.go_quote import go_quote

# A comma before the fraction is taken by Go's parser since 1.17, and so here.
_RFC3339: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:[.,](\d+))?(Z|[+-]\d{2}:\d{2})", re.ASCII
)
_LAYOUT: Final = "2006-01-02T15:04:05.999999999Z07:00"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# google.protobuf.Timestamp is defined for these years, so that RFC 3339 can write it.
_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


class TimestampError(ValueError):
    """A text that is no instant."""


def parse_timestamp(text: str) -> int:
    """Nanoseconds since 1970 of `text`, negative before. Raises: TimestampError."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise _error(text)
    moment, part, zone = match.groups()
    try:
        local = datetime.fromisoformat(moment).replace(tzinfo=_zone(zone))
        seconds = (local - _EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        raise _error(text) from None
    if not _seconds(_FIRST) <= seconds <= _seconds(_LAST):
        raise _error(text)
    # Digits beyond nanoseconds are cut off, not rounded.
    return seconds * SECOND + int(((part or "") + "000000000")[:9])


def _zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[4:6])
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


def _seconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(seconds=1)


def _error(text: str) -> TimestampError:
    shown = go_quote(text)
    return TimestampError(f'parsing time {shown} as "{_LAYOUT}": cannot parse {shown}')


def nanoseconds_of(instant: datetime) -> int:
    """Nanoseconds since 1970 of `instant` (aware), exact to its microsecond."""
    return (instant - _EPOCH) // timedelta(microseconds=1) * MICROSECOND


def format_timestamp(nanoseconds: int) -> str:
    """`2026-01-01T10:00:00.123Z`, with 0, 3, 6 or 9 digits behind the point."""
    seconds, part = divmod(nanoseconds, SECOND)
    instant = _EPOCH + timedelta(seconds=seconds)
    # protobuf's JSON mapping writes 0, 3, 6 or 9 digits and nothing between.
    return f"{instant.isoformat().removesuffix('+00:00')}{fraction(part)}Z"
