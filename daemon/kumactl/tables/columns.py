"""Tables for people: padded columns, ages, sets of tags; to the letter as the original's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from kong_mesh_cp.core.formats.durations import HOUR, MINUTE, NANOSECONDS_MAX, SECOND
from kong_mesh_cp.core.formats.timestamps import TimestampError, parse_timestamp
from kumactl.console import printable

_GAP: Final = "   "
_DAY: Final = 24 * HOUR
_YEAR: Final = 365 * _DAY
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def render_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lines of columns, each as wide as its widest cell; the last one is not padded."""
    cells = [list(headers), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers) - 1)]
    lines = []
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append(_GAP.join([*padded, row[-1]]))
    return "".join(f"{line}\n" for line in lines)


def age(instant: str, now: datetime) -> str:
    """How long ago `instant` (RFC 3339) was, in its largest unit: `10s`, `5m`, `3d`, `292y`.

    292 years are the most that Go's durations hold; the zero time of Go is that old.
    """
    try:
        then = parse_timestamp(instant)
    except TimestampError:
        return "unknown"
    past = min(_nanoseconds(now) - then, NANOSECONDS_MAX)
    if past < 0:
        return "0s" if past > -2 * SECOND else "<invalid>"
    for unit, name, following in (
        (SECOND, "s", MINUTE),
        (MINUTE, "m", HOUR),
        (HOUR, "h", _DAY),
        (_DAY, "d", _YEAR),
    ):
        if past < following:
            return f"{past // unit}{name}"
    return f"{past // _YEAR}y"


def ago(instant: str, now: datetime) -> str:
    """As `age`; "never" for an instant that is not there."""
    return age(instant, now) if instant else "never"


def local_date(instant: str) -> str:
    """The instant in the time zone of this machine, `-` when it is not there."""
    if not instant:
        return "-"
    try:
        moment = _EPOCH + timedelta(microseconds=parse_timestamp(instant) // 1000)
        return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (TimestampError, OverflowError, OSError):
        return "unknown"


def tag_set(tags: Iterable[Mapping[str, object]]) -> str:
    """All tags of several maps: `kuma.io/service=metrics,mobile version=v1`."""
    values: dict[str, set[str]] = {}
    for each in tags:
        for key, value in each.items():
            values.setdefault(key, set()).add(str(value))
    return " ".join(f"{key}={','.join(sorted(values[key]))}" for key in sorted(values))


def shown_value(value: object, characters_max: int) -> str:
    """A text as it is, anything else as JSON, on one line; what is too long ends in `…`."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = printable(text)
    return text if len(text) <= characters_max else f"{text[: characters_max - 1]}…"


def _nanoseconds(instant: datetime) -> int:
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds * 1000
