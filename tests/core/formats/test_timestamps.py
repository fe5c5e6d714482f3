"""Instants of protocol buffers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.formats.timestamps import (
    TimestampError,
    format_timestamp,
    nanoseconds_of,
    parse_timestamp,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2019-07-01T00:00:00Z", "2019-07-01T00:00:00Z"),
        ("2026-01-01T10:00:00.123Z", "2026-01-01T10:00:00.123Z"),
        ("2026-01-01T10:00:00.1Z", "2026-01-01T10:00:00.100Z"),
        ("2026-01-01T10:00:00.123456Z", "2026-01-01T10:00:00.123456Z"),
        ("2026-01-01T10:00:00.000000001Z", "2026-01-01T10:00:00.000000001Z"),
        ("2026-01-01T10:00:00.0000000019Z", "2026-01-01T10:00:00.000000001Z"),
        ("2026-01-01T12:00:00+02:00", "2026-01-01T10:00:00Z"),
        ("2026-01-01T08:30:00-01:30", "2026-01-01T10:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"),
        ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z"),
    ],
)
def test_an_instant_is_written_in_utc(text: str, shown: str) -> None:
    assert format_timestamp(parse_timestamp(text)) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-01-01",
        "2026-01-01T10:00:00",
        "2026-13-01T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-01-01T25:00:00Z",
        "2026-01-01t10:00:00z",
        "2026-01-01T10:00:00+25:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "٢٠٢٦-01-01T10:00:00Z",
    ],
)
def test_what_is_no_instant_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(TimestampError, match="parsing time"):
        parse_timestamp(text)


@given(st.integers(min_value=-62_135_596_800 * SECOND, max_value=253_402_300_799 * SECOND))
def test_what_is_written_is_read_back(nanoseconds: int) -> None:
    assert parse_timestamp(format_timestamp(nanoseconds)) == nanoseconds


@given(st.text())
def test_any_text_is_an_instant_or_refused(text: str) -> None:
    try:
        told = format_timestamp(parse_timestamp(text))
    except TimestampError as error:
        told = str(error)
    assert "\n" not in told


@given(instant=st.datetimes(timezones=st.just(UTC)))
def test_an_instant_is_exact_to_its_microsecond(instant: datetime) -> None:
    again = datetime.fromisoformat(format_timestamp(nanoseconds_of(instant)))
    assert again == instant
