"""Regular expressions of RE2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.resources.go_regex import regex_fault


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "^server[0-9]+",
        "(?i)abc",
        "a(?i)b",
        "(?i:a)b",
        "(?P<name>a)",
        "(?<name>a)",
        r"\pL\p{Greek}\P{^Greek}",
        r"\Qa(b\E",
        r"a\z",
        "[[:alpha:]]",
        "[[a]",
        r"\x{10FFFF}",
        r"\\1",
        "(?U)a+",
        "a{2,3}?",
        "a{1000}",
        "a{2,}",
    ],
)
def test_an_expression_of_re2_is_one(pattern: str) -> None:
    assert regex_fault(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("[", "missing closing ]: `[`"),
        ("(", "missing closing ): `(`"),
        (")", "unexpected ): `)`"),
        ("*", "missing argument to repetition operator: `*`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{1,9999}", "invalid repeat count: `{1,9999}`"),
        ("[b-a]", "invalid character class range: `[b-a]`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=a`"),
        ("(?!a)", "invalid or unsupported Perl syntax: `(?!a`"),
        ("(?<=a)b", "invalid or unsupported Perl syntax: `(?<=`"),
        (r"(a)\1", r"invalid escape sequence: `\1`"),
        ("a\\", "trailing backslash at end of expression: `a\\`"),
    ],
)
def test_what_is_none_is_told(pattern: str, fault: str) -> None:
    found = regex_fault(pattern)
    assert found is not None
    assert found.startswith(f"error parsing regexp: {fault}"[:-1])


def test_an_expression_cannot_exhaust_the_reader() -> None:
    assert "nests too deeply" in (regex_fault("(" * 5000 + ")" * 5000) or "")


@given(st.text(alphabet="ab()[]{}*+?|^$.\\-:<>=!PQEpz1,0i"))
def test_any_text_is_judged(pattern: str) -> None:
    fault = regex_fault(pattern)
    assert fault is None or fault.startswith("error parsing regexp: ")
