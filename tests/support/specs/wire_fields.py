"""Fields in the wire format, put together by hand: what a test says of bytes, not what we write."""

from __future__ import annotations


def varint(number: int) -> bytes:
    digits = []
    while number > 0x7F:
        digits.append(number % 0x80 + 0x80)
        number //= 0x80
    return bytes([*digits, number])


def numeric(number: int, value: int) -> bytes:
    """A field of the wire type 0."""
    return varint(number * 8) + varint(value)


def lengthy(number: int, *payload: bytes) -> bytes:
    """A field of the wire type 2: a text, bytes, a message or a packed list."""
    whole = b"".join(payload)
    return varint(number * 8 + 2) + varint(len(whole)) + whole


def eight(number: int, payload: bytes) -> bytes:
    """A field of the wire type 1."""
    assert len(payload) == 8
    return varint(number * 8 + 1) + payload


def four(number: int, payload: bytes) -> bytes:
    """A field of the wire type 5."""
    assert len(payload) == 4
    return varint(number * 8 + 5) + payload


def group(number: int, *fields: bytes) -> bytes:
    return varint(number * 8 + 3) + b"".join(fields) + varint(number * 8 + 4)
