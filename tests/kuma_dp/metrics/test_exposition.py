"""Prometheus' text, from applications that nobody here has written."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma_dp.metrics.exposition import LINE_BYTES_MAX, ExpositionReader, exposition_of, merged
from support.suites.growth import GROWTH_MAX, growth

OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def read(text: str, content_type: str = "text/plain") -> ExpositionReader:
    reader = ExpositionReader(content_type)
    reader.feed(text.encode())
    reader.end()
    return reader


def again(text: str, content_type: str = "text/plain") -> str:
    families = read(text, content_type).families
    return "".join(exposition_of(families[name]) for name in sorted(families))


PLAIN = r"""# HELP a_total What \\ it \n counts.
# TYPE a_total counter
a_total{x="1",y="q\"uote\\n}{"} 1.5e+03 1395066363000
a_total 7
# TYPE h histogram
h_bucket{le="0.5"} 1
h_bucket{le="+Inf"} 2
h_sum 1.25
h_count 2
# TYPE s summary
s{quantile="0.5"} NaN
s_sum 3
s_count 1
# TYPE u untyped
u -Inf
"""


def test_the_text_format_stays_what_it_was() -> None:
    assert again(PLAIN) == PLAIN


def test_it_may_be_written_in_other_ways() -> None:
    text = '\n  a { x = "1" , } 1 \r\n# a comment\n#TYPE\nb{}\t2\n'
    assert again(text) == '# TYPE a untyped\na{x="1"} 1\n# TYPE b untyped\nb 2\n'


def test_open_metrics_become_the_text_format() -> None:
    text = """# TYPE a counter
# HELP a How many.
# UNIT a seconds
a_total{x="1"} 3.0 1395066363.5 # {trace_id="b"} 0.5 1395066363.0
a_created{x="1"} 1
# TYPE h histogram
h_bucket{le="+Inf"} 2 # {trace_id="b"} 1
h_count 2
h_sum 2
# TYPE i info
i_info{v="1"} 1
# TYPE u unknown
u 1
# EOF
"""
    assert (
        again(text, OPEN)
        == """# TYPE a_created gauge
a_created{x="1"} 1
# HELP a_total How many.
# TYPE a_total counter
a_total{x="1"} 3.0 1395066363500
# TYPE h histogram
h_bucket{le="+Inf"} 2
h_count 2
h_sum 2
# TYPE i_info gauge
i_info{v="1"} 1
# TYPE u untyped
u 1
"""
    )


@pytest.mark.parametrize(
    "line",
    [
        "a",
        "a{",
        'a{x="1" 1',
        'a{x="1}',
        "a{x=1} 1",
        'a{x="1"y="2"} 1',
        'a{1x="1"} 1',
        "a x",
        "a 1 2 3",
        "a 1 soon",
        "a 1_000",
        "1a 1",
        "<html>",
        "a" * (LINE_BYTES_MAX + 1),
    ],
)
def test_a_line_that_is_no_metric_is_passed_over_and_counted(line: str) -> None:
    reader = read(f"{line}\ngood 1\n")
    assert list(reader.families) == ["good"]
    assert reader.malformed == 1


@given(st.text(max_size=200), st.sampled_from(["", OPEN]))
def test_any_text_is_read_and_what_is_written_is_read_the_same(text: str, kind: str) -> None:
    once = again(text, kind)
    assert again(once) == once


@given(st.lists(st.integers(0, len(PLAIN)), max_size=6))
def test_it_does_not_depend_on_how_the_bytes_came(cuts: list[int]) -> None:
    reader, data = ExpositionReader(), PLAIN.encode()
    edges = [0, *sorted(cuts), len(data)]
    for begin, end in pairwise(edges):
        reader.feed(data[begin:end])
    reader.end()
    assert reader.families == read(PLAIN).families


def test_only_what_is_wanted_is_kept() -> None:
    reader = ExpositionReader(keeps=lambda name: name == "h")
    reader.feed(PLAIN.encode())
    reader.end()
    assert list(reader.families) == ["h"]
    assert len(reader.families["h"].samples) == 4


def test_of_several_sources_a_name_has_one_type_and_a_sample_is_there_once() -> None:
    """Prometheus would refuse all of an answer where it is not so."""
    one = read('# TYPE a counter\na{x="1",y="2"} 1\n').families
    two = read('# TYPE a gauge\na{y="2",x="1"} 5\na{x="3"} 6\nb 1\n').families
    found = merged([one, two])
    assert exposition_of(found["a"]) == '# TYPE a counter\na{x="1",y="2"} 1\na{x="3"} 6\n'
    assert list(found) == ["a", "b"]


@pytest.mark.parametrize("part", ['x="1",', "{", '"', '\\"', " ", "#", "a_total 1\n"])
def test_reading_takes_as_long_as_the_text_is(part: str) -> None:
    def work(size: int) -> Callable[[], object]:
        text = "a{" + part * (size // len(part))
        return lambda: read(text, OPEN)

    assert growth(work, 30_000) < GROWTH_MAX
