"""Bytes of a document as text: UTF-8, and what Windows writes, as its first bytes tell."""

from __future__ import annotations

import codecs
import re
import shlex
from typing import Final

from kumactl.errors import UsageError

# Longer marks first: the one of UTF-32 begins as the one of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
# Without a mark: where there are zeros in the first character (YAML 1.2, section 5.2).
_ZEROS: Final = (
    (re.compile(rb"\x00\x00\x00[^\x00]"), "UTF-32-BE"),
    (re.compile(rb"[^\x00]\x00\x00\x00"), "UTF-32-LE"),
    (re.compile(rb"\x00[^\x00]"), "UTF-16-BE"),
    (re.compile(rb"[^\x00]\x00"), "UTF-16-LE"),
)
_WINDOWS: Final = "WINDOWS-1252"  # what text that is no Unicode most often is
_MARK: Final = "\ufeff"


def text_of(content: bytes, name: str) -> str:
    """The text of the document `name`, without byte order marks where one begins.

    Raises: UsageError with the place and what converts the file.
    """
    encoding = _encoding(content)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UsageError(_not_text(content, encoding, error, name)) from None
    return _without_marks(text) if _MARK in text else text


def _encoding(content: bytes) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    for zeros, encoding in _ZEROS:
        if zeros.match(content):
            return encoding
    return "utf-8"


def _without_marks(text: str) -> str:
    lines = text.split("\n")
    begins = True
    for number, line in enumerate(lines):
        bare = line.lstrip(_MARK)
        if begins or bare.startswith("---"):
            lines[number] = bare
        is_empty = not bare.strip() or bare.startswith("#")
        begins = bare.startswith("---") or (begins and is_empty)
    return "\n".join(lines)


def _not_text(content: bytes, encoding: str, error: UnicodeDecodeError, name: str) -> str:
    shown = shlex.quote(name)
    if encoding != "utf-8":
        return (
            f"{name} is not whole {encoding} text, as which it begins."
            f" Write it anew, or: iconv -c -f {encoding} -t UTF-8 {shown} > new.yaml"
        )
    before = content[: error.start]
    line = before.count(b"\n") + 1
    column = len(before.rpartition(b"\n")[2].decode(errors="replace")) + 1
    octet = f"0x{content[error.start]:02X}"
    return (
        f"{name} is not UTF-8 text: line {line}, column {column} has the byte {octet}."
        f" Convert it: iconv -f {_WINDOWS} -t UTF-8 {shown} > new.yaml"
    )
