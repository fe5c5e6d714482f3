"""Regular expressions of RE2, as Go takes them: their syntax is checked in one pass.

Nothing is ever compiled or run: what an expression costs him who compiles it (a class folded over
all of Unicode, repetitions of repetitions) is no matter of the text's length. This reading costs a
bounded amount for each character, and an expression has a bounded number of those.

Source: https://pkg.go.dev/regexp/syntax, and the package's verdicts. Within PATTERN_BYTES_MAX its
bounds on the height of the tree, on the program and on the runes of classes cannot be reached.
"""

from __future__ import annotations

import re
from typing import Final

from kong_mesh_cp.core.formats.go.unicode_classes import is_unicode_class

PATTERN_BYTES_MAX: Final = 1024  # of UTF-8
PATTERNS_MAX: Final = 64  # in one resource
NESTING_MAX: Final = 1000  # groups in groups, as in Go; so is the next one
REPEAT_MAX: Final = 1000  # copies of what is innermost, over all repetitions around it
TOO_LONG: Final = f"must not have more than {PATTERN_BYTES_MAX} bytes"
TOO_MANY: Final = f"must not have more than {PATTERNS_MAX} regular expressions in all"

_QUOTED_CHARACTERS_MAX: Final = 64  # of an expression that is too long
_LITERALS: Final = re.compile(r"[^\\()\[|*+?{]+")  # `^`, `$` and `.` can be repeated like any
_REPEAT: Final = re.compile(r"\{(0|[1-9][0-9]*+)(?:(,)(0|[1-9][0-9]*+)?)?\}")
_CAPTURE_NAME: Final = re.compile(r"[A-Za-z0-9_]+")
_PERL_CLASSES: Final = frozenset("dDsSwW")
_LETTER_CLASSES: Final = ("alnum", "alpha", "digit", "lower", "upper", "word", "xdigit")
_POSIX_CLASSES: Final = frozenset(
    {*_LETTER_CLASSES, "ascii", "blank", "cntrl", "graph", "print", "punct", "space"}
)
_OCTAL: Final = frozenset("01234567")
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_CONTROLS: Final = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_RUNE_MAX: Final = 0x10FFFF


def regex_fault(pattern: str) -> str | None:
    """Why `pattern` is no regular expression, in Go's words as far as they go; None if it is."""
    if pattern.count("(") > NESTING_MAX:
        return _told("expression nests too deeply", pattern[:_QUOTED_CHARACTERS_MAX])
    if is_too_long(pattern):
        return _told(f"expression too large: {TOO_LONG}", pattern[:_QUOTED_CHARACTERS_MAX])
    try:
        _Reading(pattern).read()
    except _FaultError as fault:
        return _told(fault.reason, fault.quoted)
    return None


def is_too_long(pattern: str) -> bool:
    """Whether `pattern` is longer than any expression that is read."""
    return (
        len(pattern) > PATTERN_BYTES_MAX
        or len(pattern.encode("utf-8", "surrogatepass")) > PATTERN_BYTES_MAX
    )


def _told(reason: str, quoted: str) -> str:
    return f"error parsing regexp: {reason}: `{quoted}`"


