"""Texts that cost much where something goes back over what it has read, in any length."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final


def _repeated(part: str, size: int) -> str:
    return part * (size // len(part))


def _around(head: str, part: str, tail: str, size: int) -> str:
    return f"{head}{_repeated(part, size - len(head) - len(tail))}{tail}"


_REPEATED: Final = (
    *(" ", "a", "0", "é", "-", ".", ":", ",", "/", "\\", "%", '"', "'", "(", "[", "{", "*", "\n"),
    *("a.", "a/", "a-", "a:", "a,", "a=", "::", "1s", "1.", "../", "%2e", "a?", "[!-\uffff]"),
    *("{{", "{{.A}}", "{{ ", "{{- ", "a ", "1,", "e+", "[]", '""', "#\n"),
)
_ENDED: Final = (
    ("a", " ", "b"),
    ("", "a", "!"),
    ("", "a.", "!"),
    ("%", " ", ""),
    ("{{", " ", "}}"),
)

# By a name that is shown: each makes a text of about so many characters.
HOSTILE_TEXTS: Final[Mapping[str, Callable[[int], str]]] = {
    **{ascii(part): partial(_repeated, part) for part in _REPEATED},
    **{
        f"{head!r} {part!r} {tail!r}": partial(_around, head, part, tail)
        for head, part, tail in _ENDED
    },
}
