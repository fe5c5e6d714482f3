"""Messages in the wire format: how each sort of field is written, what is read, what is refused."""

from __future__ import annotations

import struct
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.schema.message_binary import decode, encode
from kong_mesh_cp.core.schema.messages import Message, Uint32, proto, read_message, write_message
from support.specs.every_field import Color, Everything, Inner, messages, unhurried
from support.specs.wire_fields import eight, four, group, lengthy, numeric

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)


def read(data: bytes) -> Everything:
    return decode(Everything, data)


# By hand, after https://protobuf.dev/programming-guides/encoding/.
VECTORS: list[tuple[str, Everything, str]] = [
    ("empty", Everything(), ""),
    ("text", Everything(text="testing"), "0a 07 74657374696e67"),
    ("a text that is not ASCII", Everything(text="é"), "0a 02 c3a9"),
    ("flag", Everything(flag=True), "10 01"),
    ("double", Everything(ratio=1.5), "19 000000000000f83f"),
    ("minus zero is not the default", Everything(ratio=-0.0), "19 0000000000000080"),
    ("uint32", Everything(count=150), "20 9601"),
    ("uint64", Everything(big_count=2**64 - 1), "28 ffffffffffffffffff01"),
    ("a negative int32 has ten bytes", Everything(delta=-2), "30 feffffffffffffffff01"),
    ("enum", Everything(color=Color.GREEN), "38 01"),
    ("a value without a name", Everything(color=Color(99)), "38 63"),
    ("bytes", Everything(data=b"\x00\xff"), "42 02 00ff"),
    ("message", Everything(inner=Inner(name="a")), "4a 03 0a0161"),
    ("an empty message is there", Everything(inner=Inner()), "4a 00"),
    ("list of messages", Everything(items=(Inner(name="a"), Inner())), "52 03 0a0161 52 00"),
    ("list of texts", Everything(names=("a", "")), "5a 01 61 5a 00"),
    ("numbers are packed", Everything(counts=(3, 270, 86942)), "62 06 03 8e02 9ea705"),
    ("enums are packed", Everything(colors=(Color.GREEN, Color.RED)), "6a 02 01 00"),
    ("doubles are packed", Everything(ratios=(1.5,)), "72 08 000000000000f83f"),
    ("list of wrappers", Everything(statuses=(200, 0)), "7a 03 08c801 7a 00"),
    (
        "a map is sorted, and its entries are whole",
        Everything(tags={"b": "", "a": "1"}),
        "8201 06 0a0161 120131 8201 05 0a0162 1200",
    ),
    ("map of messages", Everything(inners={"": Inner()}), "8a01 04 0a00 1200"),
    ("map of numbers", Everything(totals={"a": 7}), "9201 05 0a0161 1007"),
    ("a wrapper of the default is there", Everything(wrapped_flag=False), "9a01 00"),
    ("wrapper", Everything(wrapped_flag=True), "9a01 02 0801"),
    ("wrapped text", Everything(wrapped_text="a"), "a201 03 0a0161"),
    ("wrapped float", Everything(wrapped_float=1.5), "aa01 05 0d0000c03f"),
    ("duration", Everything(pause=1_500_000_000), "b201 08 0801 1080cab5ee01"),
    (
        "both parts of a negative duration are negative",
        Everything(pause=-1_500_000_000),
        "b201 16 08ffffffffffffffffff01 1080b6ca91feffffffff01",
    ),
    ("timestamp", Everything(at=1_000_000_001), "ba01 04 0801 1001"),
    (
        "the nanoseconds of a timestamp are never negative",
        Everything(at=-1),
        "ba01 11 08ffffffffffffffffff01 10ff93ebdc03",
    ),
    (
        "struct",
        Everything(conf={"a": None, "b": True, "c": "x", "d": 1.5}),
        """c201 2c 0a07 0a0161 1202 0800 0a07 0a0162 1202 2001
        0a08 0a0163 1203 1a0178 0a0e 0a0164 1209 11000000000000f83f""",
    ),
    (
        "containers in a struct",
        Everything(conf={"l": [None], "s": {}}),
        "c201 16 0a0b 0a016c 1206 3204 0a02 0800 0a07 0a0173 1202 2a00",
    ),
    ("an empty struct is there", Everything(conf={}), "c201 00"),
    ("the choice of a default is there", Everything(first=""), "ca01 00"),
    ("a wrapper among others", Everything(third=b"a"), "da01 03 0a0161"),
]


