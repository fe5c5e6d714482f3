"""JSON values into typed ones; errors are in the words of Go's encoding/json.

Clients show these words (`Bad Request: invalid Dataplane object: "json: cannot unmarshal …"`).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, TypeGuard

from kong_mesh_cp.core.formats.go.go_json import syntax_fault

JsonObject = Mapping[str, object]

_QUANTA: Final = re.compile(r"(?:(?:[\r\n]*[A-Za-z0-9+/]){4})*")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_KINDS: Final = {"{": "object", "[": "array", '"': "string"}
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


_WORDS: Final = {
    "bool": "true or false",
    "string": "a text",
    "number": "a number",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
_WHOLE: Final = ("a whole number", "write its digits")
# By the type in Go: what is due, and how it is written.
_DUE: Final = {
    "string": ("a text", "put it between quotes"),
    "bool": ("true or false", "write it without quotes"),
    **dict.fromkeys(_RANGES, _WHOLE),
    "protoreflect.EnumNumber": ("one of the words of its enumeration", "write the word"),
    "float64": ("a number", "write its digits"),
    "float32": ("a number", "write its digits"),
    "[]uint8": ("a text", "write the bytes in Base64"),
    "[]": ("a list", "write it as [ … ], or with a dash before each item"),
    "map": ("an object", "write it as { … }, or each member on a line of its own below it"),
}


class ParseError(ValueError):
    """A body that cannot be read as its type at all. `reason` is Go's text, one line.

    Go does not say where; `path` does, from the value that was read on, with a point or a bracket
    in front. `advice`: what is due there and how it is written, as it follows the path; it may be
    the reason itself.
    """

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.advice = advice or reason
        self.path = ""

    def below(self, step: str) -> ParseError:
        """The same, of a value that has the one at fault at `step`: `.name`, `[3]`, `["key"]`."""
        self.path = f"{step}{self.path}"
        return self


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
    reason = f"json: cannot unmarshal {json_kind(value)} into Go value of type {go_type}"
    return ParseError(reason, advice(value, go_type))


def advice(value: object, go_type: str) -> str:
    """What is due instead of `value`, which is never shown: it may be a secret."""
    due, remedy = _DUE.get(go_type) or (
        _DUE["[]"] if go_type.startswith("[]") else _DUE["map"] if "map[" in go_type else ("", "")
    )
    if not due:
        return f"cannot be {_WORDS[json_kind(value)]}"
    if json_kind(value) == "number" and go_type in _RANGES:
        low, high = _RANGES[go_type]
        return f"must be {due} from {low} to {high}"
    if go_type == "string" and not isinstance(value, int | float):
        remedy = "write one text"
    return f"must be {due}, and is {_WORDS[json_kind(value)]}: {remedy}"


def field_mismatch(value: object, field: str, go_type: str) -> ParseError:
    """`value` in the member `field` (`ResourceMeta.name`) of a plain Go struct."""
    kind = json_kind(value)
    reason = f"json: cannot unmarshal {kind} into Go struct field {field} of type {go_type}"
    return ParseError(reason, advice(value, go_type))


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
        value = _in_quotes(value, go_type)
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
        value = _in_quotes(value, go_type)
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
        if len(text) % 4 == 0:
            return binascii.a2b_base64(text.encode(errors="replace"), strict_mode=True)
    reason = f"illegal base64 data at input byte {_base64_fault(value)}"
    raise ParseError(reason, f"must be Base64: {reason}")


def _base64_fault(text: str) -> int:
    """Where Go's decoder gives up: it reads four characters at a time."""
    whole = _QUANTA.match(text)
    at = 0 if whole is None else whole.end()
    characters = 0  # of the last four, which are not whole
    while at < len(text):
        character = text[at]
        at += 1
        if character in "\r\n":
            continue
        if character == "=" and characters >= 2:
            return _padding_fault(text, at, characters)
        if not (character.isascii() and (character.isalnum() or character in "+/")):
            return at - 1
        characters += 1
    return at - characters


def _padding_fault(text: str, at: int, characters: int) -> int:
    """As above, behind the first `=` of four of which so many are none."""
    if characters == 2:
        at += len(text[at:]) - len(text[at:].lstrip("\r\n"))
        if at == len(text):
            return at
        if text[at] != "=":
            return at - 1
        at += 1
    return at + len(text[at:]) - len(text[at:].lstrip("\r\n"))


def _in_quotes(text: str, go_type: str) -> object:
    try:
        return _quoted_number(text, go_type)
    except ParseError as error:
        error.advice = advice(text, go_type)
        raise


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
        reason = f"json: cannot unmarshal number {value} into Go value of type {go_type}"
        return ParseError(reason, advice(value, go_type))
    return mismatch(value, go_type)
