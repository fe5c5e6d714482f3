"""What turns one document into another, as JSON Patch (RFC 6902)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.usecases.data_plane.json_patches import Operation, json_patch

NAMES = st.sampled_from(["a", "b", "~", "a/b", "~1", ""])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def applied(document: Any, operations: Iterable[Operation]) -> Any:
    """As RFC 6902 has it; what is removed has to be what the operation says is there."""
    root = {"": json.loads(json.dumps(document))}
    for each in operations:
        at: Any = root
        *parents, last = str(each["path"]).split("/") or [""]
        names = [name.replace("~1", "/").replace("~0", "~") for name in (*parents, last)]
        for name in names[:-1]:
            at = at[int(name)] if isinstance(at, list) else at[name]
        if each["op"] == "remove":
            removed = at.pop(int(names[-1])) if isinstance(at, list) else at.pop(names[-1])
            assert removed == each["value"]
        else:
            assert each["op"] == "add"
            if isinstance(at, list):
                assert int(names[-1]) <= len(at)
                at.insert(int(names[-1]), each["value"])
            else:
                at[names[-1]] = each["value"]
    return root[""]


@given(before=JSON, after=JSON)
def test_applied_to_the_first_it_gives_the_second(before: Any, after: Any) -> None:
    found = applied(before, json_patch(before, after))
    assert json.dumps(found, sort_keys=True) == json.dumps(after, sort_keys=True)


@given(same=JSON)
def test_of_equals_it_is_empty(same: Any) -> None:
    assert json_patch(same, json.loads(json.dumps(same))) == []


@pytest.mark.parametrize(
    ("before", "after", "operations"),
    [
        ({}, {"a": 1}, [("add", "/a", 1)]),
        ({"a": 1}, {}, [("remove", "/a", 1)]),
        ({"a": 1}, {"a": 2}, [("remove", "/a", 1), ("add", "/a", 2)]),
        ({"a/b": {"~": 1}}, {"a/b": {}}, [("remove", "/a~1b/~0", 1)]),
        ([1, 2, 3], [1, 3], [("remove", "/1", 2)]),
        ([1, 3], [1, 2, 3], [("add", "/1", 2)]),
        ([{"a": 1, "b": 1}], [{"a": 2, "b": 1}], [("remove", "/0/a", 1), ("add", "/0/a", 2)]),
        ({"a": True}, {"a": 1}, [("remove", "/a", True), ("add", "/a", 1)]),
        ([{"a": True}], [{"a": 1}], [("remove", "/0/a", True), ("add", "/0/a", 1)]),
    ],
)
def test_it_says_what_has_changed_and_no_more(
    before: Any, after: Any, operations: list[tuple[str, str, Any]]
) -> None:
    found = [(each["op"], each["path"], each["value"]) for each in json_patch(before, after)]
    assert found == operations
