"""The outer form of Envoy resources that users write as text."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.native_envoy import (
    ANY,
    CLUSTER,
    NATIVE_CHARACTERS_MAX,
    VIRTUAL_HOST,
    native_fault,
)
from support.suites.growth import growth


@pytest.mark.parametrize(
    "text",
    [
        "name: a",
        "# of a\n---\nname: a\n",
        "'@type': type.googleapis.com/envoy.config.cluster.v3.Cluster",
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
        "null # of a",
        "NULL",
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
        ("-", "array"),
        ("True", "bool"),
        ("off", "bool"),
        ("-1.5", "number"),
        ("0x1F", "number"),
        ("1_000 # thousand", "number"),
        (".5e3", "number"),
        ("2020-01-01", "string"),
        ("12:30", "string"),
        ("a:#b", "string"),
        ("a # b: c", "string"),
    ],
)
def test_what_is_no_object_is_none(text: str, fault: str) -> None:
    if fault != "unexpected EOF":
        fault = f"json: cannot unmarshal {fault} into Go value of type map[string]json.RawMessage"

    assert native_fault(text) == fault


@pytest.mark.parametrize("text", ["%", "% a: b", "%x\n---\na: b", "@x", "`x", "*x", "]", "}"])
def test_what_cannot_begin_a_document_is_read_as_json(text: str) -> None:
    assert native_fault(text) == f"invalid character '{text[0]}' looking for beginning of value"


@pytest.mark.parametrize("text", ["{{ .Name }}", "{ [a]: b}"])
def test_an_object_is_no_key(text: str) -> None:
    bracket = text[1:].strip()[0]
    assert native_fault(text) == (
        f"invalid character '{bracket}' looking for beginning of object key string"
    )


@pytest.mark.parametrize(
    "text",
    [
        'typed_config: {"@type": "nope", a: b}',
        "filters:\n- typedConfig:\n    '@type': type.googleapis.com/nope\n    a: b",
    ],
)
def test_a_type_without_a_package_is_none(text: str) -> None:
    name = "type.googleapis.com/nope" if "/" in text else "nope"
    assert native_fault(text) == f"could not resolve Any message type: {name}"


@pytest.mark.parametrize(
    "text", ["'@type': nope\nname: a", "name: a\n'@type': nope", '{ "@type": "nope", "name": "a"}']
)
def test_what_a_resource_says_its_type_is_counts_where_nothing_else_tells_it(text: str) -> None:
    assert native_fault(text, CLUSTER) is None
    assert native_fault(text, ANY) == "could not resolve Any message type: nope"


NAMELESS = "invalid Cluster.Name: value length must be at least 1 runes"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only\n",
        "null",
        "{}",
        "a: b",
        "name:",
        "name: ''",
        "name: null # yet",
        "a:\n  name: b",
        "  a: b\n  b:\n    name: c",
        "{a: b}",
        '{"name": ""}',
        '{"a": {"name": "x"}}',
        "Name: x",
    ],
)
def test_a_resource_that_has_to_have_a_name_lacks_it(text: str) -> None:
    assert native_fault(text, CLUSTER) == NAMELESS
    assert native_fault(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "name: x",
        "  name: x\n  a: b",
        "a: |\n  b\nname: x",
        "{name: x}",
        '{"name": "x"}',
        "'name': x",
        '"name" : x',
        "? name\n: x",
        "<<: {name: x}\na: b",
        "&a name: x",
        "!!str name: x",
        '"\\u006eame": x',
        "name:\n  x",
    ],
)
def test_a_resource_has_the_name_it_has_to_have_or_nobody_can_tell(text: str) -> None:
    assert native_fault(text, CLUSTER) is None


@pytest.mark.parametrize(
    ("text", "is_missing"),
    [
        ("name: x", True),
        ("name: x\ndomains: []", True),
        ("name: x\ndomains: [a]", False),
        ("name: x\ndomains:\n- a", False),
        ("domains:\n  - a\nname: x", False),
        ('{"name": "x", "domains": []}', True),
    ],
)
def test_a_virtual_host_has_domains(text: str, *, is_missing: bool) -> None:
    reason = "invalid VirtualHost.Domains: value must contain at least 1 item(s)"
    assert native_fault(text, VIRTUAL_HOST) == (reason if is_missing else None)


@given(st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    fault = native_fault(text, VIRTUAL_HOST)

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
        lambda size: "a: b\n" * size,
        lambda size: "name:" + " " * size,
        lambda size: "name: a" + " #" * size,
        lambda size: " " * size + "a: b",
        lambda size: "'@type'" * size,
        lambda size: "@type: a.b\n" * size,
    ],
)
def test_the_time_is_that_of_the_length(shape: Callable[[int], str]) -> None:
    def judged(size: int) -> Callable[[], object]:
        return partial(native_fault, shape(size), VIRTUAL_HOST)

    assert growth(judged, NATIVE_CHARACTERS_MAX // 8) < 2.3
