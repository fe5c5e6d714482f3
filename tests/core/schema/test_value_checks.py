"""Numbers that users write as text, and the bounds of single values."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.durations import MILLISECOND
from kong_mesh_cp.core.schema.value_checks import (
    DECIMAL_CHARACTERS_MAX,
    at_least,
    bandwidth,
    decimal,
    longer_than,
    percentage,
    port,
    status_code,
    whole_percentage,
)
from kong_mesh_cp.core.schema.violations import root

AT = root("x")


@pytest.mark.parametrize(
    ("value", "number"),
    [(1, "1"), ("1.50", "1.5"), ("-0.5", "-0.5"), (".5", "0.5"), ("5.", "5"), ("1e2", "100")],
)
def test_a_decimal_number_comes_as_a_whole_one_or_as_text(value: int | str, number: str) -> None:
    assert decimal(value) == Decimal(number)


@pytest.mark.parametrize(
    "text", ["", "x", "1,5", "NaN", "Infinity", "1e9999999", "\u0661", "1" * 65, "1_0", " 1"]
)
def test_a_text_that_is_no_decimal_number(text: str) -> None:
    assert decimal(text) is None


@given(st.text(max_size=DECIMAL_CHARACTERS_MAX + 5))
def test_any_text_can_be_asked_for_its_percentage(text: str) -> None:
    assert len(list(percentage(text, AT))) <= 1


@pytest.mark.parametrize("value", [0, 100, "0.0", "100.0", None])
def test_bounds_of_percentages_belong_to_them(value: int | str | None) -> None:
    assert list(percentage(value, AT)) == []


@pytest.mark.parametrize("value", [-1, 101, "-0.1", "100.1"])
def test_beyond_the_bounds_is_no_percentage(value: int | str) -> None:
    assert [v.message for v in percentage(value, AT)] == ["must be in inclusive range [0.0, 100.0]"]


def test_zero_percent_can_be_too_few() -> None:
    found = list(percentage("0.00", AT, zero_allowed=False))

    assert [v.message for v in found] == ["must be greater than 0"]


def test_the_ends_of_ranges() -> None:
    assert [bool(list(port(n, AT))) for n in (0, 1, 65535, 65536)] == [True, False, False, True]
    assert [bool(list(status_code(n, AT))) for n in (99, 100, 599, 600)] == [
        True,
        False,
        False,
        True,
    ]
    assert [bool(list(whole_percentage(n, AT))) for n in (-1, 0, 100, 101)] == [
        True,
        False,
        False,
        True,
    ]
    assert [bool(list(at_least(n, 0, AT))) for n in ("-0.1", 0, None)] == [True, False, False]


def test_a_duration_has_to_be_longer_and_not_as_long() -> None:
    assert list(longer_than(50 * MILLISECOND + 1, 50 * MILLISECOND, AT)) == []
    assert [v.message for v in longer_than(50 * MILLISECOND, 50 * MILLISECOND, AT)] == [
        "must be greater than: 50ms"
    ]


@pytest.mark.parametrize(
    ("text", "right"),
    [("100Mbps", True), ("1 Gbps", True), ("kbps", True), ("5bps", False), ("5mbps", False)],
)
def test_bandwidths_have_units(text: str, right: bool) -> None:
    assert (list(bandwidth(text, AT)) == []) is right
