from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.prometheus_text import (
    MetricFamily,
    Sample,
    histogram,
    metrics_text,
)


def gauge(name: str, *samples: Sample, text: str = "Help.") -> MetricFamily:
    return MetricFamily(name, "gauge", text, samples)


def test_families_are_printed_by_name_and_samples_by_label() -> None:
    families = [
        gauge("kong_b", Sample(1.5)),
        MetricFamily(
            "kong_a_total",
            "counter",
            "What came of it.",
            (
                Sample(3, (("decision", "refused"), ("code", "busy"))),
                Sample(12, (("decision", "admitted"), ("code", ""))),
            ),
        ),
    ]

    assert metrics_text(families) == (
        "# HELP kong_a_total What came of it.\n"
        "# TYPE kong_a_total counter\n"
        'kong_a_total{decision="admitted",code=""} 12\n'
        'kong_a_total{decision="refused",code="busy"} 3\n'
        "# HELP kong_b Help.\n"
        "# TYPE kong_b gauge\n"
        "kong_b 1.5\n"
    )


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0, "0"),
        (True, "1"),
        (1983571200.0, "1983571200"),
        (-2, "-2"),
        (0.1, "0.1"),
        (1e300, str(int(1e300))),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_numbers_are_printed_as_prometheus_reads_them(value: float, printed: str) -> None:
    assert metrics_text([gauge("x", Sample(value))]).splitlines()[-1] == f"x {printed}"


@given(st.text())
def test_a_label_stays_on_its_line_and_can_be_read_back(value: str) -> None:
    text = metrics_text([gauge("x", Sample(1, (("name", value),)))])

    line = text.split("\n")[2]
    quoted = line.removeprefix('x{name="').removesuffix('"} 1')
    assert text.count("\n") == 3
    assert unescaped(quoted) == value


def unescaped(text: str) -> str:
    plain, rest = "", iter(text)
    for character in rest:
        assert character != '"'
        plain += {"n": "\n"}.get(after := next(rest), after) if character == "\\" else character
    return plain


def test_help_keeps_its_quotes_and_loses_its_line_ends() -> None:
    text = metrics_text([gauge("x", text='a "b" \\ \n c')])

    assert text.splitlines()[0] == '# HELP x a "b" \\\\ \\n c'


def test_a_family_that_comes_twice_is_a_defect() -> None:
    with pytest.raises(ValueError, match="twice"):
        metrics_text([gauge("x"), gauge("x")])


def test_the_buckets_of_a_histogram_count_up_in_the_order_of_their_bounds() -> None:
    family = histogram("kong_h_seconds", "How long.", {0.5: 2, 10.0: 0, math.inf: 1}, total=31.5)

    assert metrics_text([family]) == (
        "# HELP kong_h_seconds How long.\n"
        "# TYPE kong_h_seconds histogram\n"
        'kong_h_seconds_bucket{le="0.5"} 2\n'
        'kong_h_seconds_bucket{le="10"} 2\n'
        'kong_h_seconds_bucket{le="+Inf"} 3\n'
        "kong_h_seconds_sum 31.5\n"
        "kong_h_seconds_count 3\n"
    )
