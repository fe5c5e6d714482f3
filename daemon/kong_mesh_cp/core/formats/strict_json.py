"""JSON as RFC 8259 and I-JSON (RFC 7493) mean it: bytes in, plain objects out, or one reason.

The standard parser takes a BOM, UTF-16, NaN, duplicate keys and numbers of any length. Each of
them lets two readers of the same bytes see two different things, so none of them is taken here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from enum import StrEnum
from json import JSONDecodeError, JSONDecoder
from json.scanner import make_scanner

DEPTH_MAX = 64  # containers inside containers; far below any recursion limit of the interpreter
INTEGER_DIGITS_MAX = 19  # a signed 64-bit integer has no more; what is longer is no honest number


class JsonFault(StrEnum):
    """Why bytes are not strict JSON."""

    EMPTY = "empty"
    BYTE_ORDER_MARK = "byte-order-mark"
    WIDE_ENCODING = "wide-encoding"
    NUL = "nul"
    NOT_UTF8 = "not-utf8"
    SYNTAX = "syntax"
    DUPLICATE_KEY = "duplicate-key"
    NOT_A_NUMBER = "not-a-number"
    NUMBER_TOO_LARGE = "number-too-large"
    TOO_DEEP = "too-deep"
    LONE_SURROGATE = "lone-surrogate"

    @property
    def is_encoding(self) -> bool:
        """The bytes are not UTF-8 text as RFC 8259 section 8.1 asks for; else: not JSON."""
        return self in _ENCODING_FAULTS


_ENCODING_FAULTS = frozenset(
    {JsonFault.BYTE_ORDER_MARK, JsonFault.WIDE_ENCODING, JsonFault.NUL, JsonFault.NOT_UTF8}
)


class StrictJsonError(Exception):
    """Bytes that are not strict JSON. Its text names fault and place, and quotes no content.

    The standard parser's own errors carry the whole document (`JSONDecodeError.doc`); they are
    therefore never the cause or the context of this one.
    """

    def __init__(self, fault: JsonFault, message: str) -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message


def parse(document: bytes) -> object:
    """The one value `document` holds: dict, list, str, int, float, bool or None.

    Raises: StrictJsonError. The size of `document` is the caller's business.
    """
    text = _text(document)
    # Few documents have so many brackets, so the exact count is rarely made.
    if document.count(b"[") + document.count(b"{") > DEPTH_MAX:
        _refuse_deep(text)
    try:
        value = _value(text)
    except JSONDecodeError as error:
        # Raised below, outside of this block, so that it does not become the context.
        message = f"{_syntax_problem(error)} at line {error.lineno}, column {error.colno}"
    else:
        # Decoded UTF-8 holds no surrogates, so only an escape can have made one.
        if "\\u" in text:
            _refuse_lone_surrogates(value)
        return value
    if not text.strip():
        raise StrictJsonError(JsonFault.EMPTY, "there is nothing in it")
    raise StrictJsonError(JsonFault.SYNTAX, message)


def _value(text: str) -> object:
    """As `_decode`, which looks for white space around a small document as long as it parses."""
    if text[:1] == "{" and text[-1] == "}":
        try:
            value, end = _scan(text, 0)
        except StopIteration:
            pass
        else:
            if end == len(text):
                return value
    return _decode(text)


def _text(document: bytes) -> str:
    if b"\0" in document or document[:2] in _MARKS_16 or document[:3] == _MARK_8:
        raise _encoding_error(document)
    try:
        return document.decode("utf-8")
    except UnicodeDecodeError as error:
        offset = error.start
    raise StrictJsonError(JsonFault.NOT_UTF8, f"byte {offset} is not valid UTF-8")


_MARK_8 = b"\xef\xbb\xbf"
_MARKS_16 = (b"\xff\xfe", b"\xfe\xff")


def _encoding_error(document: bytes) -> StrictJsonError:
    if document[:3] == _MARK_8:
        return StrictJsonError(
            JsonFault.BYTE_ORDER_MARK, "it starts with a byte order mark (EF BB BF)"
        )
    if document[:2] in _MARKS_16 or b"\0" in document[:4]:
        return StrictJsonError(JsonFault.WIDE_ENCODING, "it is UTF-16 or UTF-32 text, not UTF-8")
    return StrictJsonError(JsonFault.NUL, f"byte {document.index(0)} is NUL")


_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def _refuse_deep(text: str) -> None:
    """Count before parsing: the parser recurses, and its RecursionError depends on the caller."""
    depth = 0
    for token in _STRUCTURE.finditer(text):
        match text[token.start()]:
            case "[" | "{":
                depth += 1
                if depth > DEPTH_MAX:
                    raise StrictJsonError(
                        JsonFault.TOO_DEEP, f"it is nested more than {DEPTH_MAX} levels deep"
                    )
            case "]" | "}":
                depth -= 1
            case _:
                pass  # a string: brackets in it are text


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise StrictJsonError(JsonFault.DUPLICATE_KEY, "an object in it has the same key twice")
    return members


def _integer(digits: str) -> int:
    # Longer ones are also slow: int() takes quadratic time for them.
    if len(digits.lstrip("-")) > INTEGER_DIGITS_MAX:
        raise StrictJsonError(
            JsonFault.NUMBER_TOO_LARGE, f"a number in it has more than {INTEGER_DIGITS_MAX} digits"
        )
    return int(digits)


def _real(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise StrictJsonError(JsonFault.NUMBER_TOO_LARGE, "a number in it is beyond any float")
    return value


def _constant(_name: str) -> object:
    raise StrictJsonError(JsonFault.NOT_A_NUMBER, "it holds NaN or Infinity")


# One decoder for all: building one costs more than parsing a small document.
_DECODER = JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_real,
    parse_constant=_constant,
)
_decode: Callable[[str], object] = _DECODER.decode
_scan: Callable[[str, int], tuple[object, int]] = make_scanner(
    _DECODER  # type: ignore[arg-type]  # what it reads its settings from; typed too narrowly
)


def _syntax_problem(error: JSONDecodeError) -> str:
    # The decoder's own phrases ("Expecting ',' delimiter") quote no content: they are constants.
    return error.msg[:1].lower() + error.msg[1:]


def _refuse_lone_surrogates(value: object) -> None:
    pending = [value]
    while pending:
        match pending.pop():
            case str() as text:
                if not _encodable(text):
                    raise StrictJsonError(
                        JsonFault.LONE_SURROGATE, "a \\u escape in it is half of a character"
                    )
            case dict() as members:
                pending.extend(members)
                pending.extend(members.values())
            case list() as items:
                pending.extend(items)
            case _:
                pass


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
