from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.strict_json import (
    DEPTH_MAX,
    INTEGER_DIGITS_MAX,
    JsonFault,
    StrictJsonError,
    parse,
)

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)


def fault_of(document: bytes) -> JsonFault:
    with pytest.raises(StrictJsonError) as caught:
        parse(document)
    return caught.value.fault


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it would drag along into a log."""
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is not None:
            yield one
            pending += [one.__cause__, one.__context__]


@given(JSON_VALUES)
def test_what_the_standard_library_writes_is_read_back(value: object) -> None:
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value
    assert parse(json.dumps(value).encode()) == value


@given(st.binary(max_size=64) | st.text(alphabet='[]{}",:\\u0d8ef1-. \n').map(str.encode))
def test_any_bytes_give_a_value_or_a_reason(document: bytes) -> None:
    with contextlib.suppress(StrictJsonError):
        parse(document)


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (b"", JsonFault.EMPTY),
        (b" \r\n", JsonFault.EMPTY),
        (b"\xef\xbb\xbf{}", JsonFault.BYTE_ORDER_MARK),
        ("{}".encode("utf-16"), JsonFault.WIDE_ENCODING),
        ("{}".encode("utf-16-le"), JsonFault.WIDE_ENCODING),
        ("{}".encode("utf-16-be"), JsonFault.WIDE_ENCODING),
        ("{}".encode("utf-32"), JsonFault.WIDE_ENCODING),
        ("{}".encode("utf-32-be"), JsonFault.WIDE_ENCODING),
        (b'{"a": "\0"}', JsonFault.NUL),
        (b'{"a": "\xff"}', JsonFault.NOT_UTF8),
        (b'"\xed\xa0\x80"', JsonFault.NOT_UTF8),  # a surrogate, encoded as if it were UTF-8
        (b'"\xc0\xaf"', JsonFault.NOT_UTF8),  # an overlong form
        (b"{", JsonFault.SYNTAX),
        (b"{} {}", JsonFault.SYNTAX),
        (b"{'a': 1}", JsonFault.SYNTAX),
        (b'{"a": 1,}', JsonFault.SYNTAX),
        (b'"a\nb"', JsonFault.SYNTAX),
        (b'{"a": 1, "a": 1}', JsonFault.DUPLICATE_KEY),
        (b'{"a": {"b": 1, "\\u0062": 2}}', JsonFault.DUPLICATE_KEY),
        (b"[NaN]", JsonFault.NOT_A_NUMBER),
        (b"Infinity", JsonFault.NOT_A_NUMBER),
        (b'{"a": -Infinity}', JsonFault.NOT_A_NUMBER),
        (b"1e999", JsonFault.NUMBER_TOO_LARGE),
        (b"9" * (INTEGER_DIGITS_MAX + 1), JsonFault.NUMBER_TOO_LARGE),
        (b"-" + b"9" * 100_000, JsonFault.NUMBER_TOO_LARGE),
        (b'"\\ud800"', JsonFault.LONE_SURROGATE),
        (b'{"\\udc00": 1}', JsonFault.LONE_SURROGATE),
        (b'[[{"a": ["\\uD83D"]}]]', JsonFault.LONE_SURROGATE),
    ],
)
def test_each_departure_from_strict_json_has_its_own_reason(
    document: bytes, fault: JsonFault
) -> None:
    assert fault_of(document) is fault


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b"[{}, ["])
def test_a_nesting_bomb_is_refused_without_recursion(opening: bytes) -> None:
    assert fault_of(opening * 100_000) is JsonFault.TOO_DEEP


def test_nesting_is_allowed_up_to_its_limit() -> None:
    assert parse(b"[" * DEPTH_MAX + b"]" * DEPTH_MAX)
    assert fault_of(b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1)) is JsonFault.TOO_DEEP


def test_brackets_side_by_side_or_in_strings_are_no_depth() -> None:
    assert parse(b"[" + b",".join([b"[]"] * 1000) + b"]") == [[]] * 1000
    text = '[[["' * 100 + "\\"
    assert parse(json.dumps([text]).encode()) == [text]


@pytest.mark.parametrize("text", ["\U0001f600", "é", "\ufffd"])
def test_a_pair_of_surrogate_escapes_is_one_character(text: str) -> None:
    assert parse(json.dumps(text).encode()) == text


def test_the_largest_honest_numbers_are_taken() -> None:
    assert parse(b"[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]
    assert parse(b"1.7976931348623157e308") == pytest.approx(1.7976931348623157e308)
    tiny = parse(b"-0.0")
    assert isinstance(tiny, float)
    assert math.copysign(1, tiny) == -1


@pytest.mark.parametrize(
    "document",
    [
        b'{"secret-canary": "secret-canary",}',
        b'{"secret-canary": 1, "secret-canary": 2}',
        b'"secret-canary \xff"',
        b'"secret-canary \\ud800"',
        b"secret-canary",
        b'["secret-canary", NaN]',
        b'\xef\xbb\xbf"secret-canary"',
    ],
)
def test_no_error_nor_what_hangs_on_it_holds_the_document(document: bytes) -> None:
    with pytest.raises(StrictJsonError) as caught:
        parse(document)

    for error in chain(caught.value):
        assert "secret-canary" not in f"{error} {error!r} {error.args} {vars(error)}"
        assert not isinstance(error, ValueError)  # JSONDecodeError.doc, UnicodeDecodeError.object


def test_an_error_says_where() -> None:
    with pytest.raises(StrictJsonError, match="line 2, column 8"):
        parse(b'{\n  "a": x\n}')
