"""The values of fields in the wire format: scalars, and the messages that every runtime knows.

A scalar is a value by itself. Embedded are messages: those of google.protobuf that stand for a
single value here (wrappers, Duration, Timestamp, Struct). They are closed: what a peer adds to
one of them has no place in a value, and is dropped.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.durations import NANOSECONDS_MAX, SECOND
from kong_mesh_cp.core.formats.timestamps import nanoseconds_of
from kong_mesh_cp.core.schema import message_scalars as scalars
from kong_mesh_cp.core.schema.wire_format import (
    FIXED32,
    FIXED64,
    LENGTH,
    UINT64_MAX,
    VARINT,
    BinaryError,
    BinaryFault,
    Field,
    Reader,
    Span,
    refuse_deep,
    tag,
    varint,
    with_length,
)

_UINT32_MAX: Final = 2**32 - 1
_INT32: Final = (-(2**31), 2**31 - 1)
_DOUBLE: Final = struct.Struct("<d")
_FLOAT: Final = struct.Struct("<f")
# A message holds what its JSON can tell: a Duration is one of Go, a Timestamp has a year of four
# digits.
_DURATIONS: Final = (-NANOSECONDS_MAX - 1, NANOSECONDS_MAX)
_TIMESTAMPS: Final = (
    nanoseconds_of(datetime(1, 1, 1, tzinfo=UTC)),
    nanoseconds_of(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)) + SECOND - 1,
)


@dataclass(frozen=True, slots=True)
class ScalarCodec:
    """How one type of scalar goes to bytes and from bytes. Both raise BinaryError.

    `encode` gives what follows the tag, `decode` gets a reader with `value` and `end` of a Field.
    `default` is what an absent field holds.
    """

    wire_type: int
    default: object
    encode: Callable[[Any], bytes]
    decode: Callable[[Reader, int, int], object]


@dataclass(frozen=True, slots=True)
class EmbeddedCodec:
    """How one type of message goes to bytes, without their length, and from spans of bytes.

    `decode` gets the depth of the message too: containers around it, itself counted. Both raise
    BinaryError.
    """

    encode: Callable[[Any], bytes]
    decode: Callable[[Reader, Sequence[Span], int], object]


def _out_of_range(what: str) -> BinaryError:
    return BinaryError(BinaryFault.OUT_OF_RANGE, f"{what} is out of its range")


# A negative int32 takes ten bytes: the format extends the sign to 64 bits, so that a field may
# become an int64 later.
def _encode_int32(value: int) -> bytes:
    if not _INT32[0] <= value <= _INT32[1]:
        raise _out_of_range("an int32")
    return varint(value & UINT64_MAX)


def signed(value: int, bits: int) -> int:
    """The number that the lowest `bits` of a varint mean as two's complement.

    A value with more bits loses them, as in the runtimes of other languages.
    """
    sign = 1 << (bits - 1)
    return (value & ((1 << bits) - 1) ^ sign) - sign


def _encode_uint32(value: int) -> bytes:
    if not 0 <= value <= _UINT32_MAX:
        raise _out_of_range("a uint32")
    return varint(value)


# proto3 demands UTF-8 of strings, and other runtimes refuse a whole message for one that is not.
def _encode_string(text: str) -> bytes:
    try:
        return with_length(text.encode())
    except UnicodeEncodeError:
        fault = BinaryError(BinaryFault.NOT_UTF8, "a text has half of a surrogate pair")
    raise fault  # outside of the block: the standard error carries the text


def _decode_string(reader: Reader, value: int, end: int) -> str:
    try:
        return reader.data[value:end].decode()
    except UnicodeDecodeError:
        fault = BinaryError(BinaryFault.NOT_UTF8, "a text is not UTF-8")
    raise fault


def _encode_float(value: float) -> bytes:
    try:
        return _FLOAT.pack(value)
    except OverflowError:
        raise _out_of_range("a float") from None


STRING: Final = ScalarCodec(LENGTH, "", _encode_string, _decode_string)
BYTES: Final = ScalarCodec(
    LENGTH, b"", with_length, lambda reader, value, end: reader.data[value:end]
)
BOOL: Final = ScalarCodec(
    VARINT, False, lambda value: varint(int(value)), lambda _reader, value, _end: value != 0
)
INT32: Final = ScalarCodec(VARINT, 0, _encode_int32, lambda _reader, value, _end: signed(value, 32))
UINT32: Final = ScalarCodec(
    VARINT, 0, _encode_uint32, lambda _reader, value, _end: value & _UINT32_MAX
)
UINT64: Final = ScalarCodec(VARINT, 0, varint, lambda _reader, value, _end: value)
DOUBLE: Final = ScalarCodec(
    FIXED64,
    0.0,
    _DOUBLE.pack,
    lambda reader, value, _end: _DOUBLE.unpack_from(reader.data, value)[0],
)
FLOAT: Final = ScalarCodec(
    FIXED32,
    0.0,
    _encode_float,
    lambda reader, value, _end: scalars.shortest_float(_FLOAT.unpack_from(reader.data, value)[0]),
)

SCALARS: Final[Mapping[scalars.Scalar, ScalarCodec]] = {
    scalars.STRING: STRING,
    scalars.BYTES: BYTES,
    scalars.BOOL: BOOL,
    scalars.INT32: INT32,
    scalars.UINT32: UINT32,
    scalars.UINT64: UINT64,
    scalars.DOUBLE: DOUBLE,
    scalars.FLOAT: FLOAT,
}


def spans_of(fields: Sequence[Field]) -> list[Span]:
    """The bytes of a message that came as `fields`."""
    return [(value, end) for _, wire_type, value, _, end in fields if wire_type == LENGTH]


def last_of(fields: Iterable[Field], number: int, codec: ScalarCodec, reader: Reader) -> object:
    """The scalar `number` in `fields`: of several the last one counts, if all are sound."""
    last = codec.default
    for found, wire_type, value, _, end in fields:
        # All are decoded, so that a message is sound or not whatever comes last.
        if found == number and wire_type == codec.wire_type:
            last = codec.decode(reader, value, end)
    return last


def map_entry(reader: Reader, span: Span) -> tuple[str, list[Field]]:
    """The key of an entry, which is a message with key=1 and value=2, and what it has for a value.

    All maps of Kuma have texts for keys.
    """
    fields = list(reader.fields((span,)))
    key = last_of(fields, 1, STRING, reader)
    return str(key), [field for field in fields if field[0] == 2]


def encoded_entry(key: str, value: bytes, wire_type: int) -> bytes:
    """An entry of a map; both of its fields are written, also when they are empty."""
    return b"".join((tag(1, LENGTH), _encode_string(key), tag(2, wire_type), value))


def wrapper(scalar: ScalarCodec) -> EmbeddedCodec:
    """A message with one scalar (BoolValue, UInt32Value, …): a scalar that may be absent."""
    first, nothing = tag(1, scalar.wire_type), scalar.encode(scalar.default)

    def encode(value: object) -> bytes:
        payload = scalar.encode(value)
        return b"" if payload == nothing else first + payload

    def decode(reader: Reader, spans: Sequence[Span], _depth: int) -> object:
        return last_of(reader.fields(spans), 1, scalar, reader)

    return EmbeddedCodec(encode, decode)


def _encode_duration(nanoseconds: int) -> bytes:
    # Both parts have the sign of the whole.
    seconds, part = divmod(abs(nanoseconds), SECOND)
    # Python's divmod rounds down, protobuf's Duration towards zero.
    sign = -1 if nanoseconds < 0 else 1
    return _seconds_and_nanos(sign * seconds, sign * part)


def _encode_timestamp(nanoseconds: int) -> bytes:
    return _seconds_and_nanos(*divmod(nanoseconds, SECOND))


def _seconds_and_nanos(seconds: int, nanos: int) -> bytes:
    encoded = b""
    if seconds:
        encoded += tag(1, VARINT) + varint(seconds & UINT64_MAX)
    if nanos:
        encoded += tag(2, VARINT) + varint(nanos & UINT64_MAX)
    return encoded


def _read_seconds_and_nanos(reader: Reader, spans: Sequence[Span]) -> tuple[int, int]:
    seconds = nanos = 0
    for number, wire_type, value, _, _ in reader.fields(spans):
        if wire_type != VARINT:
            continue
        # Unknown fields of a well-known type are dropped: a value has nowhere to keep them.
        if number == 1:
            seconds = signed(value, 64)
        elif number == 2:
            nanos = signed(value, 32)
    return seconds, nanos


def _decode_duration(reader: Reader, spans: Sequence[Span], _depth: int) -> int:
    seconds, nanos = _read_seconds_and_nanos(reader, spans)
    # Checked after the sum, because each part may be in range while the whole is not.
    nanoseconds = seconds * SECOND + nanos
    same_sign = seconds * nanos >= 0 and abs(nanos) < SECOND
    if not same_sign or not _DURATIONS[0] <= nanoseconds <= _DURATIONS[1]:
        raise _out_of_range("a Duration")
    return nanoseconds


def _decode_timestamp(reader: Reader, spans: Sequence[Span], _depth: int) -> int:
    seconds, nanos = _read_seconds_and_nanos(reader, spans)
    nanoseconds = seconds * SECOND + nanos
    if not 0 <= nanos < SECOND or not _TIMESTAMPS[0] <= nanoseconds <= _TIMESTAMPS[1]:
        raise _out_of_range("a Timestamp")
    return nanoseconds


# The fields of google.protobuf.Value, of which one is set.
_NULL, _NUMBER, _STRING, _BOOL, _STRUCT, _LIST = range(1, 7)
_VALUE_WIRE_TYPES: Final = {
    _NULL: VARINT,
    _NUMBER: FIXED64,
    _STRING: LENGTH,
    _BOOL: VARINT,
    _STRUCT: LENGTH,
    _LIST: LENGTH,
}


def _encode_struct(members: Mapping[str, object], depth: int = 1) -> bytes:
    refuse_deep(depth)
    parts = []
    # Go's deterministic mode sorts by key: equal Structs have equal bytes.
    for key in sorted(members):
        value = with_length(_encode_value(members[key], depth))
        parts += [tag(1, LENGTH), with_length(encoded_entry(key, value, LENGTH))]
    return b"".join(parts)


def _encode_list(items: Sequence[object], depth: int) -> bytes:
    refuse_deep(depth)
    parts = []
    for item in items:
        parts += [tag(1, LENGTH), with_length(_encode_value(item, depth))]
    return b"".join(parts)


def _encode_value(value: object, depth: int) -> bytes:
    match value:
        case None:
            return tag(_NULL, VARINT) + varint(0)
        case bool():
            return tag(_BOOL, VARINT) + varint(int(value))
        case int() | float():
            _refuse_endless(value)
            return tag(_NUMBER, FIXED64) + _DOUBLE.pack(value)
        case str():
            return tag(_STRING, LENGTH) + _encode_string(value)
        case Mapping():
            return tag(_STRUCT, LENGTH) + with_length(_encode_struct(value, depth + 1))
        case list():
            return tag(_LIST, LENGTH) + with_length(_encode_list(value, depth + 1))
        case _:
            raise TypeError(f"a Struct holds what JSON holds, and no {type(value).__name__}")


def _decode_struct(reader: Reader, spans: Sequence[Span], depth: int) -> dict[str, object]:
    refuse_deep(depth)
    members = {}
    for number, wire_type, value, _, end in reader.fields(spans):
        if number == 1 and wire_type == LENGTH:
            key, values = map_entry(reader, (value, end))
            members[key] = _decode_value(reader, spans_of(values), depth)
    return {key: members[key] for key in sorted(members)}


def _decode_list(reader: Reader, spans: Sequence[Span], depth: int) -> list[object]:
    refuse_deep(depth)
    return [
        _decode_value(reader, ((value, end),), depth)
        for number, wire_type, value, _, end in reader.fields(spans)
        if number == 1 and wire_type == LENGTH
    ]


def _decode_value(reader: Reader, spans: Sequence[Span], depth: int) -> object:
    """The value of the last field that is one; nothing at all is null."""
    chosen: list[Field] = []
    text = ""
    for field in reader.fields(spans):
        number, wire_type, value, _, end = field
        if _VALUE_WIRE_TYPES.get(number) != wire_type:
            continue
        # One and the same several times is merged, another one takes its place.
        if chosen and chosen[0][0] != number:
            chosen.clear()
        chosen.append(field)
        if number == _STRING:
            text = _decode_string(reader, value, end)
    if not chosen:
        return None
    number, _, value, _, _ = chosen[-1]
    if number == _STRUCT:
        return _decode_struct(reader, spans_of(chosen), depth + 1)
    if number == _LIST:
        return _decode_list(reader, spans_of(chosen), depth + 1)
    if number == _NUMBER:
        double: float = _DOUBLE.unpack_from(reader.data, value)[0]
        _refuse_endless(double)
        return scalars.write_double(double)
    if number == _STRING:
        return text
    # What is left is null_value, whose number does not matter.
    return value != 0 if number == _BOOL else None


def _refuse_endless(number: float) -> None:
    # JSON has no word for them.
    if not math.isfinite(number):
        raise BinaryError(BinaryFault.NOT_FINITE, "a number of a Struct is infinite or none at all")


DURATION: Final = EmbeddedCodec(_encode_duration, _decode_duration)
TIMESTAMP: Final = EmbeddedCodec(_encode_timestamp, _decode_timestamp)
STRUCT: Final = EmbeddedCodec(_encode_struct, _decode_struct)

EMBEDDED: Final[Mapping[scalars.Scalar, EmbeddedCodec]] = {
    scalars.DURATION: DURATION,
    scalars.TIMESTAMP: TIMESTAMP,
    scalars.STRUCT: STRUCT,
}
