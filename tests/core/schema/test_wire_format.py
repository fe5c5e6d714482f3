"""The wire format without any schema: which bytes are fields, and which are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.schema.wire_format import (
    FIELDS_MAX,
    MESSAGE_BYTES_MAX,
    NESTING_DEPTH_MAX,
    NUMBER_MAX,
    BinaryError,
    BinaryFault,
    Field,
    Reader,
    tag,
    varint,
)
from support.specs.wire_fields import eight, four, group, lengthy, numeric


def fields(data: bytes) -> list[Field]:
    return list(Reader(data).fields([(0, len(data))]))


def fault_of(data: bytes) -> BinaryFault:
    with pytest.raises(BinaryError) as refused:
        fields(data)
    return refused.value.fault


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8001"),
        (150, "9601"),  # the example of the documentation
        (300, "ac02"),
        (2**32 - 1, "ffffffff0f"),
        (2**64 - 1, "ffffffffffffffffff01"),
    ],
)
def test_a_varint_has_seven_bits_a_byte_the_lowest_first(number: int, encoded: str) -> None:
    assert varint(number).hex() == encoded
    data = bytes.fromhex(encoded)
    assert Reader(data).varint(0, len(data)) == (number, len(data))


@given(st.integers(0, 2**64 - 1))
def test_every_number_of_64_bits_comes_back(number: int) -> None:
    data = varint(number)
    assert Reader(data).varint(0, len(data)) == (number, len(data))


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_number_beyond_64_bits_is_not_written(number: int) -> None:
    with pytest.raises(BinaryError) as refused:
        varint(number)
    assert refused.value.fault == BinaryFault.OUT_OF_RANGE


def test_a_varint_may_be_longer_than_it_has_to_be() -> None:
    assert fields(bytes.fromhex("08 96 81 80 00")) == [(1, 0, 150, 0, 5)]


@pytest.mark.parametrize("encoded", ["08 ffffffffffffffffff02", "08 8080808080808080808000"])
def test_a_varint_of_more_than_64_bits_is_refused(encoded: str) -> None:
    assert fault_of(bytes.fromhex(encoded)) == BinaryFault.VARINT_TOO_LONG


def test_each_wire_type_says_where_its_value_is() -> None:
    data = (
        numeric(1, 150)
        + eight(2, b"12345678")
        + lengthy(3, b"abc")
        + group(4, numeric(1, 1))
        + four(5, b"1234")
    )
    assert fields(data) == [
        (1, 0, 150, 0, 3),
        (2, 1, 4, 3, 12),
        (3, 2, 14, 12, 17),
        (4, 3, 18, 17, 21),
        (5, 5, 22, 21, 26),
    ]


def test_several_spans_are_read_one_after_the_other() -> None:
    data = numeric(1, 1) + b"\xff" + numeric(2, 2)
    assert [field[0] for field in Reader(data).fields([(0, 2), (3, 5)])] == [1, 2]


@pytest.mark.parametrize(
    "whole",
    [
        numeric(1, 300),
        eight(1, b"12345678"),
        lengthy(1, b"abc"),
        group(1, numeric(2, 1)),
        four(1, b"1234"),
    ],
    ids=["varint", "eight", "length", "group", "four"],
)
def test_a_field_that_ends_too_early_is_refused(whole: bytes) -> None:
    assert len(fields(whole)) == 1
    for size in range(1, len(whole)):
        assert fault_of(whole[:size]) == BinaryFault.TRUNCATED, size


def test_a_length_past_the_end_is_refused_however_large_it_is() -> None:
    assert fault_of(tag(1, 2) + varint(2**64 - 1) + b"a") == BinaryFault.TRUNCATED


@pytest.mark.parametrize("number", [0, NUMBER_MAX + 1])
def test_a_field_number_that_cannot_be_is_refused(number: int) -> None:
    assert fault_of(tag(number, 0) + b"\x00") == BinaryFault.FIELD_NUMBER


def test_the_largest_field_number_is_read() -> None:
    assert fields(tag(NUMBER_MAX, 0) + b"\x00")[0][0] == NUMBER_MAX


@pytest.mark.parametrize("wire_type", [6, 7])
def test_a_wire_type_that_does_not_exist_is_refused(wire_type: int) -> None:
    assert fault_of(tag(1, wire_type) + b"\x00") == BinaryFault.WIRE_TYPE


def test_a_group_ends_with_its_own_number_and_not_before_it_began() -> None:
    assert fault_of(tag(1, 4)) == BinaryFault.GROUP
    assert fault_of(tag(1, 3) + tag(2, 4)) == BinaryFault.GROUP
    assert fault_of(tag(1, 3) + group(2) + tag(2, 4)) == BinaryFault.GROUP


def test_groups_lie_inside_each_other_up_to_a_limit() -> None:
    def nested(depth: int) -> bytes:
        return tag(1, 3) * depth + tag(1, 4) * depth

    assert len(fields(nested(NESTING_DEPTH_MAX))) == 1
    assert fault_of(nested(NESTING_DEPTH_MAX + 1)) == BinaryFault.TOO_DEEP


def test_a_message_has_an_upper_limit_of_bytes() -> None:
    Reader(bytes(MESSAGE_BYTES_MAX))
    with pytest.raises(BinaryError) as refused:
        Reader(bytes(MESSAGE_BYTES_MAX + 1))
    assert refused.value.fault == BinaryFault.TOO_LARGE


def test_a_message_has_an_upper_limit_of_fields() -> None:
    assert len(fields(numeric(1, 0) * FIELDS_MAX)) == FIELDS_MAX
    assert fault_of(numeric(1, 0) * (FIELDS_MAX + 1)) == BinaryFault.TOO_MANY_FIELDS
    inside = group(1, numeric(1, 0) * FIELDS_MAX)
    assert fault_of(inside) == BinaryFault.TOO_MANY_FIELDS


@given(st.binary(max_size=60))
def test_any_bytes_are_fields_without_a_gap_or_are_refused(data: bytes) -> None:
    try:
        found = fields(data)
    except BinaryError:
        return
    ends = [0, *(end for *_, end in found)]
    assert [begin for *_, begin, _ in found] == ends[:-1]
    assert ends[-1] == len(data)
