"""Text that comes from outside, made fit for one line of a log."""

from __future__ import annotations


# Everything else would let the writer of a name forge lines of the log.
def printable(text: object) -> str:
    """`text` with control characters and bytes that are not UTF-8 escaped; other letters stay."""
    encodable = str(text).encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in encodable)
