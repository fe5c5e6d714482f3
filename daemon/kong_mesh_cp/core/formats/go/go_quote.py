"""Quoting as Go's `%q` does it, for text of clients in messages."""

from __future__ import annotations

from typing import Final

_ESCAPES: Final = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


def go_quote(text: str) -> str:
    """`text` in double quotes as Go's `%q` prints it, so that it stays one line."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'  # as most are: names and tags
    return '"' + "".join(_ESCAPES.get(c) or _shown(c) for c in text) + '"'


def _shown(character: str) -> str:
    # Python's and Go's tables are of different Unicode versions; new characters may differ.
    if character.isprintable():
        return character
    code = ord(character)
    # Go escapes by code point, in three widths; what it finds printable stays as it is.
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
