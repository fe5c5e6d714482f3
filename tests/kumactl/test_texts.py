"""Tables, YAML and templates: what is written and read for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kumactl.documents import yaml_text
from kumactl.documents.templates import fill
from kumactl.errors import UsageError
from kumactl.tables.columns import age, ago, local_date, render_table, tag_set

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CELL = st.text(st.characters(blacklist_categories=["Cs"]), max_size=8)


@given(
    headers=st.lists(st.text("ABC", min_size=1, max_size=5), min_size=2, max_size=4),
    data=st.data(),
)
def test_every_cell_stands_under_its_header(headers: list[str], data: st.DataObject) -> None:
    row = st.lists(CELL, min_size=len(headers), max_size=len(headers))
    rows = data.draw(st.lists(row, max_size=4))

    lines = render_table(headers, rows).split("\n")

    assert lines.pop() == ""
    assert len(lines) == len(rows) + 1
    assert all(line.isprintable() for line in lines)
    start = 0
    for column in range(len(headers) - 1):
        following = min(len(line) for line in lines)
        cells = [line[start:] for line in lines]
        width = _width(headers, rows, column)
        assert all(cell[width : width + 3] == "   " for cell in cells)
        start += width + 3
        assert start <= following


def _width(headers: list[str], rows: list[list[str]], column: int) -> int:
    from kumactl.console import printable

    return max(len(headers[column]), *(len(printable(row[column])) for row in rows), 0)


@pytest.mark.parametrize(
    ("past", "shown"),
    [
        (timedelta(0), "0s"),
        (timedelta(seconds=59), "59s"),
        (timedelta(seconds=60), "1m"),
        (timedelta(minutes=59, seconds=59), "59m"),
        (timedelta(hours=1), "1h"),
        (timedelta(hours=23, minutes=59), "23h"),
        (timedelta(days=1), "1d"),
        (timedelta(days=364, hours=23), "364d"),
        (timedelta(days=365), "1y"),
        (timedelta(days=365 * 1000), "292y"),
        (timedelta(seconds=-1), "0s"),
        (timedelta(seconds=-3), "<invalid>"),
    ],
)
def test_an_age_is_reported_in_its_largest_unit(past: timedelta, shown: str) -> None:
    instant = (NOW - past).isoformat().replace("+00:00", "Z")

    assert age(instant, NOW) == shown


def test_the_zero_time_is_as_old_as_anything_can_be() -> None:
    assert age("0001-01-01T00:00:00Z", NOW) == "292y"


def test_instants_that_are_none() -> None:
    assert age("", NOW) == age("yesterday", NOW) == local_date("yesterday") == "unknown"
    assert ago("", NOW) == "never"
    assert local_date("") == "-"


def test_a_tag_set_is_sorted_and_has_each_value_once() -> None:
    tags = [{"b": "2", "a": "x"}, {"a": "y"}, {"a": "x"}]

    assert tag_set(tags) == "a=x,y b=2"


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(blacklist_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CELL, inner, max_size=3),
    max_leaves=8,
)


@given(value=VALUE)
def test_yaml_is_read_back_as_it_was_written(value: Any) -> None:
    text = yaml_text.render(value)

    assert yaml_text.parse_documents(text, "here") == ([] if value is None else [value])
    assert all(c == "\n" or c.isprintable() for c in text)


@given(
    text=st.text(st.sampled_from("0123456789:-.eExX_yYnNoO~=<*&!|>%@`'\"#, {}[]tTzZ"), max_size=12)
)
def test_texts_that_look_like_something_else_stay_texts(text: str) -> None:
    assert yaml.safe_load(yaml_text.render({"a": text})) == {"a": text}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0001-01-01T00:00:00Z", '"0001-01-01T00:00:00Z"'),
        ("*", "'*'"),
        ("0.1", '"0.1"'),
        ("on", '"on"'),
        ("", '""'),
        ("plain text", "plain text"),
        ("dGVzdA==", "dGVzdA=="),
        ("a: b", "'a: b'"),
        ("x" * 200 + " y", "x" * 200 + " y"),
    ],
)
def test_texts_are_quoted_as_the_original_quotes_them(value: str, text: str) -> None:
    assert yaml_text.render({"a": value}) == f"a: {text}\n"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a: 2001-01-01", [{"a": "2001-01-01"}]),
        ("1: x\ntrue: y", [{"1": "x", "true": "y"}]),
        (
            "base: &b {x: 1, y: 1}\nc: {<<: *b, y: 2}",
            [{"base": {"x": 1, "y": 1}, "c": {"x": 1, "y": 2}}],
        ),
        ("a: {<<: [{x: 1}, {x: 2, y: 3}]}", [{"a": {"x": 1, "y": 3}}]),
        ('{"json": [1, 2.5, null]}', [{"json": [1, 2.5, None]}]),
        ("---\n---\na: 1\n---\n", [{"a": 1}]),
        ("a: 10:30\nb: 190:20:30.15", [{"a": "10:30", "b": "190:20:30.15"}]),
        ("", []),
    ],
)
def test_yaml_is_read_as_json(text: str, values: list[Any]) -> None:
    assert yaml_text.parse_documents(text, "here") == values


LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: {c: 1, c: 2}", "here, line 2, column 11: the key 'c' is there twice"),
        ("a: [", "here is not YAML: line "),
        ("a: .inf", "JSON has no inf"),
        ("a: !!binary YQ==", "JSON has no tag:yaml.org,2002:binary"),
        ("a: !!python/object/apply:os.system [x]", "JSON has no tag:yaml.org,2002:python/"),
        ("a: !!set {x}", "JSON has no tag:yaml.org,2002:set"),
        ("a: !mine {x: 1}", "JSON has no !mine"),
        ("? [1]\n: 2", "neither a text nor a whole number"),
        ("a: &a [*a]", "nested more than 64 levels"),
        ("[" * 100_000 + "]" * 100_000, "nested more than 64 levels"),
        ("{a: " * 100_000 + "}" * 100_000, "nested more than 64 levels"),
        ("- " * 100_000, "nested more than 64 levels"),
        (LAUGHS, "more than 1000000 values"),
        ("a: !!int x", "'x' is no value"),
        (f"a: {'9' * 5_000}", "is no value"),
        (f"a: 0x{'f' * 5_000}", "is no value"),
        (f"a: 0.{'1' * 5_000}", "is no value"),
        ("a: {<<: 1}", "what << merges is no object"),
        ("a: \x07", "is not YAML"),
    ],
)
def test_yaml_that_is_no_json_is_reported_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as told:
        yaml_text.parse_documents(text, "here")

    assert problem in told.value.message


@pytest.mark.parametrize(
    ("text", "variables", "filled"),
    [
        ("a: {{ x }}", {}, "a: {{ x }}"),
        ("a: {{x}}{{{ x }}}{{& x }}", {"x": "<&>"}, "a: <&><&><&>"),
        ("a: {{ x.y-z }}", {"x.y-z": "1"}, "a: 1"),
        ("a: {{ .DisplayName }}.{{ x }}", {"x": "mesh"}, "a: {{ .DisplayName }}.mesh"),
        ('a: {{ label "x" }}', {"x": "1"}, 'a: {{ label "x" }}'),
        ("a: {{ x }}", {"x": "{{ x }}", "y": "unused"}, "a: {{ x }}"),
    ],
)
def test_variables_are_filled_in_verbatim(
    text: str, variables: dict[str, str], filled: str
) -> None:
    assert fill(text, variables, "here") == filled


def test_variables_without_a_value_are_all_named() -> None:
    with pytest.raises(UsageError) as told:
        fill("{{ a }} {{ b }} {{ a }} {{ c }}", {"b": "1"}, "here")

    assert told.value.message == "here has variables without a value: --var a=… --var c=…"