@pytest.mark.parametrize(
    ("message", "encoded"), [pytest.param(*rest, id=name) for name, *rest in VECTORS]
)
def test_a_field_has_exactly_these_bytes(message: Everything, encoded: str) -> None:
    assert encode(message) == bytes.fromhex(encoded)
    assert read(bytes.fromhex(encoded)) == message


def test_fields_are_written_by_their_numbers_whatever_the_declaration_says() -> None:
    assert encode(Everything(count=1, text="a")) == lengthy(1, b"a") + numeric(4, 1)


@unhurried
@given(messages())
def test_a_message_comes_back_as_it_was(message: Everything) -> None:
    assert read(encode(message)) == message


@unhurried
@given(messages())
def test_both_forms_of_a_message_hold_the_same(message: Everything) -> None:
    document = write_message(message)
    assert write_message(read(encode(read_message(Everything, document)))) == document


@unhurried
@given(messages(), messages())
def test_messages_with_the_same_bytes_are_equal(one: Everything, other: Everything) -> None:
    assert encode(one) != encode(other) or one == other


@given(st.dictionaries(TEXTS, TEXTS), st.randoms(use_true_random=False))
def test_the_order_in_which_a_map_was_filled_does_not_show(
    tags: dict[str, str], random: Random
) -> None:
    keys = list(tags)
    random.shuffle(keys)
    shuffled = Everything(tags={key: tags[key] for key in keys}, conf={key: {} for key in keys})
    assert encode(shuffled) == encode(Everything(tags=tags, conf={key: {} for key in tags}))


@unhurried
@given(messages(), st.randoms(use_true_random=False))
def test_the_order_of_fields_means_nothing(message: Everything, random: Random) -> None:
    parts = [encode(part) for part in parts_of(message)]
    random.shuffle(parts)
    assert read(b"".join(parts)) == message


def parts_of(message: Everything) -> list[Everything]:
    """One message for each field that is set."""
    empty = Everything()
    names = list(Everything.__dataclass_fields__)
    return [
        replace(empty, **{name: getattr(message, name)})
        for name in names
        if getattr(message, name) != getattr(empty, name)
    ]


@unhurried
@given(messages(), st.integers(28, 2**29 - 1), st.binary(max_size=5))
def test_unknown_fields_go_out_as_they_came(message: Everything, number: int, data: bytes) -> None:
    unknown = lengthy(number, data) + numeric(number, 7) + group(number, numeric(1, 1))
    found = read(unknown + encode(message))
    assert found.unknown_fields == unknown
    assert encode(found) == encode(message) + unknown
    assert write_message(found) == write_message(message)
    assert (found == message) is False


def test_unknown_fields_are_kept_at_every_depth_and_through_changes() -> None:
    unknown = numeric(99, 1)
    found = read(lengthy(9, lengthy(1, b"a"), unknown) + lengthy(10, unknown))
    assert found.inner == Inner(name="a", unknown_fields=unknown)
    changed = replace(found, text="b")
    assert encode(changed) == (
        lengthy(1, b"b") + lengthy(9, lengthy(1, b"a"), unknown) + lengthy(10, unknown)
    )


def test_unknown_fields_are_not_printed() -> None:
    assert "secret" not in repr(read(lengthy(99, b"secret")))


@pytest.mark.parametrize("number", [1, 3, 4, 9, 10, 16, 19, 22, 24, 25])
def test_a_field_of_another_wire_type_than_its_own_is_unknown(number: int) -> None:
    data = four(number, b"1234")
    assert read(data) == Everything(unknown_fields=data)


def test_of_a_value_that_comes_several_times_the_last_counts() -> None:
    data = lengthy(1, b"a") + numeric(4, 1) + numeric(4, 2) + lengthy(1, b"b")
    assert read(data) == Everything(text="b", count=2)
    wrappers = lengthy(19, numeric(1, 1)) + lengthy(19, numeric(1, 0), numeric(1, 1))
    assert read(wrappers).wrapped_flag is True


