"""Messages of protocol buffers: what is read, what is written, what is told."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.schema.messages import (
    EMPTY,
    Bytes,
    Duration,
    Float,
    Message,
    ProtoEnum,
    Struct,
    Timestamp,
    Uint32,
    Uint64,
    camel_case,
    oneof,
    proto,
    read_message,
    write_message,
)


class Color(ProtoEnum):
    """An enum of the tests."""

    __proto_name__ = "kuma.test.Color"
    RED = 0
    GREEN = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner(Message):
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything(Message):
    text: str = ""
    flag: bool = False
    ratio: float = 0.0
    count: Uint32 = 0
    big_count: Uint64 = 0
    color: Color = Color.RED
    inner: Inner | None = None
    items: tuple[Inner, ...] = ()
    names: tuple[str, ...] = ()
    tags: Mapping[str, str] = EMPTY
    inners: Mapping[str, Inner] = EMPTY
    wrapped_flag: bool | None = None
    wrapped_count: Uint32 | None = None
    wrapped_text: str | None = None
    small_ratio: Float | None = None
    pause: Duration | None = None
    at: Timestamp | None = None
    data: Bytes | None = None
    conf: Struct | None = None
    skip_mtls: bool | None = proto(json="skipMTLS")
    old_name: Uint32 = proto(0, original=True)
    first: str | None = oneof("choice")
    second: Inner | None = oneof("choice")


FULL = {
    "text": "a",
    "flag": True,
    "ratio": 1.5,
    "count": 7,
    "bigCount": "18446744073709551615",
    "color": "GREEN",
    "inner": {"name": "i"},
    "items": [{"name": "x"}, {}],
    "names": ["b", "a"],
    "tags": {"a": "1", "b": "2"},
    "inners": {"k": {"name": "v"}},
    "wrappedFlag": False,
    "wrappedCount": 0,
    "wrappedText": "",
    "pause": "1.500s",
    "at": "2026-01-01T10:00:00.120Z",
    "data": "dGVzdAo=",
    "conf": {"a": [1, 1.5, None, {"b": True}]},
    "skipMTLS": True,
    "oldName": 3,
    "second": {"name": "chosen"},
}


def rendered(document: object) -> dict[str, object]:
    return write_message(read_message(Everything, document))


def reason_of(document: object) -> str:
    with pytest.raises(ParseError) as refused:
        read_message(Everything, document)
    return refused.value.reason


def test_a_full_message_comes_back_as_it_was() -> None:
    assert rendered(FULL) == FULL


def test_fields_are_written_in_the_order_of_their_declaration() -> None:
    shuffled = dict(reversed(FULL.items()))
    assert list(rendered(shuffled)) == list(FULL)


def test_maps_are_written_with_their_keys_sorted() -> None:
    assert json.dumps(rendered({"tags": {"b": "1", "a": "2"}})) == '{"tags": {"a": "2", "b": "1"}}'


def test_nothing_is_written_of_an_empty_message() -> None:
    assert rendered({}) == {}
    assert rendered(None) == {}


def test_defaults_are_not_written() -> None:
    defaults = {
        "text": "",
        "flag": False,
        "ratio": 0,
        "count": 0,
        "bigCount": "0",
        "color": "RED",
        "items": [],
        "tags": {},
    }
    assert rendered(defaults) == {}


def test_an_empty_message_in_a_field_is_written() -> None:
    assert rendered({"inner": {}}) == {"inner": {}}


def test_a_wrapper_is_written_whenever_it_is_set() -> None:
    assert rendered({"wrappedFlag": False}) == {"wrappedFlag": False}


def test_null_is_an_absent_field() -> None:
    assert rendered(dict.fromkeys(FULL)) == {}


def test_null_in_a_list_or_map_is_the_zero_value() -> None:
    document = {"items": [None], "tags": {"a": None}, "inners": {"k": None}}
    assert rendered(document) == {"items": [{}], "tags": {"a": ""}, "inners": {"k": {}}}


def test_unknown_fields_are_ignored() -> None:
    assert rendered({"nobodyKnows": {"this": 1}, "big_count": 5, "Text": "b"}) == {}


def test_an_original_name_is_read_where_there_is_one() -> None:
    assert rendered({"old_name": 1}) == {"oldName": 1}
    assert rendered({"old_name": 1, "oldName": 2}) == {"oldName": 2}
    assert rendered({"skip_mtls": True}) == {}


def test_the_last_field_of_a_oneof_wins() -> None:
    assert rendered({"second": {}, "first": "a"}) == {"second": {}}
    assert rendered({"first": ""}) == {"first": ""}


def test_an_enum_comes_by_name_or_number() -> None:
    assert rendered({"color": 1}) == {"color": "GREEN"}
    assert rendered({"color": "GREEN"}) == {"color": "GREEN"}


def test_a_number_without_a_name_stays_a_number() -> None:
    assert rendered({"color": 77}) == {"color": 77}
    assert read_message(Everything, {"color": 77}).color == 77


def test_numbers_in_strings_are_numbers() -> None:
    assert rendered({"count": "7", "bigCount": 8}) == {"count": 7, "bigCount": "8"}


def test_a_whole_double_is_written_without_a_point() -> None:
    assert json.dumps(rendered({"ratio": 80.0, "conf": {"a": 5670.0}})) == (
        '{"ratio": 80, "conf": {"a": 5670}}'
    )


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_json_has_no_number_for_is_text(text: str) -> None:
    assert rendered({"ratio": text}) == {"ratio": text}


@pytest.mark.parametrize(
    ("given_text", "shown"), [("1h", "3600s"), ("1m0.5s", "60.500s"), ("0", "0s")]
)
def test_a_duration_of_go_is_written_in_seconds(given_text: str, shown: str) -> None:
    assert rendered({"pause": given_text}) == {"pause": shown}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (
            [],
            "json: cannot unmarshal array into Go value of type map[string]json.RawMessage",
        ),
        ({"text": 1}, "json: cannot unmarshal number into Go value of type string"),
        ({"flag": "yes"}, "json: cannot unmarshal string into Go value of type bool"),
        ({"count": -1}, "json: cannot unmarshal number -1 into Go value of type uint32"),
        ({"names": "a"}, "json: cannot unmarshal string into Go value of type []json.RawMessage"),
        ({"names": [1]}, "json: cannot unmarshal number into Go value of type string"),
        (
            {"tags": []},
            "json: cannot unmarshal array into Go value of type map[string]json.RawMessage",
        ),
        ({"tags": {"a": 1}}, "json: cannot unmarshal number into Go value of type string"),
        (
            {"inner": 1},
            "json: cannot unmarshal number into Go value of type map[string]json.RawMessage",
        ),
        ({"color": "BLUE"}, 'unknown value "\\"BLUE\\"" for enum kuma.test.Color'),
        (
            {"color": 1.5},
            "json: cannot unmarshal number 1.5 into Go value of type protoreflect.EnumNumber",
        ),
        (
            {"color": True},
            "json: cannot unmarshal bool into Go value of type protoreflect.EnumNumber",
        ),
        (
            {"color": 2**31},
            "json: cannot unmarshal number 2147483648 into Go value of type protoreflect.EnumNumber",
        ),
        (
            {"smallRatio": 3.5e38},
            "json: cannot unmarshal number 3.5e+38 into Go value of type float32",
        ),
        ({"smallRatio": True}, "json: cannot unmarshal bool into Go value of type float32"),
        ({"pause": "5"}, 'bad Duration: time: missing unit in duration "5"'),
        ({"pause": 5}, "json: cannot unmarshal number into Go value of type string"),
        ({"data": "?"}, "illegal base64 data at input byte 0"),
        (
            {"conf": [1]},
            (
                "bad StructValue: json: cannot unmarshal array into Go value of type"
                " map[string]json.RawMessage"
            ),
        ),
    ],
)
def test_what_does_not_fit_is_reported_in_gos_words(document: object, reason: str) -> None:
    assert reason_of(document) == reason


@pytest.mark.parametrize(
    ("given_number", "number"),
    [
        (62.9, 62.9),
        (0.1234567890123, 0.12345679),
        (16777217, 16777216),
        ("1e-46", 0),
        (3.4028235e38, 3.4028235e38),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
    ],
)
def test_a_float_has_32_bits_and_their_shortest_decimal(given_number: Any, number: Any) -> None:
    assert rendered({"smallRatio": given_number}) == {"smallRatio": number}


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_every_number_of_32_bits_is_kept_by_nine_digits(number: float) -> None:
    found = read_message(Everything, {"smallRatio": number}).small_ratio
    assert found is not None
    assert struct.pack("<f", found) == struct.pack("<f", number)
    assert len(repr(abs(found)).partition("e")[0].replace(".", "").strip("0")) <= 9


def test_a_bad_instant_is_reported() -> None:
    assert reason_of({"at": "yesterday"}).startswith('bad Timestamp: parsing time "yesterday"')


@pytest.mark.parametrize(
    ("name", "json_name"),
    [("text", "text"), ("service_port", "servicePort"), ("trace_id_128bit", "traceId128bit")],
)
def test_json_names_follow_from_names(name: str, json_name: str) -> None:
    assert camel_case(name) == json_name


def test_an_empty_map_is_a_value_of_its_own() -> None:
    assert EMPTY == {}
    assert EMPTY != {"a": "b"}
    assert dict(EMPTY) == {}
    assert "a" not in EMPTY


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
HOSTILE = st.dictionaries(st.sampled_from([*FULL, "first", "old_name"]), JSON, max_size=6)


def again(document: Any) -> str:
    return json.dumps(rendered(document), allow_nan=True)


@given(HOSTILE)
def test_any_json_is_a_message_or_refused_and_what_is_written_is_stable(document: Any) -> None:
    try:
        written = again(document)
    except ParseError as error:
        written = again({})
        assert error.reason  # noqa: PT017  both outcomes are fine
    assert again(json.loads(written)) == written
