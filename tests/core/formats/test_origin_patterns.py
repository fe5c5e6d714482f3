"""Patterns for origins: what Python's matcher says, in time that nobody chooses."""

from __future__ import annotations

import re
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.origin_patterns import (
    POSITIONS_MAX,
    OriginPattern,
    OriginPatternError,
)

ATOMS = st.sampled_from([
    "a", "B", ".", "[.]", r"\.", "[a-c]", "[^a]", "[A-C-]", r"\d", r"\w", r"[^\W_]", r"\S", "(?:ab|a)",
    "(a|)", "^", "$",
])  # fmt: skip
REPEATS = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "{0}"])
PIECES = st.builds(lambda atom, repeat: atom + repeat * (atom not in {"^", "$"}), ATOMS, REPEATS)
INNER = st.lists(PIECES, min_size=1, max_size=3).map("".join)
GROUPS = st.builds(lambda inner, repeat: f"({inner}){repeat}", INNER, REPEATS)
PATTERNS = st.lists(st.one_of(PIECES, GROUPS), min_size=1, max_size=4).map("".join)
TEXTS = st.text("abC1.-:/_", max_size=8)


@given(st.one_of(PATTERNS, st.builds("{}|{}".format, PATTERNS, PATTERNS)), st.lists(TEXTS))
def test_it_says_what_the_matcher_of_python_says(pattern: str, texts: list[str]) -> None:
    try:
        ours = OriginPattern(pattern)
    except OriginPatternError:
        return
    theirs = re.compile(pattern, re.IGNORECASE)
    for text in texts:
        assert ours.matches(text) is (theirs.fullmatch(text) is not None), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "origin", "matches"),
    [
        (".*", "https://a.example", True),
        (r"https?://(.*\.)?example\.com(:[0-9]+)?", "http://x.y.example.com:8080", True),
        (r"https?://(.*\.)?example\.com(:[0-9]+)?", "http://xexample.com", False),
        (r"^https://[^.]*[.]example[.]com$", "HTTPS://GUI.Example.com", True),
        (r"^https://[^.]*[.]example[.]com$", "https://a.b.example.com", False),
        (r"^(https://a|http://b)$", "http://b", True),
        (r"(?i:HTTPS)://a", "https://a", True),
        (r"http://\[::1\]:\d{2,4}", "http://[::1]:5681", True),
    ],
)
def test_patterns_as_operators_write_them(pattern: str, origin: str, matches: bool) -> None:
    assert OriginPattern(pattern).matches(origin) is matches


@pytest.mark.parametrize(
    "pattern",
    ["(", "[", "*", "a{2,1}", r"(a)\1", "(?=a)b", "(?<!a)b", "(?>a*)b", "a*+b", "a^b", "a$b", r"a\b",
     "(?-i:a)", "a" * (POSITIONS_MAX + 1), "(a{500}){500}", "a{99999}", "(?P<x>a)(?(x)b|c)"],
)  # fmt: skip
def test_what_cannot_be_matched_in_bounded_time_is_refused(pattern: str) -> None:
    with pytest.raises(OriginPatternError):
        OriginPattern(pattern)


@pytest.mark.parametrize(
    "pattern", ["(a*)*b", "(a|a)*b", "(a|aa)+b", "(.*)*(.*)*:1", "a*a*a*a*a*a*b", "(a?){30}a{30}b"]
)
def test_a_text_that_goes_back_and_forth_elsewhere_takes_no_longer(pattern: str) -> None:
    begun = process_time()
    assert not OriginPattern(pattern).matches("a" * 500)
    assert process_time() - begun < 5  # elsewhere it would not end
