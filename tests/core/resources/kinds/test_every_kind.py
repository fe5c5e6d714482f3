"""What holds for all kinds whose spec is a message: they take anything, and stay stable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.kinds.catalogue import KINDS
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.schema.messages import Message, ProtoEnum, camel_case

PROTO = sorted(name for name in KINDS if not TYPES[name].plugin)

TEXTS = st.sampled_from(
    ["", "a", "backend", "1d", "10.0.0.1", "0.0.0.0", "*", "/x", "http", "é\n", "{{.a}}", "5s", "("]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 70000), st.floats(allow_nan=False), TEXTS
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)


def test_the_messages_are_known() -> None:
    assert len(PROTO) >= 28


def bodies(message: type[Message]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the members of `message`; some of them hold what they should."""
    hints = get_type_hints(message, include_extras=True)
    members = {
        each.metadata.get("json_name") or camel_case(each.name): values(hints[each.name])
        for each in fields(message)
        if each.name != "unknown_fields"  # no member of the JSON
    }
    return st.fixed_dictionaries({}, optional=members)


def values(hint: Any) -> st.SearchStrategy[Any]:
    return st.one_of(fitting(hint), fitting(hint), fitting(hint), JSON)


def fitting(hint: Any) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return fitting(arguments[0])
    if origin is tuple:
        return st.lists(fitting(arguments[0]), max_size=2)
    if origin is Mapping:
        return st.dictionaries(TEXTS, fitting(arguments[1]), max_size=2)
    if origin is Annotated:
        return st.integers(0, 70000) | TEXTS if arguments[0] is int else JSON
    if isinstance(hint, type) and issubclass(hint, Message):
        return st.deferred(lambda: bodies(hint))
    if isinstance(hint, type) and issubclass(hint, ProtoEnum):
        return st.sampled_from([member.name for member in hint]) | st.integers(0, 9)
    return st.booleans() if hint is bool else TEXTS


def outcome(name: str, body: Mapping[str, Any]) -> str | None:
    """What a reader gets, as text; None when the body cannot be read."""
    kind = KINDS[name]
    try:
        spec = kind.parse(body)
    except ParseError as error:
        assert error.reason  # noqa: PT017  both outcomes are fine
        return None
    except InvalidResourceError as error:  # a role with members that no rule has
        assert error.violations  # noqa: PT017
        return None
    for violation in kind.validate(spec):
        assert "\n" not in violation.field
        assert violation.message
    return json.dumps(kind.render(spec))


@pytest.mark.parametrize("name", PROTO)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_body_is_checked_and_what_is_shown_is_stable(name: str, data: st.DataObject) -> None:
    body = data.draw(bodies(type(KINDS[name].parse({}))))
    first = outcome(name, body)
    if first is not None:
        assert outcome(name, json.loads(first)) == first


@pytest.mark.parametrize("name", PROTO)
def test_members_of_the_meta_are_no_part_of_a_spec(name: str) -> None:
    meta = {"type": name, "mesh": "m", "name": "a", "labels": {"a": "b"}, "creationTime": 1}
    assert KINDS[name].render(KINDS[name].parse(meta)) == {}


@pytest.mark.parametrize("name", PROTO)
def test_a_spec_cannot_be_changed(name: str) -> None:
    spec = KINDS[name].parse({})
    with pytest.raises(AttributeError):
        setattr(spec, fields(spec)[0].name, None)
