"""JSON as Kuma's API prints it."""

from __future__ import annotations

from json import JSONEncoder
from json.encoder import encode_basestring as _quote

_scalar = JSONEncoder(allow_nan=False).encode


def json_text(document: object) -> bytes:
    """`document` indented by one space, `<`, `>`, `&` and non-ASCII as they are, and a newline.

    Keys keep their order. Raises: TypeError or ValueError for what is not JSON (NaN included).
    """
    return f"{_text(document, chr(10))}\n".encode()


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
    return _quote(value) if isinstance(value, str) else _scalar(value)
