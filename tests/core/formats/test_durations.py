"""Durations in Go's notation and in that of protocol buffers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.durations import (
    HOUR,
    MILLISECOND,
    MINUTE,
    NANOSECONDS_MAX,
    SECOND,
    DurationError,
    format_duration,
    format_proto_duration,
    parse_duration,
)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("+0", 0),
        ("0s", 0),
        ("15s", 15 * SECOND),
        ("1h", HOUR),
        ("1h30m", HOUR + 30 * MINUTE),
        ("1h30m5s", HOUR + 30 * MINUTE + 5 * SECOND),
        ("1.5s", 1500 * MILLISECOND),
        (".5s", 500 * MILLISECOND),
        ("1.s", SECOND),
        ("25ms", 25 * MILLISECOND),
        ("100us", 100_000),
        ("100µs", 100_000),
        ("100μs", 100_000),
        ("7ns", 7),
        ("-2m", -2 * MINUTE),
        ("+2m", 2 * MINUTE),
        ("1s1s", 2 * SECOND),
        ("0.000000001s", 1),
        ("0.0000000009s", 0),
        ("2562047h47m16.854775807s", NANOSECONDS_MAX),
        ("-2562047h47m16.854775808s", -NANOSECONDS_MAX - 1),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, nanoseconds: int) -> None:
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", 'time: invalid duration ""'),
        ("-", 'time: invalid duration "-"'),
        ("5", 'time: missing unit in duration "5"'),
        ("1h5", 'time: missing unit in duration "1h5"'),
        ("5q", 'time: unknown unit "q" in duration "5q"'),
        ("5 s", 'time: unknown unit " s" in duration "5 s"'),
        ("s", 'time: invalid duration "s"'),
        (".s", 'time: invalid duration ".s"'),
        ("--1s", 'time: invalid duration "--1s"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("2562047h47m16.854775808s", 'time: invalid duration "2562047h47m16.854775808s"'),
        ("٣s", r'time: invalid duration "\xd9\xa3s"'),
        ("1\ns", r'time: unknown unit "\x0as" in duration "1\x0as"'),
        ('1"s\\', r'time: unknown unit "\"s\\" in duration "1\"s\\"'),
    ],
)
def test_what_is_no_duration_is_reported_in_gos_words(text: str, reason: str) -> None:
    with pytest.raises(DurationError) as refused:
        parse_duration(text)
    assert str(refused.value) == reason


def test_a_number_of_any_length_is_refused_without_computing_with_it() -> None:
    with pytest.raises(DurationError):
        parse_duration("9" * 100_000 + "h")


def test_leading_zeros_of_any_number_mean_nothing() -> None:
    assert parse_duration("0" * 50 + "1s") == SECOND


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("1h", "1h0m0s"),
        ("30m", "30m0s"),
        ("5m", "5m0s"),
        ("15s", "15s"),
        ("25ms", "25ms"),
        ("0s", "0s"),
        ("0", "0s"),
        ("90s", "1m30s"),
        ("1500ms", "1.5s"),
        ("1500us", "1.5ms"),
        ("1500ns", "1.5µs"),
        ("1ns", "1ns"),
        ("-90s", "-1m30s"),
        ("1h0.5s", "1h0m0.5s"),
        ("100h", "100h0m0s"),
    ],
)
def test_a_duration_is_written_as_go_writes_it(given_text: str, shown: str) -> None:
    assert format_duration(parse_duration(given_text)) == shown


@pytest.mark.parametrize(
    ("nanoseconds", "shown"),
    [
        (0, "0s"),
        (5 * SECOND, "5s"),
        (HOUR, "3600s"),
        (1500 * MILLISECOND, "1.500s"),
        (1_000, "0.000001s"),
        (1, "0.000000001s"),
        (-500 * MILLISECOND, "-0.500s"),
    ],
)
def test_protobuf_writes_seconds_with_groups_of_three_digits(nanoseconds: int, shown: str) -> None:
    assert format_proto_duration(nanoseconds) == shown


NANOSECONDS = st.integers(min_value=-NANOSECONDS_MAX, max_value=NANOSECONDS_MAX)


@given(NANOSECONDS)
def test_what_is_written_is_read_back_in_both_notations(nanoseconds: int) -> None:
    assert parse_duration(format_duration(nanoseconds)) == nanoseconds
    assert parse_duration(format_proto_duration(nanoseconds)) == nanoseconds


@given(st.text())
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        told = format_duration(parse_duration(text))
    except DurationError as error:
        told = str(error)
    assert told.startswith("time: ") or told.endswith("s")
