"""JSON values into typed ones, and the words for what does not fit."""

from __future__ import annotations

import base64
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.go.go_values import (
    ParseError,
    field_mismatch,
    json_kind,
    read_array,
    read_bool,
    read_bytes,
    read_double,
    read_integer,
    read_object,
    read_string,
)


def reason_of(call: object, *arguments: object) -> str:
    assert callable(call)
    with pytest.raises(ParseError) as refused:
        call(*arguments)
    return refused.value.reason


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "bool"),
        ("", "string"),
        (1, "number"),
        (1.5, "number"),
        ({}, "object"),
        ([], "array"),
        (None, "null"),
    ],
)
def test_go_has_a_word_for_each_json_type(value: object, kind: str) -> None:
    assert json_kind(value) == kind


def test_null_is_the_zero_value_of_every_type() -> None:
    assert read_string(None) == ""
    assert read_bool(None) is False
    assert read_object(None) == {}
    assert read_array(None) == []
    assert read_integer(None, "uint32") == 0
    assert read_double(None) == 0.0
    assert read_bytes(None) == b""


@pytest.mark.parametrize(
    ("call", "value", "go_type"),
    [
        (read_string, 1, "string"),
        (read_bool, "true", "bool"),
        (read_bool, 1, "bool"),
        (read_object, [], "map[string]json.RawMessage"),
        (read_object, "a", "map[string]json.RawMessage"),
        (read_array, {}, "[]json.RawMessage"),
        (read_double, True, "float64"),
        (read_double, [], "float64"),
        (read_bytes, 1, "[]uint8"),
    ],
)
def test_a_wrong_type_is_reported(call: object, value: object, go_type: str) -> None:
    kind = json_kind(value)
    expected = f"json: cannot unmarshal {kind} into Go value of type {go_type}"
    assert reason_of(call, value) == expected


def test_a_wrong_type_in_a_struct_names_the_field() -> None:
    assert field_mismatch(1, "ResourceMeta.name", "string").reason == (
        "json: cannot unmarshal number into Go struct field ResourceMeta.name of type string"
    )


@pytest.mark.parametrize(
    ("value", "go_type", "number"),
    [
        (0, "uint32", 0),
        (4294967295, "uint32", 4294967295),
        ("8080", "uint32", 8080),
        ("-1", "int32", -1),
        ("18446744073709551615", "uint64", 2**64 - 1),
        ("-9223372036854775808", "int64", -(2**63)),
        ("null", "uint32", 0),
    ],
)
def test_a_number_may_stand_in_a_string(value: object, go_type: str, number: int) -> None:
    assert read_integer(value, go_type) == number


@pytest.mark.parametrize(
    ("value", "go_type", "reason"),
    [
        (-1, "uint32", "json: cannot unmarshal number -1 into Go value of type uint32"),
        (2**32, "uint32", "json: cannot unmarshal number 4294967296 into Go value of type uint32"),
        (
            "4294967296",
            "uint32",
            "json: cannot unmarshal number 4294967296 into Go value of type uint32",
        ),
        (1.5, "uint32", "json: cannot unmarshal number 1.5 into Go value of type uint32"),
        (True, "uint32", "json: cannot unmarshal bool into Go value of type uint32"),
        ("true", "uint32", "json: cannot unmarshal bool into Go value of type uint32"),
        ("1.5", "int32", "json: cannot unmarshal number 1.5 into Go value of type int32"),
        ([], "uint64", "json: cannot unmarshal array into Go value of type uint64"),
        ("abc", "uint32", "invalid character 'a' looking for beginning of value"),
        ("", "uint32", "unexpected end of JSON input"),
        ("100%", "uint32", "invalid character '%' after top-level value"),
        ("0x10", "uint32", "invalid character 'x' after top-level value"),
        ("\n", "uint32", "unexpected end of JSON input"),
        ("[1]", "uint32", "json: cannot unmarshal array into Go value of type uint32"),
    ],
)
def test_what_is_no_such_number_is_reported(value: object, go_type: str, reason: str) -> None:
    assert reason_of(read_integer, value, go_type) == reason


def test_digits_without_end_are_refused_and_not_shown() -> None:
    assert len(reason_of(read_integer, "9" * 100_000, "uint64")) < 200


@pytest.mark.parametrize(
    ("value", "number"), [(1, 1.0), (1.5, 1.5), ("1.5", 1.5), ("2", 2.0), ("Infinity", math.inf)]
)
def test_a_double_is_a_number_or_its_text(value: object, number: float) -> None:
    assert read_double(value) == number


def test_not_a_number_comes_as_text() -> None:
    assert math.isnan(read_double("NaN"))


def test_a_double_beyond_any_is_refused() -> None:
    assert "float64" in reason_of(read_double, "1e999")


@given(st.binary())
def test_bytes_come_from_base64(content: bytes) -> None:
    assert read_bytes(base64.b64encode(content).decode()) == content


def test_line_breaks_in_base64_are_skipped() -> None:
    assert read_bytes("dGVz\ndAo=\r\n") == b"test\n"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("?", 0),
        ("ä", 0),
        ("\ud800", 0),
        ("tcp", 0),  # a group that is not whole is told by its beginning
        ("dGVzd", 4),
        ("dGVzdAo", 4),
        ("dGVz\ndAo", 5),
        ("dGV*dAo=", 3),
        ("d===", 1),
        ("dA=", 3),
        ("dA=x", 2),
        ("dA==\nx", 5),
        ("dGVz=", 4),
    ],
)
def test_what_is_no_base64_is_refused_with_its_place(text: str, place: int) -> None:
    assert reason_of(read_bytes, text) == f"illegal base64 data at input byte {place}"
