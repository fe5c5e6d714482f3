"""The field diff: complete, minimal, and read like the paths of the server."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.go.go_values import JsonObject, ParseError
from kong_mesh_cp.core.resources.kind import InvalidResourceError, Kind
from kong_mesh_cp.core.schema.violations import Violation
from kumactl.documents.comparison import as_shown, pending_changes
from kumactl.documents.differences import ABSENT, Change, changes, without_equal_durations
from kumactl.documents.resource_document import ResourceDocument, read_resource
from kumactl.errors import KumactlError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text('ab"\n', max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "kuma.io/x", ""]), inner, max_size=3)
    ),
    max_leaves=12,
)


def patched(document: Any, found: list[Change]) -> Any:
    """`document` after `found`; list elements that go are the last ones."""
    root = {"document": copy.deepcopy(document)}
    removed = [change for change in found if change.new is ABSENT]
    for change in [*(each for each in found if each.new is not ABSENT), *reversed(removed)]:
        holder: Any = root
        *steps, last = ("document", *change.path)
        for step in steps:
            holder = holder[step]
        if change.new is ABSENT:
            del holder[last]
        elif isinstance(holder, list) and last == len(holder):
            holder.append(change.new)
        else:
            holder[last] = change.new
    return root["document"]


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@given(old=JSON, new=JSON)
def test_applying_the_changes_gives_the_new_document(old: Any, new: Any) -> None:
    assert _text(patched(old, changes(old, new))) == _text(new)


@given(document=JSON)
def test_a_document_does_not_differ_from_itself(document: Any) -> None:
    assert changes(document, copy.deepcopy(document)) == []


@given(old=JSON, new=JSON)
def test_every_change_is_one_and_tells_what_is_there(old: Any, new: Any) -> None:
    for change in changes(old, new):
        assert _text([change.old if change.old is not ABSENT else "-"]) != _text(
            [change.new if change.new is not ABSENT else "="]
        )
        assert change.line.isprintable()


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"c": 2}]}}, ["a.b[0].c: 1 -> 2"]),
        ({}, {"a": {"b": 1}}, ['a: (none) -> {"b": 1}']),
        ({"a": [1, 2]}, {"a": [1]}, ["a[1]: 2 -> (none)"]),
        (
            {"tags": {"kuma.io/service": "*"}},
            {"tags": {"kuma.io/service": "ü"}},
            ['tags["kuma.io/service"]: "*" -> "ü"'],
        ),
        ({"a": True}, {"a": 1}, ["a: true -> 1"]),
        ({"a": None}, {}, ["a: null -> (none)"]),
        ({"a": "x"}, {"a": "y" * 500}, ['a: "x" -> "' + "y" * 198 + "…"]),
        ({"b": 1, "a": 1}, {"a": 2, "c": 3}, ["a: 1 -> 2", "c: (none) -> 3", "b: 1 -> (none)"]),
        ({"a": "1\u202e"}, {"a": "\x1b"}, ['a: "1\\u202e" -> "\\u001b"']),
    ],
)
def test_a_change_reads_like_a_path_of_the_server(
    old: dict[str, Any], new: dict[str, Any], lines: list[str]
) -> None:
    assert [change.line for change in changes(old, new)] == lines


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("1h0m0s", "60m", True),
        ("1.5s", "1500ms", True),
        ("1h", "2h", False),
        ("5", "5.0", False),
        ("a", "b", False),
        (60, "1m", False),
    ],
)
def test_a_duration_is_the_same_however_it_is_written(
    old: object, new: object, *, same: bool
) -> None:
    found = changes({"d": old}, {"d": new})

    assert (not without_equal_durations(found)) is same


def _document(body: dict[str, Any]) -> ResourceDocument:
    return read_resource({"type": "Zone", "name": "z", **body}, "test", mesh="default")


def _kind(*violations: Violation) -> Kind[Any]:
    """A type whose server leaves `enabled: false` out."""

    def parse(document: JsonObject) -> JsonObject:
        if document.get("enabled") == "unreadable":
            raise ParseError("cannot unmarshal")
        if document.get("enabled") == "unfit":
            raise InvalidResourceError([Violation("enabled", "must be a boolean")])
        return document

    def render(spec: JsonObject) -> dict[str, object]:
        return {"enabled": True} if spec.get("enabled") else {}

    return Kind("Zone", parse=parse, validate=lambda _spec: violations, render=render)


STORED = {"type": "Zone", "name": "z", "creationTime": "x", "labels": {"kuma.io/origin": "zone"}}


def test_what_the_server_leaves_out_is_no_change() -> None:
    found = pending_changes(STORED, _document({"enabled": False}), {"Zone": _kind()})

    assert found == []


def test_without_the_rules_of_a_type_a_difference_is_shown_rather_than_hidden() -> None:
    found = pending_changes(STORED, _document({"enabled": False}), {})

    assert [change.line for change in found] == ["enabled: (none) -> false"]


def test_a_label_of_the_server_that_the_user_sets_another_way_is_a_change() -> None:
    wanted = _document({"labels": {"kuma.io/origin": "global"}})

    found = pending_changes(STORED, wanted, {})

    assert [change.line for change in found] == ['labels["kuma.io/origin"]: "zone" -> "global"']


@pytest.mark.parametrize(
    ("enabled", "violations", "fields"),
    [
        ("unfit", (), ["enabled: must be a boolean"]),
        (True, (Violation("a", "b"), Violation("c", "d")), ["a: b", "c: d"]),
    ],
)
def test_what_the_server_would_refuse_is_told_field_by_field(
    enabled: object, violations: tuple[Violation, ...], fields: list[str]
) -> None:
    with pytest.raises(KumactlError) as refused:
        as_shown({"enabled": enabled}, _kind(*violations))

    assert refused.value.message == "Could not process a resource (Resource is not valid)"
    assert [f"{each.field}: {each.reason}" for each in refused.value.fields] == fields


def test_a_body_that_cannot_be_read_says_why() -> None:
    with pytest.raises(KumactlError, match=r"Bad Request \(invalid Zone object: cannot unmarshal"):
        as_shown({"enabled": "unreadable"}, _kind())


def test_what_only_this_program_refuses_is_compared_as_it_stands() -> None:
    found = pending_changes(STORED, _document({"enabled": "unreadable"}), {"Zone": _kind()})

    assert [change.line for change in found] == ['enabled: (none) -> "unreadable"']
