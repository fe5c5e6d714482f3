"""Lists of texts: those of a file, and the forms people write them in where there is one text.

A variable has its list as Kuma does, with commas between. A JSON list is read as well, because no
name begins with a bracket. Whatever else separates (blanks, semicolons, lines, quotes) is refused:
a name made of two others is nobody's, and nothing would say so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from kong_mesh_cp.core.formats.origin_patterns import OriginPattern, OriginPatternError
from kong_mesh_cp.core.formats.tls_names import SUITES
from kong_mesh_cp.core.formats.value_shapes import (
    QUOTES,
    has_blank_ends,
    is_quoted,
    secret_in,
    unexpanded,
)
from kong_mesh_cp.settings.forms import Form, MalformedError, must_be

WORDS_MAX: Final = 1_000  # of one list
ORIGIN_PATTERN_CHARACTERS_MAX: Final = 512  # of a regular expression
AS_JSON: Final = 'write the list as JSON: ["one","other"]'
COMMAS: Final = "write them with commas between: one,other"

_BRACKETS: Final = {"[": "]", "(": ")", "{": "}"}


def words(value: object, expected: str, *, patterns: bool = False) -> tuple[str, ...]:
    """The list that `value` is, or means. `patterns`: of regular expressions, which have brackets.

    Raises: MalformedError that tells which of them is wrong, and never what it is.
    """
    in_text = isinstance(value, str)
    if isinstance(value, str):
        listed = _json_list(value)
        in_text = listed is None
        value = [part.strip() for part in _parts(value)] if listed is None else listed
    if not isinstance(value, Sequence) or len(value) > WORDS_MAX:
        raise must_be(expected)
    for number, word in enumerate(value, start=1):
        wrong = _wrong_in(word, in_text=in_text, patterns=patterns)
        if wrong is not None:
            what, remedy = wrong
            raise MalformedError(f"must be {expected}; number {number} {what}", remedy)
    return tuple(value)


def _parts(text: str) -> list[str]:
    # Lines at the ends are of the file that the text was taken from.
    return text.strip("\r\n").split(",", WORDS_MAX)


def _json_list(text: str) -> list[object] | None:
    if not text.lstrip().startswith("[") or text.count("[") > WORDS_MAX:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def _wrong_in(word: object, *, in_text: bool, patterns: bool) -> tuple[str, str] | None:
    """What is wrong with one of the list, and what to do."""
    if not isinstance(word, str):
        return "is no text", "Write each of them as a text in quotes."
    if not word:
        return "is empty", "Leave out the comma that has nothing behind it."
    if "\n" in word or "\r" in word:
        return "holds several lines", _sentence(COMMAS)
    if not word.isprintable():
        return "holds a character that cannot be seen", "Write it again by hand."
    if has_blank_ends(word):
        return "has a blank at an end", "Remove it."
    if (found := secret_in(word)) is not None:
        return f"looks like {found}", "Write names here, and no secret."
    if is_quoted(word) or word[0] in QUOTES or word[-1] in QUOTES:
        return "has quotes that are a part of it", f"Leave them out, or {AS_JSON}."
    if ";" in word:
        return "has a semicolon in it", _sentence(COMMAS)
    if not patterns and (what := unexpanded(word)) is not None:
        return f"has {what}, in it, which nothing expands here", "Write the names themselves."
    if patterns:
        return _wrong_in_pattern(word)
    if any(bracket in word for bracket in "[]{}"):
        return "has a bracket in it", f"Leave it out, or {AS_JSON}."
    if in_text and (" " in word or "\t" in word):
        return "has a blank in it", f"If it is several, {COMMAS}; if it is one, {AS_JSON}."
    if in_text and "=" in word:
        return "has = in it", f"If it is a part of a name with commas in it, {AS_JSON}."
    return None


def _wrong_in_pattern(word: str) -> tuple[str, str] | None:
    if " " in word:
        return "has a blank in it", _sentence(COMMAS)
    open_, escaped, in_class = [], False, False
    for letter in word:
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif in_class:
            in_class = letter != "]"
        elif letter == "[":
            in_class = True
        elif letter in _BRACKETS:
            open_.append(_BRACKETS[letter])
        elif open_ and letter == open_[-1]:
            open_.pop()
    if open_ or in_class:
        return (
            "has a bracket that is not closed",
            f"A comma inside of a pattern parts it: {AS_JSON}.",
        )
    return None


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _names(value: object) -> tuple[str, ...]:
    return words(value, NAMES.expected)


def _verdicts(value: object) -> tuple[str, ...]:
    found = words(value, VERDICTS.expected)
    if not set(found) <= {"allowed", "denied"}:
        raise must_be(VERDICTS.expected)
    return found


def _cipher_suites(value: object) -> tuple[str, ...]:
    found = words(value, CIPHER_SUITES.expected)
    for number, word in enumerate(found, start=1):
        if word not in SUITES:
            known = f"Those are known: {', '.join(SUITES)}."
            raise MalformedError(
                f"must be {CIPHER_SUITES.expected}; number {number} is none", known
            )
    return found


def _origins(value: object) -> tuple[str, ...]:
    found = words(value, ORIGINS.expected, patterns=True)
    for number, word in enumerate(found, start=1):
        if len(word) > ORIGIN_PATTERN_CHARACTERS_MAX:
            raise must_be(
                f"{ORIGINS.expected}, each of at most {ORIGIN_PATTERN_CHARACTERS_MAX} characters"
            )
        try:
            OriginPattern(word)
        except OriginPatternError as error:
            raise must_be(f"{ORIGINS.expected}; number {number} is none: {error}") from None
    return found


CIPHER_SUITES: Final = Form("a list of cipher suites", _cipher_suites)
NAMES: Final = Form("a list of names", _names)
VERDICTS: Final = Form("a list of allowed, denied or both", _verdicts, words=("allowed", "denied"))
ORIGINS: Final = Form("a list of regular expressions for origins", _origins)
