"""JSON values as YAML 1.2 that people can read and every reader of YAML 1.1 reads alike."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

_INDENT: Final = "  "

# What no version of YAML takes for anything but text, in a block or as a key.
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*(/[A-Za-z0-9_.-]+)*")
# A text in quotes is JSON, and JSON is YAML, but for characters that YAML wants to be escaped.
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def yaml_text(document: object) -> bytes:
    """`document` in block style; texts are in quotes where they could be taken for something else.

    Keys keep their order. Raises: TypeError or ValueError for what is not JSON (NaN included).
    """
    return ("\n".join(_lines(document, "")) + "\n").encode()


def _lines(value: object, indent: str) -> Iterator[str]:
    """The lines of a value, the first of them without its indent: it may follow a `- `."""
    match value:
        case dict() if value:
            for number, (key, inner) in enumerate(value.items()):
                yield from _entry(f"{indent if number else ''}{_scalar(key)}:", inner, indent)
        case list() | tuple() if value:
            for number, inner in enumerate(value):
                first, *others = _lines(inner, indent + _INDENT)
                yield f"{indent if number else ''}- {first}"
                yield from others
        case _:
            yield _scalar(value)


def _entry(opening: str, value: object, indent: str) -> Iterator[str]:
    if not isinstance(value, dict | list | tuple) or not value:
        yield f"{opening} {_scalar(value)}"
        return
    inner = indent + _INDENT
    first, *others = _lines(value, inner)
    yield opening
    yield f"{inner}{first}"
    yield from others


def _scalar(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    # An empty list or object is written so, too.
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if isinstance(value, float) and "." not in text:
        return text.replace("e", ".0e")  # YAML 1.1 knows no number without a point but integers
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