class _FaultError(Exception):
    def __init__(self, reason: str, quoted: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.quoted = quoted


class _Reading:
    """One pass over a pattern; `copies` are those of the innermost thing that repetitions make."""

    __slots__ = ("_at", "_copies", "_last", "_last_posix_end", "_open", "_pattern", "_repeated_at")

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._open: list[int] = []  # for each open group, the most copies before it
        self._copies = 1  # the most copies in the group that is being read, without the last
        self._last: int | None = None  # the copies in what a repetition would repeat
        self._repeated_at: int | None = None  # where the repetition began that has just been read
        self._last_posix_end = pattern.rfind(":]")

    def read(self) -> None:
        pattern, end = self._pattern, len(self._pattern)
        while self._at < end:
            literals = _LITERALS.match(pattern, self._at)
            if literals is not None:
                self._at = literals.end()
                self._single()
            else:
                self._mark(pattern[self._at])
        if self._open:
            raise _FaultError("missing closing )", pattern)

    def _mark(self, mark: str) -> None:
        match mark:
            case "(":
                self._group()
            case ")":
                self._close()
            case "|":
                self._at += 1
                self._next(None)
            case "[":
                self._class()
            case "\\":
                self._escaped()
            case "{":
                self._counted()
            case _:
                self._repeated(self._at + 1, 1)

    def _single(self) -> None:
        self._next(1)

    def _next(self, last: int | None) -> None:
        """What was last can be repeated no more; `last` is next, or nothing is."""
        self._copies = max(self._copies, self._last or 1)
        self._last = last
        self._repeated_at = None

    def _group(self) -> None:
        if self._pattern.startswith("(?", self._at):
            opens = self._perl()
        else:
            self._at += 1
            opens = True
        self._repeated_at = None
        if opens:
            self._next(None)
            self._open.append(self._copies)
            self._copies = 1

    def _close(self) -> None:
        if not self._open:
            raise _FaultError("unexpected )", self._pattern)
        self._at += 1
        self._next(None)
        self._last = self._copies
        self._copies = self._open.pop()

    def _perl(self) -> bool:
        """Read what follows `(?`; whether it opens a group (flags alone do not)."""
        pattern, begin = self._pattern, self._at
        looks_around = pattern.startswith(("(?<=", "(?<!"), begin)
        for opening in ("(?P<", "(?<"):
            starts = pattern.startswith(opening, begin) and len(pattern) > begin + len(opening)
            if starts and not looks_around:
                self._name(begin + len(opening))
                return True
        at, negated, flagged = begin + 2, False, True
        while at < len(pattern):
            mark = pattern[at]
            at += 1
            if mark in "imsU":
                flagged = True
            elif mark == "-" and not negated:
                negated, flagged = True, False
            elif mark in ":)" and flagged:
                self._at = at
                return mark == ":"
            else:
                break
        raise _FaultError("invalid or unsupported Perl syntax", pattern[begin : max(at, begin + 4)])

    def _name(self, begin: int) -> None:
        end = self._pattern.find(">", begin)
        if end < 0:
            raise _FaultError("invalid named capture", self._pattern[self._at :])
        if _CAPTURE_NAME.fullmatch(self._pattern, begin, end) is None:
            raise _FaultError("invalid named capture", self._pattern[self._at : end + 1])
        self._at = end + 1

    def _counted(self) -> None:
        counted = _REPEAT.match(self._pattern, self._at)
        if counted is None:  # then the brace means itself
            self._at += 1
            self._single()
            return
        least = _count(counted[1])
        most = _count(counted[3]) if counted[3] else None
        if max(least, most or 0) > REPEAT_MAX or (most is not None and least > most):
            raise _FaultError("invalid repeat count", counted[0])
        if counted[2] is None:
            most = least
        self._repeated(counted.end(), least if most is None else most, none=most == 0)

    def _repeated(self, end: int, copies: int, *, none: bool = False) -> None:
        """What was read last is repeated, at most `copies` times where they are counted."""
        begin = self._at
        if self._pattern.startswith("?", end):
            end += 1
        if self._repeated_at is not None:
            raise _FaultError(
                "invalid nested repetition operator", self._pattern[self._repeated_at : end]
            )
        if self._last is None:
            reason = "missing argument to repetition operator"
            raise _FaultError(reason, self._pattern[begin:end])
        if none:
            self._last = 1  # nothing of it is left
        elif copies > 1:
            self._last *= copies
            if self._last > REPEAT_MAX:
                raise _FaultError("invalid repeat count", self._pattern[begin:end])
        self._at, self._repeated_at = end, begin

    def _escaped(self) -> None:
        pattern = self._pattern
        mark = pattern[self._at + 1 : self._at + 2]
        if mark == "Q":
            begin = self._at + 2
            end = pattern.find("\\E", begin)
            self._at = end + 2 if end >= 0 else len(pattern)
            self._repeated_at = None
            if begin < (end if end >= 0 else len(pattern)):
                self._single()
            return
        if mark and mark in "AbBz":
            self._at += 2
        elif not self._shorthand(mark):
            self._character()
        self._single()

    def _shorthand(self, mark: str) -> bool:
        r"""Read `\d` or `\p{Greek}`, in a class or outside; whether it was one."""
        if mark in _PERL_CLASSES:
            self._at += 2
            return True
        if mark not in {"p", "P"}:
            return False
        pattern, begin = self._pattern, self._at
        end = begin + 3
        name = pattern[begin + 2 : end]
        if name == "{":
            end = pattern.find("}", end) + 1
            if end == 0:
                raise _FaultError("invalid character class range", pattern[begin:])
            name = pattern[begin + 3 : end - 1]
        if not is_unicode_class(name.removeprefix("^")):
            raise _FaultError("invalid character class range", pattern[begin:end])
        self._at = end
        return True

    def _class(self) -> None:
        pattern, begin = self._pattern, self._at
        self._at += 2 if pattern.startswith("[^", begin) else 1
        first = self._at  # `]` is a character there
        while not pattern.startswith("]", self._at) or self._at == first:
            if self._at >= len(pattern):
                raise _FaultError("missing closing ]", pattern[begin:])
            if not self._posix() and not self._shorthand_in_class():
                self._range(begin)
        self._at += 1
        self._single()

    def _posix(self) -> bool:
        begin = self._at
        # Looked for only where there is an end: then it is found once, and all up to it is read.
        if not self._pattern.startswith("[:", begin) or self._last_posix_end < begin + 2:
            return False
        end = self._pattern.find(":]", begin + 2)
        if self._pattern[begin + 2 : end].removeprefix("^") not in _POSIX_CLASSES:
            raise _FaultError("invalid character class range", self._pattern[begin : end + 2])
        self._at = end + 2
        return True

    def _shorthand_in_class(self) -> bool:
        at = self._at
        return self._pattern.startswith("\\", at) and self._shorthand(
            self._pattern[at + 1 : at + 2]
        )

    def _range(self, begin: int) -> None:
        """One character of the class that begins at `begin`, or a range of them."""
        pattern = self._pattern
        low = self._class_character(begin)
        # `[a-]` means `a` or `-`.
        if pattern.startswith("-", self._at) and pattern[self._at + 1 : self._at + 2] not in {
            "",
            "]",
        }:
            self._at += 1
            if self._class_character(begin) < low:
                end = pattern.find("]", self._at) + 1 or len(pattern)
                raise _FaultError("invalid character class range", pattern[begin:end])

    def _class_character(self, begin: int) -> int:
        if self._at >= len(self._pattern):
            raise _FaultError("missing closing ]", self._pattern[begin:])
        character = self._pattern[self._at]
        if character == "\\":
            return self._character()
        self._at += 1
        return ord(character)

    def _character(self) -> int:
        """The character that an escape stands for."""
        pattern, begin = self._pattern, self._at
        mark = pattern[begin + 1 : begin + 2]
        if not mark:
            raise _FaultError("trailing backslash at end of expression", pattern)
        self._at += 2
        if mark in _CONTROLS:
            return _CONTROLS[mark]
        if mark.isascii() and not mark.isalnum():
            return ord(mark)
        if mark == "x":
            return self._hex(begin)
        if mark == "0" or (mark in _OCTAL and pattern[self._at : self._at + 1] in _OCTAL):
            while self._at < begin + 4 and pattern[self._at : self._at + 1] in _OCTAL:
                self._at += 1
            return int(pattern[begin + 1 : self._at], 8)
        raise _FaultError("invalid escape sequence", pattern[begin : self._at])

    def _hex(self, begin: int) -> int:
        pattern = self._pattern
        if not pattern.startswith("{", self._at):
            digits = pattern[self._at : self._at + 2]
            self._at += len(digits)
            if len(digits) == 2 and _HEX.issuperset(digits):
                return int(digits, 16)
            raise _FaultError("invalid escape sequence", pattern[begin : self._at])
        rune, at = 0, self._at + 1
        while at < len(pattern) and pattern[at] in _HEX and rune <= _RUNE_MAX:
            rune = rune * 16 + int(pattern[at], 16)
            at += 1
        if not pattern.startswith("}", at) or at == self._at + 1 or rune > _RUNE_MAX:
            raise _FaultError("invalid escape sequence", pattern[begin : at + (rune <= _RUNE_MAX)])
        self._at = at + 1
        return rune


def _count(digits: str) -> int:
    return int(digits) if len(digits) <= len(str(REPEAT_MAX)) else REPEAT_MAX + 1