def test_messages_that_come_several_times_become_one() -> None:
    data = lengthy(9, lengthy(1, b"a"), lengthy(3, b"x")) + lengthy(9, lengthy(3, b"y"))
    assert read(data).inner == Inner(name="a", names=("x", "y"))
    deeper = lengthy(9, lengthy(2, lengthy(1, b"a"))) + lengthy(9, lengthy(2, lengthy(3, b"x")))
    assert read(deeper).inner == Inner(inner=Inner(name="a", names=("x",)))
    durations = lengthy(22, numeric(1, 1)) + lengthy(22, numeric(2, 5))
    assert read(durations).pause == 1_000_000_005


def test_an_entry_that_comes_again_replaces_the_one_before() -> None:
    def entry(*fields: bytes) -> bytes:
        return lengthy(17, lengthy(1, b"k"), *fields)

    data = entry(lengthy(2, lengthy(1, b"a"))) + entry(lengthy(2, lengthy(3, b"x")))
    assert read(data).inners == {"k": Inner(names=("x",))}


def test_an_entry_may_lack_its_key_and_its_value() -> None:
    assert read(lengthy(16)).tags == {"": ""}
    assert read(lengthy(17, lengthy(1, b"k"))).inners == {"k": Inner()}
    assert read(lengthy(18, numeric(2, 5))).totals == {"": 5}


def test_a_list_of_numbers_may_be_packed_or_not_or_both() -> None:
    data = numeric(12, 1) + lengthy(12, b"\x02\x03") + numeric(12, 4) + lengthy(12)
    assert read(data).counts == (1, 2, 3, 4)
    double = struct.pack("<d", 1.5)
    assert read(eight(14, double) + lengthy(14, double, double)).ratios == (1.5, 1.5, 1.5)


def test_of_a_group_the_last_field_is_set() -> None:
    assert read(lengthy(25, b"a") + lengthy(26)) == Everything(second=Inner())
    assert read(lengthy(26) + lengthy(27, lengthy(1, b"b"))) == Everything(third=b"b")
    again = lengthy(26, lengthy(1, b"a")) + lengthy(25, b"b") + lengthy(26, lengthy(3, b"x"))
    assert read(again) == Everything(second=Inner(names=("x",)))


def test_numbers_lose_the_bits_that_their_type_has_not() -> None:
    assert read(numeric(4, 2**32 + 7)).count == 7
    assert read(numeric(6, 2**32 - 1)).delta == -1
    assert read(numeric(7, 2**32 + 1)).color is Color.GREEN
    assert read(numeric(2, 2)).flag is True


def test_a_struct_has_the_numbers_of_json_and_sorted_keys() -> None:
    whole = lengthy(2, eight(2, struct.pack("<d", 3.0)))
    data = lengthy(24, lengthy(1, lengthy(1, b"b"), whole), lengthy(1, lengthy(1, b"a")))
    found = read(data).conf
    assert found == {"a": None, "b": 3}
    assert list(found or {}) == ["a", "b"]
    assert isinstance((found or {})["b"], int)


def test_a_value_of_a_struct_is_the_last_of_its_fields() -> None:
    value = lengthy(2, lengthy(3, b"x"), lengthy(5, lengthy(1, lengthy(1, b"k"))), numeric(99, 1))
    assert read(lengthy(24, lengthy(1, lengthy(1, b"a"), value))).conf == {"a": {"k": None}}


def test_a_float_is_the_shortest_decimal_of_its_bits() -> None:
    bits = struct.pack("<f", 62.9)
    assert read(lengthy(21, four(1, bits))).wrapped_float == 62.9
    assert encode(Everything(wrapped_float=62.9)) == lengthy(21, four(1, bits))


def test_a_message_without_numbers_has_no_binary_form() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Unnumbered(Message):
        count: Uint32 = 0

    with pytest.raises(TypeError, match="count of Unnumbered has no number"):
        encode(Unnumbered(count=1))


def test_no_two_fields_have_one_number() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Doubled(Message):
        one: Uint32 = proto(0, number=1)
        two: Uint32 = proto(0, number=1)

    with pytest.raises(TypeError, match="Doubled have the same number"):
        decode(Doubled, b"")
