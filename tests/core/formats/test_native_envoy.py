"""The outer form of Envoy resources that users write as text."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.native_envoy import NATIVE_CHARACTERS_MAX, native_fault
from support.suites.growth import growth


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
        ":: ",
        "a:b: c",
        "a\n: b",
        "%YAML 1.2\n---\na: b",
        '"a\nb": c',
        "% a: b",
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
        ("a:#b", "string"),
        ("a # b: c", "string"),
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


def test_a_resource_has_a_bounded_length() -> None:
    assert native_fault("a: " + "b" * NATIVE_CHARACTERS_MAX) == (
        "it must not have more than 262144 characters"
    )


@pytest.mark.parametrize(
    "shape",
    [
        lambda size: "a" + " " * size + "b",
        lambda size: "%" + " " * size,
        lambda size: "%" * size,
        lambda size: "%\n" * size,
        lambda size: "#\n" * size,
        lambda size: "a:" * size,
        lambda size: ":" * size,
        lambda size: "a" + "\n" * size + "b",
        lambda size: '"' + "\\" * size,
        lambda size: '{"' * size,
        lambda size: "{" + "'" * size,
    ],
)
def test_the_time_is_that_of_the_length(shape: Callable[[int], str]) -> None:
    assert growth(lambda size: partial(native_fault, shape(size)), NATIVE_CHARACTERS_MAX // 8) < 2.3
