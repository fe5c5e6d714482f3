"""What Go's decoder has against a text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.go.go_json import syntax_fault

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "unexpected end of JSON input"),
        ('{"a": [1', "unexpected end of JSON input"),
        ('{"a', "unexpected end of JSON input"),
        ("-", "invalid character ' ' in numeric literal"),
        ("nul", "invalid character ' ' in literal null (expecting 'l')"),
        ('"\\', "invalid character ' ' in string escape code"),
        ("1e", "invalid character ' ' in exponent of numeric literal"),
        ("x", "invalid character 'x' looking for beginning of value"),
        ("NaN", "invalid character 'N' looking for beginning of value"),
        ("'a'", r"invalid character '\'' looking for beginning of value"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ('{"a":}', "invalid character '}' looking for beginning of value"),
        ("{,}", "invalid character ',' looking for beginning of object key string"),
        ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        ("{a:1}", "invalid character 'a' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 "b":2}', "invalid character '\"' after object key:value pair"),
        ('{"a":[]]', "invalid character ']' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("[[]}", "invalid character '}' after array element"),
        ("{} {}", "invalid character '{' after top-level value"),
        ("01", "invalid character '1' after top-level value"),
        ('"a\nb"', r"invalid character '\n' in string literal"),
        ('"a\x07"', r"invalid character '\a' in string literal"),
        (r'"\x"', "invalid character 'x' in string escape code"),
        (r'"\u00g0"', "invalid character 'g' in \\u hexadecimal character escape"),
        ("-a", "invalid character 'a' in numeric literal"),
        ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ("1e+x", "invalid character 'x' in exponent of numeric literal"),
        ("nulL", "invalid character 'L' in literal null (expecting 'l')"),
        ("\ufeff{}", "invalid character 'ï' looking for beginning of value"),
    ],
)
def test_a_fault_is_reported_in_the_words_of_go(text: str, fault: str) -> None:
    assert syntax_fault(text.encode()) == fault


@given(VALUES, st.sampled_from([None, 1]))
def test_what_is_json_has_no_fault(value: object, indent: int | None) -> None:
    assert syntax_fault(json.dumps(value, indent=indent).encode()) is None
    assert syntax_fault(json.dumps(value, ensure_ascii=False).encode(errors="replace")) is None


@given(st.binary(max_size=30) | st.text('{}[]",:0-1e.\\\\ntu ').map(str.encode))
def test_a_text_without_fault_is_read_by_every_reader(text: bytes) -> None:
    if syntax_fault(text) is None:
        json.loads(text.decode(errors="replace"))
    else:
        with pytest.raises(ValueError, match=r"."):
            json.loads(text.decode(errors="replace"), parse_constant=_not_json)


def _not_json(constant: str) -> None:
    raise ValueError(constant)


def test_no_depth_is_too_much() -> None:
    assert syntax_fault(b"[" * 100_000) == "unexpected end of JSON input"
    assert syntax_fault(b"[" * 100_000 + b"]" * 100_000) is None
