"""JSON as Kuma's API prints it."""

from __future__ import annotations

from collections.abc import Iterator
from json import JSONEncoder
from json.encoder import encode_basestring as _quote
from typing import Final

PIECE_VALUES_MAX: Final = 1000  # in one piece: less than a millisecond's work

_CONTAINERS: Final[frozenset[object]] = frozenset({dict, list, tuple})

_scalar = JSONEncoder(allow_nan=False).encode


class JsonText(str):
    """What is JSON already, and is written as it stands: indented or not, to a reader it is one."""

    __slots__ = ()


def json_text(document: object) -> bytes:
    """`document` indented by one space, `<`, `>`, `&` and non-ASCII as they are, and a newline.

    Keys keep their order. Raises: TypeError or ValueError for what is not JSON (NaN included).
    """
    return f"{_text(document, chr(10))}\n".encode()


def json_pieces(document: object) -> Iterator[str]:
    """The text of `json_text`, each piece after a bounded number of values, for pauses between.

    It takes a third longer; a small document is one piece. Raises: as `json_text`.
    """
    if _is_short(document):
        yield f"{_text(document, chr(10))}\n"
    else:
        yield from _pieces(document, "\n")
        yield "\n"


def json_pieces_within(document: object, depth: int) -> Iterator[str]:
    """As `json_pieces`, of what stands `depth` levels deep in another document."""
    yield from _pieces(document, "\n" + depth * " ")


def _pieces(value: object, line: str) -> Iterator[str]:
    if _is_short(value):
        yield _text(value, line)
        return
    inner = f"{line} "
    separator = inner
    if isinstance(value, dict):
        yield "{"
        for key, each in value.items():
            yield f"{separator}{_quote(key)}: "
            yield from _pieces(each, inner)
            separator = f",{inner}"
        yield f"{line}}}"
    elif isinstance(value, list | tuple):
        yield "["
        for each in value:
            yield separator
            yield from _pieces(each, inner)
            separator = f",{inner}"
        yield f"{line}]"


def _is_short(value: object) -> bool:
    """Whether there are no more values in it than in a piece, itself not counted."""
    return _room_left(value, PIECE_VALUES_MAX) >= 0


def _room_left(value: object, room: int) -> int:
    """What `value` leaves of room for so many values; it is looked at until that is negative."""
    if not isinstance(value, dict | list | tuple):
        return room
    room -= len(value)
    for each in value.values() if isinstance(value, dict) else value:
        if room < 0:
            break
        # Most are texts, and a call for each would take three times as long.
        if each.__class__ in _CONTAINERS:
            room = _room_left(each, room)
    return room


# The standard library indents in Python code of its own, one yield for each piece, which was most
# of the time of a list. This takes a third of it; texts, the most there is, are not called for.
def _text(value: object, line: str) -> str:
    """`line` is a newline with the indentation of what `value` stands in."""
    inner = f"{line} "
    if isinstance(value, dict):
        members = [
            f"{_quote(key)}: {_quote(each) if each.__class__ is str else _text(each, inner)}"
            for key, each in value.items()
        ]
        return f"{{{inner}{f',{inner}'.join(members)}{line}}}" if members else "{}"
    if isinstance(value, list | tuple):
        items = [_quote(each) if each.__class__ is str else _text(each, inner) for each in value]
        return f"[{inner}{f',{inner}'.join(items)}{line}]" if items else "[]"
    if value.__class__ is JsonText:
        return str(value)
    return _quote(value) if isinstance(value, str) else _scalar(value)
