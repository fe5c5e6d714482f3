"""The wire format of protocol buffers: bytes as numbered fields, without their meaning.

A field is a tag (its number and its wire type) and a value: a varint, 4 or 8 bytes, a length with
so many bytes, or the fields of a group up to the end of the group. Source:
https://protobuf.dev/programming-guides/encoding/. Groups are of the first version of the language;
no message here has one, and what a peer sends of them is carried as unknown.

What is refused is what the runtime of Go refuses, and what is larger than any message has to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

from kong_mesh_cp.core.formats.strict_json import DEPTH_MAX

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
GROUP_START: Final = 3
GROUP_END: Final = 4
FIXED32: Final = 5

MESSAGE_BYTES_MAX: Final = 10 * 1024 * 1024  # of one resource; gRPC peers take no more by default
FIELDS_MAX: Final = 500_000  # of one message with all inside: 2 bytes can become 200 of memory
NESTING_DEPTH_MAX: Final = (
    DEPTH_MAX  # containers as JSON has them, so that both forms hold the same
)
NUMBER_MAX: Final = 2**29 - 1
VARINT_BYTES_MAX: Final = 10
UINT64_MAX: Final = 2**64 - 1

Span = tuple[int, int]  # where bytes begin, and where they end
# Number, wire type, value, begin, end: `value` is that of a varint, else where the value's bytes
# begin; they end with the field.
Field = tuple[int, int, int, int, int]


class BinaryFault(StrEnum):
    """Why bytes are no message, or a message has no bytes."""

    TRUNCATED = "truncated"
    VARINT_TOO_LONG = "varint-too-long"
    FIELD_NUMBER = "field-number"
    WIRE_TYPE = "wire-type"
    GROUP = "group"
    NOT_UTF8 = "not-utf8"
    NOT_FINITE = "not-finite"
    OUT_OF_RANGE = "out-of-range"
    TOO_DEEP = "too-deep"
    TOO_LARGE = "too-large"
    TOO_MANY_FIELDS = "too-many-fields"


class BinaryError(ValueError):
    """Bytes that cannot be read as a message, or a message that has no binary form.

    `path` is that of the field (`networking.inbound.tags`), "" for the message itself. The
    text quotes no content: it may be of a secret.
    """

    def __init__(self, fault: BinaryFault, reason: str, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.fault = fault
        self.reason = reason
        self.path = path

    # The path grows from the inside out, as the exception passes each message.
    def within(self, field: str) -> BinaryError:
        """The same, seen from the message whose field `field` it is in."""
        path = f"{field}.{self.path}" if self.path else field
        return BinaryError(self.fault, self.reason, path)


class Reader:
    """The bytes of one message and of all messages inside, and how many fields they may yet have.

    Nothing is copied: a message inside is a list of spans, more than one where a field that is no
    list came several times. To read them one after the other is what merging means.
    """

    __slots__ = ("_fields_left", "data")

    def __init__(self, data: bytes) -> None:
        """Raises: BinaryError (too-large)."""
        refuse_large(data)
        self.data = data
        self._fields_left = FIELDS_MAX

    def fields(self, spans: Sequence[Span]) -> Iterator[Field]:
        """The fields in `spans`, in their order. Raises: BinaryError at the first wrong one."""
        for start, end in spans:
            at = start
            while at < end:
                begin = at
                number, wire_type, at = self._tag(at, end)
                value, at = self._value(number, wire_type, at, end)
                yield number, wire_type, value, begin, at

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """The number at `at`, 0 to UINT64_MAX, and where it ends. Raises: BinaryError."""
        data = self.data
        if at < end and data[at] < 0x80:  # most are of one byte
            return data[at], at + 1
        value = shift = 0
        last = min(end, at + VARINT_BYTES_MAX)
        while at < last:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value > UINT64_MAX:
                    break
                return value, at
            shift += 7
        if shift < 7 * (VARINT_BYTES_MAX - 1):
            raise _truncated()
        raise BinaryError(BinaryFault.VARINT_TOO_LONG, "a number has more than 64 bits")

    def varints(self, at: int, end: int) -> Iterator[int]:
        """The numbers from `at` to `end`: a packed list. Raises: BinaryError."""
        while at < end:
            self.count()
            value, at = self.varint(at, end)
            yield value

    def chunks(self, at: int, end: int, size: int) -> Iterator[Span]:
        """The values of `size` bytes each from `at` to `end`. Raises: BinaryError."""
        if (end - at) % size:
            raise _truncated()
        for begin in range(at, end, size):
            self.count()
            yield begin, begin + size

    def count(self) -> None:
        """Takes note of a field or an item. Raises: BinaryError (too-many-fields)."""
        self._fields_left -= 1
        if self._fields_left < 0:
            reason = f"there are more than {FIELDS_MAX} fields"
            raise BinaryError(BinaryFault.TOO_MANY_FIELDS, reason)

    def _tag(self, at: int, end: int) -> tuple[int, int, int]:
        self.count()
        tag, at = self.varint(at, end)
        number = tag >> 3
        if not 0 < number <= NUMBER_MAX:
            reason = f"a field has the number {number}, but 1 to {NUMBER_MAX} exist"
            raise BinaryError(BinaryFault.FIELD_NUMBER, reason)
        return number, tag & 7, at

    def _value(self, number: int, wire_type: int, at: int, end: int) -> tuple[int, int]:
        if wire_type == VARINT:
            return self.varint(at, end)
        if wire_type == LENGTH:
            size, at = self.varint(at, end)
            after = at + size
        elif wire_type == FIXED64:
            after = at + 8
        elif wire_type == FIXED32:
            after = at + 4
        elif wire_type == GROUP_START:
            after = self._after_group(number, at, end)
        elif wire_type == GROUP_END:
            raise BinaryError(BinaryFault.GROUP, "a group ends that did not begin")
        else:
            raise BinaryError(BinaryFault.WIRE_TYPE, f"there is no wire type {wire_type}")
        if after > end:
            raise _truncated()
        return at, after

    def _after_group(self, number: int, at: int, end: int) -> int:
        """Where the group `number`, whose fields begin at `at`, has ended."""
        # The groups inside lie on a list, so that depth costs no stack.
        groups = [number]
        while groups:
            inner, wire_type, at = self._tag(at, end)
            if wire_type == GROUP_START:
                groups.append(inner)
                refuse_deep(len(groups))
            elif wire_type != GROUP_END:
                _, at = self._value(inner, wire_type, at, end)
            elif groups.pop() != inner:
                raise BinaryError(BinaryFault.GROUP, "a group ends with the number of another")
        return at


def refuse_deep(depth: int) -> None:
    """Raises: BinaryError (too-deep) where `depth` containers lie inside each other."""
    if depth > NESTING_DEPTH_MAX:
        reason = f"more than {NESTING_DEPTH_MAX} messages, lists and maps lie inside each other"
        raise BinaryError(BinaryFault.TOO_DEEP, reason)


def refuse_large(data: bytes) -> None:
    """Raises: BinaryError (too-large)."""
    if len(data) > MESSAGE_BYTES_MAX:
        reason = f"it has {len(data)} bytes, and {MESSAGE_BYTES_MAX} are allowed"
        raise BinaryError(BinaryFault.TOO_LARGE, reason)


def _truncated() -> BinaryError:
    return BinaryError(BinaryFault.TRUNCATED, "the bytes end inside a field")


def varint(value: int) -> bytes:
    """`value` as a varint of as few bytes as possible. Raises: BinaryError (out-of-range)."""
    if 0 <= value < 0x80:
        return bytes((value,))
    if not 0 <= value <= UINT64_MAX:
        raise BinaryError(BinaryFault.OUT_OF_RANGE, "a number does not fit into 64 bits")
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def tag(number: int, wire_type: int) -> bytes:
    """What a field begins with."""
    return varint(number << 3 | wire_type)


def with_length(payload: bytes) -> bytes:
    """The value of a field of the wire type LENGTH."""
    return varint(len(payload)) + payload
