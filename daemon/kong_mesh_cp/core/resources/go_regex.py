"""Regular expressions of RE2, as Go takes them, judged without ever running one."""

from __future__ import annotations

import re
import warnings
from typing import Final

NESTING_MAX: Final = 1000  # as in Go's regexp/syntax; so is the next one
REPEAT_MAX: Final = 1000

_FLAGS: Final = re.compile(r"\(\?[imsU]*(-[imsU]+)?\)")
_PERL: Final = re.compile(r"\(\?(?![imsU-]*[:)]|P<\w+>|<\w+>)[^)]?.?")
_REPEAT: Final = re.compile(r"\{([0-9]{1,9})(?:,([0-9]{0,9}))?\}")
_BACK_REFERENCE: Final = re.compile(r"\\[1-9]")
# What RE2 knows and `re` does not; a letter stands in for each.
_RE2_ONLY: Final = re.compile(
    r"\\[pP](\{\^?\w+\}|\w)|\\Q.*?(\\E|$)|\\[zC]|\\x\{[0-9A-Fa-f]+\}", re.DOTALL
)
_NAMED_CLASS: Final = re.compile(r"\[:\^?[a-z]+:\]")
_ESCAPED: Final = re.compile(r"\\\\")

_TEXTS: Final = (
    ("unterminated character set", "missing closing ]"),
    ("missing ), unterminated subpattern", "missing closing )"),
    ("unbalanced parenthesis", "unexpected )"),
    ("nothing to repeat", "missing argument to repetition operator"),
    ("multiple repeat", "invalid nested repetition operator"),
    ("bad escape (end of pattern)", "trailing backslash at end of expression"),
    ("bad escape", "invalid escape sequence"),
    ("bad character range", "invalid character class range"),
    ("min repeat greater", "invalid repeat count"),
)


def regex_fault(pattern: str) -> str | None:
    """Why `pattern` is no regular expression, in Go's words as far as they go; None if it is."""
    if pattern.count("(") > NESTING_MAX:
        return f"error parsing regexp: expression nests too deeply: `{pattern}`"
    plain = _ESCAPED.sub("_", pattern)
    perl = _PERL.search(plain)
    if perl is not None:
        return f"error parsing regexp: invalid or unsupported Perl syntax: `{perl[0]}`"
    back_reference = _BACK_REFERENCE.search(plain)
    if back_reference is not None:
        return f"error parsing regexp: invalid escape sequence: `{back_reference[0]}`"
    for repeat in _REPEAT.finditer(plain):
        if int(repeat[2] or repeat[1]) > REPEAT_MAX:
            return f"error parsing regexp: invalid repeat count: `{repeat[0]}`"
    return _compile_fault(pattern, _comparable(plain))


def _comparable(plain: str) -> str:
    plain = _RE2_ONLY.sub("_", plain)
    plain = _NAMED_CLASS.sub("_", plain)
    return _FLAGS.sub("", plain).replace("(?U:", "(?:").replace("(?<", "(?P<")


def _compile_fault(pattern: str, comparable: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about sets of the future, which RE2 does not have
            re.compile(comparable)
    except (re.error, RecursionError, OverflowError) as error:
        return f"error parsing regexp: {_text(str(error))}: `{pattern}`"
    return None


def _text(message: str) -> str:
    for python, go in _TEXTS:
        if message.startswith(python):
            return go
    return "invalid expression"
