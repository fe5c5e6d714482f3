"""Bytes that are no message, messages that have no bytes, and what reading costs at most."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.schema.message_binary import decode, encode
from kong_mesh_cp.core.schema.wire_format import (
    FIELDS_MAX,
    MESSAGE_BYTES_MAX,
    NESTING_DEPTH_MAX,
    BinaryError,
    BinaryFault,
)
from support.specs.every_field import Everything, Inner, messages, unhurried
from support.specs.wire_fields import eight, lengthy, numeric

TWICE = 2.0
NOISE = 1.8  # of a ratio that is 2 where time is linear, and 4 where it is quadratic


def read(data: bytes) -> Everything:
    return decode(Everything, data)


def refusal_of(data: bytes) -> BinaryError:
    with pytest.raises(BinaryError) as refused:
        read(data)
    return refused.value


def member(*value: bytes) -> bytes:
    """A Struct with one member."""
    return lengthy(24, lengthy(1, lengthy(1, b"a"), lengthy(2, *value)))


@pytest.mark.parametrize(
    ("data", "fault", "path"),
    [
        (lengthy(9, lengthy(2, b"\x0a\x05a")), BinaryFault.TRUNCATED, "inner.inner"),
        (b"\x0a\x05a", BinaryFault.TRUNCATED, ""),
        (lengthy(14, b"1234567"), BinaryFault.TRUNCATED, "ratios"),
        (lengthy(12, b"\x80"), BinaryFault.TRUNCATED, "counts"),
        (lengthy(1, b"\xff"), BinaryFault.NOT_UTF8, "text"),
        (lengthy(1, b"\xed\xa0\x80"), BinaryFault.NOT_UTF8, "text"),  # half of a surrogate pair
        (lengthy(11, b"a") + lengthy(11, b"\xff"), BinaryFault.NOT_UTF8, "names"),
        (lengthy(16, lengthy(1, b"\xff")), BinaryFault.NOT_UTF8, "tags"),
        (lengthy(20, lengthy(1, b"\xff"), lengthy(1, b"a")), BinaryFault.NOT_UTF8, "wrappedText"),
        (member(lengthy(3, b"\xff")), BinaryFault.NOT_UTF8, "conf"),
        (lengthy(26, lengthy(1, b"\xff")) + lengthy(25), BinaryFault.NOT_UTF8, "second.name"),
        (member(eight(2, struct.pack("<d", float("inf")))), BinaryFault.NOT_FINITE, "conf"),
        (member(eight(2, struct.pack("<d", float("nan")))), BinaryFault.NOT_FINITE, "conf"),
        (lengthy(22, numeric(2, 10**9)), BinaryFault.OUT_OF_RANGE, "pause"),
        (lengthy(22, numeric(1, 1), numeric(2, 2**64 - 1)), BinaryFault.OUT_OF_RANGE, "pause"),
        (lengthy(22, numeric(1, 2**62)), BinaryFault.OUT_OF_RANGE, "pause"),
        (lengthy(23, numeric(2, 10**9)), BinaryFault.OUT_OF_RANGE, "at"),
        (lengthy(23, numeric(2, 2**64 - 1)), BinaryFault.OUT_OF_RANGE, "at"),
        (lengthy(23, numeric(1, 253402300800)), BinaryFault.OUT_OF_RANGE, "at"),
    ],
)
def test_what_is_wrong_is_refused_with_its_path(data: bytes, fault: BinaryFault, path: str) -> None:
    error = refusal_of(data)
    assert (error.fault, error.path) == (fault, path)
    assert str(error).startswith(path)


def test_a_refusal_quotes_nothing_of_the_content() -> None:
    error = refusal_of(lengthy(9, lengthy(1, b"secret\xff")))
    while error is not None:
        assert "secret" not in repr(error) + repr(error.__context__)
        error = error.__cause__  # type: ignore[assignment]


def structs(depth: int) -> bytes:
    """A message whose Struct has so many containers, itself counted."""
    value = b""
    for _ in range(depth - 1):
        value = lengthy(5, lengthy(1, lengthy(1, b"a"), lengthy(2, value)))
    return lengthy(24, lengthy(1, lengthy(1, b"a"), lengthy(2, value)))


def inners(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = lengthy(2, data)
    return data


def test_containers_lie_inside_each_other_up_to_the_limit_of_json() -> None:
    read(structs(NESTING_DEPTH_MAX - 1))
    assert refusal_of(structs(NESTING_DEPTH_MAX)).fault == BinaryFault.TOO_DEEP
    decode(Inner, inners(NESTING_DEPTH_MAX - 1))
    with pytest.raises(BinaryError) as refused:
        decode(Inner, inners(NESTING_DEPTH_MAX))
    assert refused.value.fault == BinaryFault.TOO_DEEP


def test_a_struct_that_is_too_deep_is_not_written() -> None:
    conf: dict[str, object] = {}
    for _ in range(NESTING_DEPTH_MAX):
        conf = {"a": [conf]}
    with pytest.raises(BinaryError) as refused:
        encode(Everything(conf=conf))
    assert refused.value.fault == BinaryFault.TOO_DEEP


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (Everything(count=-1), BinaryFault.OUT_OF_RANGE),
        (Everything(count=2**32), BinaryFault.OUT_OF_RANGE),
        (Everything(delta=2**31), BinaryFault.OUT_OF_RANGE),
        (Everything(big_count=2**64), BinaryFault.OUT_OF_RANGE),
        (Everything(wrapped_float=1e39), BinaryFault.OUT_OF_RANGE),
        (Everything(text="\ud800"), BinaryFault.NOT_UTF8),
        (Everything(conf={"a": float("inf")}), BinaryFault.NOT_FINITE),
        (Everything(data=bytes(MESSAGE_BYTES_MAX)), BinaryFault.TOO_LARGE),
    ],
)
def test_what_has_no_binary_form_is_not_written(message: Everything, fault: BinaryFault) -> None:
    with pytest.raises(BinaryError) as refused:
        encode(message)
    assert refused.value.fault == fault


def test_items_of_packed_lists_and_members_of_structs_count_as_fields() -> None:
    assert len(read(lengthy(12, bytes(FIELDS_MAX - 1))).counts) == FIELDS_MAX - 1
    assert refusal_of(lengthy(12, bytes(FIELDS_MAX))).fault == BinaryFault.TOO_MANY_FIELDS
    nulls = member(lengthy(6, lengthy(1) * FIELDS_MAX))
    assert refusal_of(nulls).fault == BinaryFault.TOO_MANY_FIELDS


@given(st.binary(max_size=80))
def test_any_bytes_are_a_message_or_are_refused(data: bytes) -> None:
    try:
        found = read(data)
    except BinaryError:
        return
    again = encode(found)
    assert encode(read(again)) == again


@unhurried
@given(messages(), st.data())
def test_a_damaged_message_is_another_one_or_is_refused(
    message: Everything, data: st.DataObject
) -> None:
    damaged = bytearray(encode(message) or b"\x00")
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(damaged))
    except BinaryError:
        return
    again = encode(found)
    assert encode(read(again)) == again


def cpu_seconds(work: Callable[[], object]) -> float:
    """The least of several runs: what disturbs a run only adds to it."""
    times = []
    for _ in range(3):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize(
    "many",
    [
        lambda count: lengthy(10) * count,
        lambda count: lengthy(9, lengthy(1, b"a")) * count,
        lambda count: b"".join(lengthy(16, lengthy(1, b"%d" % each)) for each in range(count)),
        lambda count: (lengthy(25, b"a") + lengthy(26)) * count,
        lambda count: member(lengthy(5) * count),
        lambda count: numeric(99, 1) * count,
        lambda count: lengthy(12, bytes(count)),
    ],
    ids=["list", "merged", "map", "group", "value", "unknown", "packed"],
)
def test_twice_the_fields_take_twice_the_time(many: Callable[[int], bytes]) -> None:
    small, large = many(10_000), many(20_000)
    ratio = cpu_seconds(lambda: read(large)) / max(cpu_seconds(lambda: read(small)), 0.001)
    assert ratio < TWICE * NOISE
