"""How dataclasses read, refuse, default and render JSON: the words are the schema validator's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from kong_mesh_cp.core.formats.durations import MINUTE, SECOND
from kong_mesh_cp.core.schema import records
from kong_mesh_cp.core.schema.record_faults import Faults
from kong_mesh_cp.core.schema.record_terms import (
    EMPTY_IF_ABSENT,
    OMIT_EMPTY,
    AnyJson,
    Duration,
    Format,
    Int32,
    IntOrText,
    Json,
    Length,
    OneOf,
    Pattern,
    Range,
    Unsigned32,
)
from kong_mesh_cp.core.schema.violations import root


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    name: str
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    mode: Annotated[str, OneOf(("On", "Off"))] | None = None
    text: Annotated[str, Length(2, 4)] | None = None
    token: Annotated[str, Pattern(r"^[a-z]+$")] | None = None
    secret: Annotated[str, Format("byte")] | None = None
    flag: bool | None = None
    count: Int32 | None = None
    plain: int | None = None
    whole: Unsigned32 | None = None
    port: Annotated[int, Range(1, 65535)] | None = None
    code: Annotated[int, OneOf((301, 302))] = 302
    wait: Duration | None = None
    share: IntOrText | None = None
    anything: AnyJson | None = None
    parts: Annotated[tuple[Part, ...], Length(1, 2)] | None = None
    tags: Mapping[str, str] | None = None
    from_: Annotated[str, OMIT_EMPTY] = ""
    odd_one: Annotated[bool, Json("oddOne64bit")] | None = None
    always: Annotated[Part | None, EMPTY_IF_ABSENT] = None


AT = root("spec")


def read(value: object) -> tuple[Spec, set[tuple[str, str]], str]:
    faults = Faults()
    spec = records.read(Spec, value, AT, faults)
    return spec, {(v.field, v.message) for v in faults.violations}, faults.undecodable


def out_of_range(member: str, number: int, type_name: str) -> str:
    place = f"Go struct field Spec.spec.{member} of type {type_name}"
    return f"json: cannot unmarshal number {number} into {place}"


NUMBER_TYPE = 'in body must be of type int32: "float64"'


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("text", 1, 'in body must be of type string: "number"'),
        ("text", True, 'in body must be of type string: "boolean"'),
        ("text", None, 'in body must be of type string: "null"'),
        ("text", [], 'in body must be of type string: "array"'),
        ("text", {}, 'in body must be of type string: "object"'),
        ("text", "a", "in body should be at least 2 chars long"),
        ("text", "abcde", "in body should be at most 4 chars long"),
        ("mode", "Maybe", "in body should be one of [On Off]"),
        ("token", "ab\n", "in body should match '^[a-z]+$'"),
        ("secret", "???", 'in body must be of type byte: "???"'),
        ("secret", "", 'in body must be of type byte: ""'),
        ("secret", "YQ", 'in body must be of type byte: "YQ"'),
        ("secret", 1, 'in body must be of type byte: "float64"'),
        ("flag", "yes", 'in body must be of type boolean: "string"'),
        ("count", "1", 'in body must be of type integer: "string"'),
        ("count", 1.5, NUMBER_TYPE),
        ("count", {}, 'in body must be of type int32: ""'),
        ("count", [], 'in body must be of type integer: "array"'),
        ("count", None, 'in body must be of type integer: "null"'),
        ("count", 2**53, NUMBER_TYPE),
        ("whole", 1e20, NUMBER_TYPE),
        ("plain", 1.5, 'in body must be of type integer: "number"'),
        ("plain", 2**53, 'in body must be of type integer: "number"'),
        ("port", 0, "in body should be greater than or equal to 1"),
        ("port", 65536, "in body should be less than or equal to 65535"),
        ("code", 200, "in body should be one of [301 302]"),
        (
            "wait",
            5,
            (
                'in body must be of type string: "number": '
                'write it with its unit, between quotes, as "5s"'
            ),
        ),
        ("parts", {}, 'in body must be of type array: "object"'),
        ("parts", [], "in body should have at least 1 items"),
        ("tags", [], 'in body must be of type object: "array"'),
        ("tags", None, 'in body must be of type object: "null"'),
        ("always", None, 'in body must be of type object: "null"'),
        ("from", None, 'in body must be of type string: "null"'),
    ],
)
def test_a_value_that_does_not_fit_is_reported_at_its_path(
    member: str, value: object, message: str
) -> None:
    _, told, undecodable = read({member: value})

    assert told == {(f"spec.{member}", message)}
    assert undecodable == ""


def test_paths_in_lists_and_maps_are_reported() -> None:
    _, told, _ = read({"parts": [{"name": 1}, {}, {"name": "c"}], "tags": {"a.b": 1}})

    assert told == {
        ("spec.parts[0].name", 'in body must be of type string: "number"'),
        ("spec.parts[1].name", "in body is required"),
        ("spec.parts", "in body should have at most 2 items"),
        ("spec.tags.a.b", 'in body must be of type string: "number": put it between quotes'),
    }


def test_a_wrong_type_in_an_enumeration_breaks_both_rules() -> None:
    _, told, _ = read({"mode": 1})

    assert told == {
        ("spec.mode", 'in body must be of type string: "number"'),
        ("spec.mode", "in body should be one of [On Off]"),
    }


@pytest.mark.parametrize(
    ("value", "bound"),
    [(0.5, "greater than or equal to 1"), (2**63, "less than or equal to 65535")],
)
def test_a_number_that_is_not_whole_breaks_its_bounds_too(value: float, bound: str) -> None:
    _, told, _ = read({"port": value})

    not_whole = 'in body must be of type integer: "number"'
    assert told == {("spec.port", not_whole), ("spec.port", f"in body should be {bound}")}


def test_what_is_neither_number_nor_text_fits_no_alternative() -> None:
    _, told, _ = read({"share": True})

    assert told == {
        ("", '"spec.share" must validate at least one schema (anyOf)'),
        ("spec.share", 'in body must be of type integer: "boolean"'),
    }


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("count", -(2**31)),
        ("count", 2**31 - 1),
        ("whole", 0),
        ("whole", 2**31),
        ("whole", 2**32 - 1),
        ("whole", 4294967295.0),
        ("plain", 2**53 - 1),
    ],
)
def test_a_number_is_taken_up_to_the_ends_of_its_format(member: str, value: float) -> None:
    spec, *wrong = read({member: value})

    assert wrong == [set(), ""]
    assert records.render(spec)[member] == value


@pytest.mark.parametrize(
    ("member", "value", "reason"),
    [
        ("wait", "5", 'time: missing unit in duration "5"'),
        ("wait", "", 'time: invalid duration ""'),
        ("whole", -1, out_of_range("whole", -1, "uint32")),
        ("whole", 2**32, out_of_range("whole", 2**32, "uint32")),
        ("count", 2**31, out_of_range("count", 2**31, "int32")),
        ("share", 2**31, out_of_range("share", 2**31, "int32")),
        ("secret", [], "json: cannot unmarshal array into Go value of type string"),
    ],
)
def test_what_the_schema_takes_and_the_decoder_does_not_is_distinguished(
    member: str, value: object, reason: str
) -> None:
    assert read({member: value})[1:] == (set(), reason)


def test_a_spec_that_is_no_object_is_reported_as_one_text() -> None:
    assert read("x")[1] == {("", 'spec in body must be of type object: "string"')}


def test_defaults_of_the_schema_stand_in_for_absent_and_null_members() -> None:
    assert read({})[0].code == 302
    assert read({"code": None})[0].code == 302
    assert read({"parts": [{"name": "a"}]})[0].parts == (Part(name="a", weight=1),)


def test_members_that_the_schema_does_not_know_are_ignored() -> None:
    spec, told, undecodable = read({"colour": "red", "parts": [{"name": "a", "size": 1}]})

    assert (told, undecodable) == (set(), "")
    assert records.render(spec)["parts"] == [{"name": "a", "weight": 1}]


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert read({"count": 5.0})[0].count == 5


def test_rendering_keeps_the_declared_order_and_writes_durations_anew() -> None:
    value: dict[str, Any] = {
        "oddOne64bit": True,
        "from": "x",
        "tags": {"b": "2", "a": "1"},
        "wait": "90s",
        "mode": "On",
        "share": "1.50",
    }

    spec = read(value)[0]

    assert spec.wait == MINUTE + 30 * SECOND
    assert list(records.render(spec)) == [
        "mode",
        "code",
        "wait",
        "share",
        "tags",
        "from",
        "oddOne64bit",
        "always",
    ]
    assert records.render(spec)["wait"] == "1m30s"
    assert list(records.render(spec)["tags"]) == ["a", "b"]  # type: ignore[call-overload]


def test_empty_values_are_written_where_they_were_given_unless_the_type_omits_them() -> None:
    rendered = records.render(read({"tags": {}, "from": ""})[0])

    assert rendered["tags"] == {}
    assert "from" not in rendered


def test_a_record_that_is_always_there_is_written_although_it_was_not_given() -> None:
    assert records.render(read({})[0])["always"] == {"name": "", "weight": 1}


def test_anything_is_kept_as_it_is() -> None:
    value = {"deep": [1, {"x": None}]}

    assert records.render(read({"anything": value})[0])["anything"] == value
