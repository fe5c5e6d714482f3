"""The blocks of a text in PEM, as Go's encoding/pem finds them.

What stands between blocks is passed over, and so is a block that is not well formed: a text is
read differently from OpenSSL's way, and what clients are told about it depends on that.

Source: docs/wire/meshes.md#provided-authorities
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass

_BEGIN: Final = b"-----BEGIN "
_END: Final = b"\n-----END "
_DASHES: Final = b"-----"


@dataclass(frozen=True, slots=True)
class PemBlock:
    """`label` is the text after BEGIN (`RSA PRIVATE KEY`)."""

    label: str
    content: bytes


def blocks(text: bytes) -> Iterator[PemBlock]:
    """Those of `text`, in their order. Each byte is looked at a few times, whatever it holds.

    A block is what stands between a last line and the nearest first line before it.
    """
    at = trailer = 0  # where is searched from, and what follows END in the last line
    while at <= trailer:
        at = trailer
        end = text.find(_END, at)
        if end < 0:
            return
        trailer = end + len(_END)
        begin = text.rfind(_BEGIN, at, end)
        if begin < 0 or (begin > at and text[begin - 1 : begin] != b"\n"):
            continue
        label, at = _line(text, begin + len(_BEGIN))
        if not label.endswith(_DASHES):
            continue
        body, has_headers = _after_headers(text, at)
        at = body
        if body >= len(text) or (has_headers and end < body):
            continue
        if not text.startswith(label, trailer):
            continue
        rest, behind = _line(text, trailer + len(label))
        content = None if rest else _decoded(text[body:end])
        if content is not None:
            at = trailer = behind
            yield PemBlock(label[: -len(_DASHES)].decode("latin-1"), content)


def _after_headers(text: bytes, at: int) -> tuple[int, bool]:
    """Where the content begins, and whether headers (`Proc-Type: …`) stand before it."""
    has_headers = False
    while at < len(text):
        line, behind = _line(text, at)
        if b":" not in line:
            break
        at, has_headers = behind, True
    return at, has_headers


def _line(text: bytes, at: int) -> tuple[bytes, int]:
    """The line that begins at `at`, without blanks at its end, and where the next one begins."""
    end = text.find(b"\n", at)
    if end < 0:
        return text[at:].rstrip(b" \t"), len(text)
    stop = end - 1 if end > at and text[end - 1 : end] == b"\r" else end
    return text[at:stop].rstrip(b" \t"), end + 1


def _decoded(text: bytes) -> bytes | None:
    """The content in Base64; None where it is none."""
    characters = text.translate(None, b" \t\r\n")
    if len(characters) % 4:  # Python lets more padding pass than is due
        return None
    try:
        return base64.b64decode(characters, validate=True)
    except binascii.Error:
        return None
