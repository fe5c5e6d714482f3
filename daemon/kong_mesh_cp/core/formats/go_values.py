"""JSON values into typed ones; errors are in the words of Go's encoding/json.

Clients show these words (`Bad Request: invalid Dataplane object: "json: cannot unmarshal …"`).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, TypeGuard

from kong_mesh_cp.core.formats.go_json import syntax_fault

JsonObject = Mapping[str, object]

_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]*)")
# A text of more digits is out of every range, and need not be converted to know it.
_DIGITS_MAX: Final = 20  # of an unsigned 64-bit number
# As texts: JSON has no such numbers, protobuf's mapping writes them so.
_NON_FINITE: Final = {"NaN", "Infinity", "-Infinity"}

_RANGES: Final = {
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}


class ParseError(ValueError):
    """A body that cannot be read as its type at all. `reason` is Go's text, one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def is_object(value: object) -> TypeGuard[JsonObject]:
    # JSON gives string keys only, so the keys need no look.
    return isinstance(value, dict)


def json_kind(value: object) -> str:
    """The word Go has for the JSON type of `value`."""
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case int() | float():
            return "number"
        case dict():
            return "object"
        case list():
            return "array"
        case _:
            return "null"


def mismatch(value: object, go_type: str) -> ParseError:
    """`value` where `go_type` was due."""
    return ParseError(f"json: cannot unmarshal {json_kind(value)} into Go value of type {go_type}")


def field_mismatch(value: object, field: str, go_type: str) -> ParseError:
    """`value` in the member `field` (`ResourceMeta.name`) of a plain Go struct."""
    kind = json_kind(value)
    return ParseError(
        f"json: cannot unmarshal {kind} into Go struct field {field} of type {go_type}"
    )


def read_string(value: object) -> str:
    # null is Go's zero value wherever it is decoded into something that is no pointer.
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise mismatch(value, "string")


def read_bool(value: object) -> bool:
    if value is None:
        return False
    if isinstance(value, bool):
        return value
    raise mismatch(value, "bool")


def read_object(value: object, go_type: str = "map[string]json.RawMessage") -> JsonObject:
    """A JSON object; null is an empty one."""
    if value is None:
        return {}
    if is_object(value):
        return value
    raise mismatch(value, go_type)


def read_array(value: object, go_type: str = "[]json.RawMessage") -> list[object]:
    """A JSON array; null is an empty one."""
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise mismatch(value, go_type)


def read_integer(value: object, go_type: str) -> int:
    """A number of the Go type `int32|int64|uint32|uint64`, or its digits in a string."""
    if value is None:
        return 0
    if isinstance(value, str):
        value = _quoted_number(value, go_type)
    # bool is an int in Python, and none in JSON.
    if not isinstance(value, int) or isinstance(value, bool):
        raise number_mismatch(value, go_type)
    # Out of range is a mismatch of types to Go, and has the same text.
    low, high = _RANGES[go_type]
    if not low <= value <= high:
        raise number_mismatch(value, go_type)
    return value


def read_double(value: object, go_type: str = "float64") -> float:
    """A number of the Go type `float64|float32`, or its digits in a string.

    NaN and the infinities come as strings.
    """
    if value is None:
        return 0.0
    if isinstance(value, str):
        if value in _NON_FINITE:
            return float(value)
        value = _quoted_number(value, go_type)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise mismatch(value, go_type)
    return float(value)


def read_bytes(value: object) -> bytes:
    """Bytes from their standard Base64."""
    if value is None:
        return b""
    if not isinstance(value, str):
        raise mismatch(value, "[]uint8")
    # Go's decoder skips line breaks, as PEM and YAML make them.
    text = value.replace("\r", "").replace("\n", "")
    with suppress(binascii.Error):
        # Python takes more padding than there is room for.
        if len(text) % _BASE64_GROUP == 0:
            return binascii.a2b_base64(text.encode(errors="replace"), strict_mode=True)
    raise ParseError(f"illegal base64 data at input byte {_base64_fault(value)}")


_KINDS: Final = {"{": "object", "[": "array", '"': "string"}
_BASE64_GROUP: Final = 4  # characters, of three bytes
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/\r\n]*+")
_LINE_BREAKS: Final = re.compile(rb"[\r\n]*+")


def _base64_fault(text: str) -> int:
    """The byte at which Go's decoder gives up: where a group of four begins that is not whole."""
    data = text.encode(errors="replace")
    clean = _end(_BASE64, data, 0)
    in_group = (clean - data.count(b"\r", 0, clean) - data.count(b"\n", 0, clean)) % _BASE64_GROUP
    if clean == len(data):
        return clean - in_group
    if data[clean] != ord("=") or in_group < 2:
        return clean
    at = clean + 1
    if in_group == 2:
        at = _end(_LINE_BREAKS, data, at)
        if at == len(data):
            return at
        if data[at] != ord("="):
            return at - 1
        at += 1
    # More, where only line breaks may follow.
    return _end(_LINE_BREAKS, data, at)


def _end(expression: re.Pattern[bytes], data: bytes, start: int) -> int:
    found = expression.match(data, start)
    return start if found is None else found.end()


def _quoted_number(text: str, go_type: str) -> object:
    # Go strips the quotes and reads what is left as JSON.
    text = text.strip(" \t\r\n")
    if text == "null":
        return 0
    if text in {"true", "false"}:
        raise ParseError(f"json: cannot unmarshal bool into Go value of type {go_type}")
    if not text:
        raise ParseError("unexpected end of JSON input")
    if not _NUMBER.fullmatch(text):
        fault = syntax_fault(text.encode(errors="replace"))
        kind = _KINDS.get(text[0], "number")
        raise ParseError(fault or f"json: cannot unmarshal {kind} into Go value of type {go_type}")
    if _INTEGER.fullmatch(text) and len(text.lstrip("-")) <= _DIGITS_MAX:
        return int(text)
    if go_type not in {"float64", "float32"}:
        raise ParseError(
            f"json: cannot unmarshal number {text[:_DIGITS_MAX]} into Go value of type {go_type}"
        )
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ParseError(f"json: cannot unmarshal number into Go value of type {go_type}")
    return number


def number_mismatch(value: object, go_type: str) -> ParseError:
    """`value`, which is no number of `go_type`: too large, or not whole."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ParseError(f"json: cannot unmarshal number {value} into Go value of type {go_type}")
    return mismatch(value, go_type)
