"""Regular expressions of RE2."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.go.go_regex import PATTERN_BYTES_MAX, regex_fault
from support.suites.growth import GROWTH_MAX, growth


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
        # What follows was held against Go 1.26.
        "^*",
        "$+",
        "a(?i)*",
        r"a\Q\E*",
        r"\Qab\E*",
        r"\Qa",
        r"\Q\E",
        "()*",
        "(|a)*",
        "a||b",
        "|",
        "{",
        "a{,2}*",
        "a{01}*",
        "x{2}y{3}",
        "a{0}",
        "(?:a{2}){500}",
        "((a{1000}){0}){1000}",
        "(a{0,}){1000}",
        "a{1000}b{1000}|c{1000}",
        "[]a]",
        "[^]a]",
        "[a-]",
        "[-a]",
        r"[\d-z]",
        r"[\pL\]]",
        "[[:^word:][:digit:]]",
        "[[:alpha]",
        "[[:]",
        r"[\x41-\x{5A}]",
        r"\012\0\12\t\_\-",
        r"\p{greek}\pN\p{Any}\p{Old_North_Arabian}\p{Uppercase_Letter}",
        "(?-i)a",
        "(?i-s:a)",
        "(?)",
        "(?P<n>a)(?P<n>b)",
        "(?P<1>a)",
        "é*",
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
        # What follows was held against Go 1.26.
        ("a**", "invalid nested repetition operator: `**`"),
        ("a*?*", "invalid nested repetition operator: `*?*`"),
        ("x{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("a|*", "missing argument to repetition operator: `*`"),
        ("(?i)+", "missing argument to repetition operator: `+`"),
        ("({2})", "missing argument to repetition operator: `{2}`"),
        ("{1001}", "invalid repeat count: `{1001}`"),
        ("a{3,2}", "invalid repeat count: `{3,2}`"),
        ("a{99999999999999999999}", "invalid repeat count: `{99999999999999999999}`"),
        ("(?:a{2}){501}", "invalid repeat count: `{501}`"),
        ("(?:b(a{10}){10}c|d){11,}", "invalid repeat count: `{11,}`"),
        ("x[]", "missing closing ]: `[]`"),
        ("[a-", "missing closing ]: `[a-`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (r"[a-\d]", r"invalid escape sequence: `\d`"),
        (r"[\Q]", r"invalid escape sequence: `\Q`"),
        (r"\p", r"invalid character class range: `\p`"),
        (r"\p{", r"invalid character class range: `\p{`"),
        (r"\p{Elvish}", r"invalid character class range: `\p{Elvish}`"),
        (r"\xg", r"invalid escape sequence: `\xg`"),
        (r"\x4", r"invalid escape sequence: `\x4`"),
        (r"\x{}", r"invalid escape sequence: `\x{}`"),
        (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
        (r"\x{4g}", r"invalid escape sequence: `\x{4g`"),
        (r"\C", r"invalid escape sequence: `\C`"),
        (r"\8", r"invalid escape sequence: `\8`"),
        (r"\é", r"invalid escape sequence: `\é`"),
        ("(?P<n", "invalid named capture: `(?P<n`"),
        ("(?<>a)", "invalid named capture: `(?<>`"),
        ("(?P<a-b>c)", "invalid named capture: `(?P<a-b>`"),
        ("(?P=n)", "invalid or unsupported Perl syntax: `(?P=`"),
        ("(?", "invalid or unsupported Perl syntax: `(?`"),
        ("(?i", "invalid or unsupported Perl syntax: `(?i`"),
        ("(?i-)", "invalid or unsupported Perl syntax: `(?i-)`"),
        ("(?--i)", "invalid or unsupported Perl syntax: `(?--`"),
        ("a)b", "unexpected ): `a)b`"),
        ("(a", "missing closing ): `(a`"),
    ],
)
def test_what_is_no_expression_is_reported(pattern: str, fault: str) -> None:
    found = regex_fault(pattern)
    assert found is not None
    assert found.startswith(f"error parsing regexp: {fault}"[:-1])


def test_an_expression_cannot_exhaust_the_reader() -> None:
    assert "nests too deeply" in (regex_fault("(" * 5000 + ")" * 5000) or "")


def test_an_expression_has_a_bounded_length() -> None:
    assert regex_fault("é" * (PATTERN_BYTES_MAX // 2)) is None
    assert regex_fault("é" * (PATTERN_BYTES_MAX // 2) + "a") == (
        "error parsing regexp: expression too large: must not have more than 1024 bytes: "
        f"`{'é' * 64}`"
    )


HOSTILE = ("(?i:[!-\uffff])", "[!-\uffff]", "(", "(?:", "a*", "a?", "{", "[[:", "[:", "\\pL", "\\Q")
HOSTILE_ENDS = ("", "]", ":]", ")")
EXPRESSIONS = 24  # judged in a row, so that there is a time to measure


@pytest.mark.parametrize("end", HOSTILE_ENDS)
@pytest.mark.parametrize("part", HOSTILE)
def test_the_time_is_that_of_the_length(part: str, end: str) -> None:
    def judging(size: int) -> Callable[[], object]:
        pattern = part * size + end
        return lambda: [regex_fault(pattern) for _ in range(EXPRESSIONS)]

    longest = (PATTERN_BYTES_MAX - len(end)) // len(part.encode())
    assert growth(judging, longest // 2) < GROWTH_MAX


@given(st.text(alphabet="ab()[]{}*+?|^$.\\-:<>=!PQEpz1,0i"))
def test_any_text_is_checked(pattern: str) -> None:
    fault = regex_fault(pattern)
    assert fault is None or fault.startswith("error parsing regexp: ")
