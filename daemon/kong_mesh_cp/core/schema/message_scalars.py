"""Scalars and well-known types of protocol buffers in JSON."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.durations import (
    DurationError,
    format_proto_duration,
    parse_duration,
)
from kong_mesh_cp.core.formats.go.go_values import (
    ParseError,
    mismatch,
    number_mismatch,
    read_bool,
    read_bytes,
    read_double,
    read_integer,
    read_object,
    read_string,
)
from kong_mesh_cp.core.formats.timestamps import TimestampError, format_timestamp, parse_timestamp

DURATION_ADVICE: Final = 'must be a duration: write it with its unit, between quotes, as "5s"'
_FLOAT: Final = struct.Struct("<f")
_FLOAT_DIGITS_MAX: Final = 9  # so many tell every number of 32 bits from its neighbours


@dataclass(frozen=True, slots=True)
class Scalar:
    """How one type of value goes from JSON and to JSON."""

    read: Callable[[object], object]
    write: Callable[[Any], object]


def _same(value: object) -> object:
    return value


def write_double(value: float) -> object:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    # Go writes a whole double without a point.
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


def _read_float(value: object) -> float:
    double = read_double(value, "float32")
    try:
        return shortest_float(double)
    except OverflowError:
        raise number_mismatch(value, "float32") from None


# A float32 shown as a double has digits that were not written: 0.1 would be 0.10000000149011612.
def shortest_float(value: float) -> float:
    """The number of 32 bits nearest to `value`, as the double of its shortest decimal.

    So 0.1 is the same number in JSON and in the binary form, where its 32 bits alone would be
    0.10000000149011612. Raises: OverflowError beyond the range of 32 bits.
    """
    bits = _FLOAT.pack(value)
    nearest: float = _FLOAT.unpack(bits)[0]
    for digits in range(1, _FLOAT_DIGITS_MAX):
        short = float(f"{nearest:.{digits}g}")
        with suppress(OverflowError):  # rounding may lead out of the range
            if _FLOAT.pack(short) == bits:
                return short
    return float(f"{nearest:.{_FLOAT_DIGITS_MAX}g}")


def _read_duration(value: object) -> int:
    if not isinstance(value, str):
        raise ParseError(mismatch(value, "string").reason, DURATION_ADVICE)
    try:
        return parse_duration(value)
    except DurationError as error:
        raise ParseError(f"bad Duration: {error}", DURATION_ADVICE) from None


def _read_timestamp(value: object) -> int:
    try:
        return parse_timestamp(_quoted(value))
    except TimestampError as error:
        raise ParseError(f"bad Timestamp: {error}") from None


def _quoted(value: object) -> str:
    if isinstance(value, str):
        return value
    raise mismatch(value, "string")


def read_struct(value: object) -> Mapping[str, object]:
    """Any JSON object, its keys sorted and its numbers as they are written."""
    try:
        members = read_object(value)
    except ParseError as error:
        raise ParseError(f"bad StructValue: {error.reason}") from None
    return {key: struct_value(members[key]) for key in sorted(members)}


def struct_value(value: object) -> object:
    match value:
        case bool():
            return value
        case int() | float():
            # A Value holds every number as a double; a whole one is written without a point.
            return write_double(float(value))
        case dict():
            return read_struct(value)
        case list():
            return [struct_value(item) for item in value]
        case _:
            return value


def read_enum_number(value: object) -> int:
    """The number of an enum's value; `value` is no text, which would be its name."""
    try:
        return read_integer(value, "int32")
    except ParseError:
        raise number_mismatch(value, "protoreflect.EnumNumber") from None


# Named after the scalar types of .proto files.
STRING: Final = Scalar(read_string, _same)
BOOL: Final = Scalar(read_bool, _same)
DOUBLE: Final = Scalar(read_double, write_double)
FLOAT: Final = Scalar(_read_float, write_double)
INT32: Final = Scalar(lambda value: read_integer(value, "int32"), _same)
UINT32: Final = Scalar(lambda value: read_integer(value, "uint32"), _same)
UINT64: Final = Scalar(lambda value: read_integer(value, "uint64"), str)
BYTES: Final = Scalar(read_bytes, lambda value: base64.b64encode(value).decode())
DURATION: Final = Scalar(_read_duration, format_proto_duration)
TIMESTAMP: Final = Scalar(_read_timestamp, format_timestamp)
STRUCT: Final = Scalar(read_struct, _same)

PLAIN: Final[Mapping[object, Scalar]] = {str: STRING, bool: BOOL, float: DOUBLE}
