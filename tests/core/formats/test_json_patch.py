"""Steps that change JSON (docs/wire/envoy-patches.md#json-patches)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kong_mesh_cp.core.formats.json_patch import (
    COPIED_CHARACTERS_MAX,
    JsonPatchError,
    Step,
    patched,
)


def add(path: str, value: object) -> Step:
    return Step("add", path, value=json.dumps(value))


def replace(path: str, value: object) -> Step:
    return Step("replace", path, value=json.dumps(value))


def remove(path: str) -> Step:
    return Step("remove", path)


@pytest.mark.parametrize(
    ("document", "step", "expected"),
    [
        ({}, add("/a", 1), {"a": 1}),
        ({"a": 1}, add("/a", None), {"a": None}),
        ({"a": [1, 3]}, add("/a/1", 2), {"a": [1, 2, 3]}),
        ({"a": [1]}, add("/a/-", 2), {"a": [1, 2]}),
        ({"a": [1]}, add("/a/1", 2), {"a": [1, 2]}),
        ({"a": [1]}, add("/a/-1", 2), {"a": [1, 2]}),
        ({}, add("", [1]), [1]),
        ({"a": 1, "b": 2}, remove("/a"), {"b": 2}),
        ({"a": [1, 2]}, remove("/a/-1"), {"a": [1]}),
        ({"a": 1}, replace("/a", {"b": 2}), {"a": {"b": 2}}),
        ({"a": [1, 2]}, replace("/a/0", 3), {"a": [3, 2]}),
        ({"a": {"b": 1}}, Step("move", "/c", "/a/b"), {"a": {}, "c": 1}),
        ({"a": [1, 2]}, Step("move", "/a/-", "/a/0"), {"a": [2, 1]}),
        ({"a": {"b": 1}}, Step("copy", "/c", "/a"), {"a": {"b": 1}, "c": {"b": 1}}),
        ({"a/b": {"~": 1}}, replace("/a~1b/~0", 2), {"a/b": {"~": 2}}),
        ({"": 1}, replace("/", 2), {"": 2}),
    ],
)
def test_a_step_changes_what_its_path_leads_to(document: Any, step: Step, expected: object) -> None:
    assert patched(document, [step]) == expected


def test_an_addition_makes_its_way() -> None:
    assert patched({}, [add("/a/b/c", 1)]) == {"a": {"b": {"c": 1}}}
    assert patched({}, [add("/a/0", 1)]) == {"a": [1]}
    assert patched({"a": None}, [add("/a/b", 1)]) == {"a": {"b": 1}}


@pytest.mark.parametrize("path", ["/b", "/a/5", "/a/-5", "/b/c/d", "/a/0/b"])
def test_what_is_not_there_need_not_be_removed(path: str) -> None:
    assert patched({"a": [1]}, [remove(path)]) == {"a": [1]}


@pytest.mark.parametrize(
    "step",
    [
        replace("/b", 1),
        replace("/a/1", 1),
        replace("/b/c", 1),
        add("/a/5", 1),
        add("/a/x", 1),
        add("/a/-5", 1),
        add("/a/0/b", 1),
        add("/b/-/c", 1),
        add("a", 1),
        Step("move", "/c", "/b"),
        Step("copy", "/x/y", "/a"),
        Step("test", "/a"),
    ],
)
def test_a_step_that_leads_nowhere_is_refused(step: Step) -> None:
    with pytest.raises(JsonPatchError, match=f"^{step.op} of .* does not apply: "):
        patched({"a": [1]}, [step])


def test_what_was_copied_is_apart_from_what_it_was_copied_of() -> None:
    steps = [Step("copy", "/b", "/a"), add("/b/c", 1)]
    assert patched({"a": {}}, steps) == {"a": {}, "b": {"c": 1}}


def test_copies_of_copies_come_to_an_end() -> None:
    doubling = [Step("copy", "/a/-", "/a")] * 100
    with pytest.raises(JsonPatchError, match=str(COPIED_CHARACTERS_MAX)):
        patched({"a": ["x" * 100]}, doubling)
