"""JSON as Go writes it, and its syntax errors in the words of Go's decoder.

Clients match on both. Source: the encoder and the scanner of Go's `encoding/json`. The latter stops
at the first byte that cannot stand where it stands, and says what it looked for.
"""

from __future__ import annotations

import json
from typing import Final

from kong_mesh_cp.core.formats.go.go_quote import go_quote

_UNFINISHED: Final = "unexpected end of JSON input"
# RFC 8259's white space and no other; form feeds are none.
_SPACE: Final = b" \t\r\n"
_DIGITS: Final = b"0123456789"
_HEXADECIMAL: Final = _DIGITS + b"abcdefABCDEF"
_ESCAPED: Final = b'bfnrt\\/"'
_HEXADECIMAL_DIGITS: Final = 4
_LITERALS: Final = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}
_SPACE_CODE: Final = 0x20

_VALUE: Final = "looking for beginning of value"
_KEY: Final = "looking for beginning of object key string"


# Go's encoder holds them unsafe inside HTML.
_ESCAPES: Final = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def encoded(value: object) -> str:
    """`value`, which is JSON, without blanks; members in their order."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).translate(_ESCAPES)


class _FaultError(Exception):
    """The text is no JSON."""


def syntax_fault(text: bytes) -> str | None:
    """Why `text` is no JSON, in Go's words; None where Go finds nothing wrong with its syntax."""
    try:
        _Scanner(text).document()
    except _FaultError as fault:
        return str(fault)
    return None


class _Scanner:
    """Reads from left to right. Open brackets lie on a list, so no depth is too much for it."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._at = 0
        self._open: list[int] = []

    def document(self) -> None:
        """Raises: _FaultError."""
        # The first one alone is read by itself; all others follow from what is open.
        self._value()
        while self._open:
            self._after_value()
        self._spaces()
        # A second value behind the first: Go's Unmarshal takes one only.
        if self._at < len(self._text):
            raise self._fault("after top-level value")

    def _after_value(self) -> None:
        """A comma with what follows it, or the end of the innermost bracket."""
        # The same comma means another thing in an object and in a list, and the texts differ.
        in_object = self._open[-1] == ord("{")
        if self._next() == ord(","):
            self._at += 1
            if in_object:
                self._spaces()
                self._key()
            self._value()
        elif self._next() == (ord("}") if in_object else ord("]")):
            self._at += 1
            self._open.pop()
        else:
            raise self._fault("after object key:value pair" if in_object else "after array element")

    def _value(self) -> None:
        """One that is whole, or the beginning of one up to its first whole part."""
        while True:
            start = self._next()
            if start == ord('"'):
                return self._string()
            if start in _LITERALS:
                return self._literal(_LITERALS[start])
            if start == ord("-") or start in _DIGITS:
                return self._number()
            # Go names this place for every byte that begins nothing, a closing bracket among them.
            if start not in b"{[":
                raise self._fault(_VALUE)
            self._at += 1
            if self._next() == (ord("}") if start == ord("{") else ord("]")):
                self._at += 1
                return None
            self._open.append(start)
            if start == ord("{"):
                self._key()

    def _key(self) -> None:
        if self._next() != ord('"'):
            raise self._fault(_KEY)
        self._string()
        if self._next() != ord(":"):
            raise self._fault("after object key")
        self._at += 1

    def _string(self) -> None:
        self._at += 1
        while (byte := self._byte()) != ord('"'):
            # Control characters have to be escaped; Go reports the raw byte.
            if byte < _SPACE_CODE:
                raise self._fault("in string literal")
            self._at += 1
            if byte == ord("\\"):
                self._escape()
        self._at += 1

    def _escape(self) -> None:
        is_code = self._peek() == ord("u")
        self._require(b"u" if is_code else _ESCAPED, "in string escape code")
        # Half of a surrogate pair is no fault of syntax to Go, which puts U+FFFD in its place.
        for _ in range(_HEXADECIMAL_DIGITS if is_code else 0):
            self._require(_HEXADECIMAL, "in \\u hexadecimal character escape")

    def _literal(self, word: bytes) -> None:
        for expected in word:
            words = f"in literal {word.decode()} (expecting {_quoted(expected)})"
            self._require(bytes([expected]), words)

    def _number(self) -> None:
        if self._byte() == ord("-"):
            self._at += 1
        leading = self._peek()
        self._require(_DIGITS, "in numeric literal")
        # A digit behind a leading zero is then found where no digit may be, and reported as such.
        if leading != ord("0"):
            self._digits()
        if self._peek() == ord("."):
            self._at += 1
            self._require(_DIGITS, "after decimal point in numeric literal")
            self._digits()
        if self._peek() in {ord("e"), ord("E")}:
            self._at += 1
            if self._peek() in {ord("+"), ord("-")}:
                self._at += 1
            self._require(_DIGITS, "in exponent of numeric literal")
            self._digits()

    def _digits(self) -> None:
        while (byte := self._peek()) is not None and byte in _DIGITS:
            self._at += 1

    def _require(self, allowed: bytes, words: str) -> None:
        if self._or_space() not in allowed:
            raise self._fault(words)
        self._at += 1

    def _next(self) -> int:
        """The byte behind any spaces."""
        self._spaces()
        return self._byte()

    def _spaces(self) -> None:
        while (byte := self._peek()) is not None and byte in _SPACE:
            self._at += 1

    def _peek(self) -> int | None:
        return self._text[self._at] if self._at < len(self._text) else None

    def _or_space(self) -> int:
        """Go's scanner is told the end of the text by a space, which ends what may end here."""
        byte = self._peek()
        return ord(" ") if byte is None else byte

    def _byte(self) -> int:
        if self._at >= len(self._text):
            # Without a character: there is none to show.
            raise _FaultError(_UNFINISHED)
        return self._text[self._at]

    def _fault(self, words: str) -> _FaultError:
        return _FaultError(f"invalid character {_quoted(self._or_space())} {words}")


def _quoted(byte: int) -> str:
    # As Go shows a byte: as the character of this number, whatever it is a part of.
    # One byte, not one character: Go's scanner works on bytes.
    shown = chr(byte)
    if shown == "'":
        return r"'\''"
    return f"'{shown}'" if shown == '"' else f"'{go_quote(shown)[1:-1]}'"
