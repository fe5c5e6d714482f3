"""The outer form of Envoy resources that users write as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.resources.native_envoy import native_fault


@pytest.mark.parametrize(
    "text",
    [
        "name: a",
        "# of a\n---\nname: a\n",
        "'@type': x",
        '{"name": "a}"}',
        "{name: a, b: [1]}",
        "",
        "null",
        "a:\n  b: 1",
    ],
)
def test_an_object_may_be_a_resource(text: str) -> None:
    assert native_fault(text) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "unexpected EOF"),
        ('{"a": [', "unexpected EOF"),
        ('{"a}": "}"', "unexpected EOF"),
        ("word", "string"),
        ("- a", "array"),
        ("[]", "array"),
        ("true", "bool"),
        ("-1.5", "number"),
    ],
)
def test_what_is_no_object_is_none(text: str, fault: str) -> None:
    if fault != "unexpected EOF":
        fault = f"json: cannot unmarshal {fault} into Go value of type map[string]json.RawMessage"

    assert native_fault(text) == fault


@given(st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    fault = native_fault(text)

    assert fault is None or fault
