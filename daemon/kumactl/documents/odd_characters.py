"""Characters that nobody sees, or that look like others: what they are, and what to write."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Controls, blanks that are no space, marks without a width, and what word processors put in
# place of quotes and hyphens.
_QUOTES: Final = "\u2018-\u201f"
_DASHES: Final = "\u2010-\u2015\u2212"
_INVISIBLE: Final = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u180e"
    "\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufeff\uffa0"
)
_ODD: Final = re.compile(f"[{_INVISIBLE}{_QUOTES}{_DASHES}]")
_ODD_OR_TAB: Final = re.compile(f"[\t{_INVISIBLE}{_QUOTES}{_DASHES}]")
_AT_AN_EDGE: Final = re.compile(
    f"[{_INVISIBLE}{_QUOTES}{_DASHES}]|.*[{_INVISIBLE}{_QUOTES}{_DASHES}]$", re.DOTALL
)
_BLANKS: Final = frozenset({"Zs", "Zl", "Zp"})
_BYTE_ORDER_MARK: Final = "\ufeff"
# Names that Unicode does not give, or that nobody knows.
_NAMES: Final = {
    "\t": "a tab",
    "\u0085": "a line break of mainframes",
    "\u00a0": "a no-break space",
    _BYTE_ORDER_MARK: "a byte order mark",
}


def in_name(text: str) -> str | None:
    """The first odd character of a member's name, or None."""
    if text.isascii() and text.isprintable():
        return None
    found = _ODD.search(text)
    return found[0] if found else None


def at_an_edge(text: str) -> str | None:
    """The odd character that an unquoted text begins or ends with, or None."""
    if text.isascii() and text.isprintable():
        return None
    found = _AT_AN_EDGE.match(text)
    return found[0][-1] if found else None


def told(character: str) -> str:
    """`a no-break space (U+00A0): write a space`."""
    name = _NAMES.get(character) or unicodedata.name(character, "a control character").lower()
    if not name.startswith("a "):
        name = f"{'an' if name[0] in 'aeio' else 'a'} {name}"
    return f"{name} (U+{ord(character):04X}): {_instead(character)}"


def _instead(character: str) -> str:
    if character == "\t":
        return "write spaces (expand -t 2 FILE > NEW)"
    if re.match(f"[{_QUOTES}]", character):
        return """write " or '"""
    if re.match(f"[{_DASHES}]", character):
        return "write -"
    if character == _BYTE_ORDER_MARK:
        return "put a line of --- in its place if two files were joined here, or take it out"
    octets = "".join(f"\\x{octet:02x}" for octet in character.encode())
    if unicodedata.category(character) in _BLANKS:
        return f"write a space (sed -i 's/{octets}/ /g' FILE)"
    return f"take it out (sed -i 's/{octets}//g' FILE)"


def blamed(text: str, line: int, *, before: int = 0) -> str:
    """What odd character may be why YAML fails in `line` (from 1): a sentence, or "".

    `before`: how many lines stand before `text`.
    The last one up to that line is the likeliest; behind it none can matter.
    """
    lines = text.split("\n", line)[:line]
    for number in range(len(lines), 0, -1):
        found = _ODD_OR_TAB.search(lines[number - 1])
        if found:
            return f"Line {before + number}, column {found.start() + 1} is {told(found[0])}"
    return ""
