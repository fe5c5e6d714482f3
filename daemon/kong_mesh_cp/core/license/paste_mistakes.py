"""The usual ways to put a license in the wrong place or the wrong wrapping, each with a remedy."""

from __future__ import annotations

import base64
import binascii
import re

from kong_mesh_cp.core.formats.value_shapes import (
    has_blank_ends,
    is_kubernetes_manifest,
    unexpanded,
)
from kong_mesh_cp.core.license.sources import SourceKind

SLIP_CHARACTERS_MAX = 128 * 1024  # a license in base64 and more; what is longer is no slip

MANIFEST = (
    'This is a whole manifest of Kubernetes: take data["license.json"] out of it and decode that'
    " with base64 -d, or take what is below stringData as it stands."
)

_CURLY_QUOTES = re.compile("[“”„‟‘’‚‛«»″]")
_PATH = re.compile(r"['\"]?(?:file://|~|\.{0,2}/)[^{}\n]*|[^\s{}]+\.json['\"]?", re.IGNORECASE)
_SHELL_QUOTED = re.compile(r"['\"]\s*\{.*|\{\s*\\.*|.*\}\s*['\"]", re.DOTALL)
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]++={0,2}+\s*+")
_PATH_KINDS = (SourceKind.PATH, SourceKind.CONFIG_PATH)


def hint_for(kind: SourceKind | None, text: str) -> str | None:
    """What to do about `text`, found where `kind` should hold a path or a document.

    None as `kind` means a document from anywhere. The answer is a sentence that quotes nothing of
    `text`; None when no known slip explains it.
    """
    if len(text) > SLIP_CHARACTERS_MAX:
        return None
    if kind in _PATH_KINDS:
        hint = _path_hint(kind, text.strip())
        if hint is None and has_blank_ends(text):
            return "There is a blank or a line break at an end of the path: remove it."
        return hint
    return _document_hint(kind, text.strip())


def is_document(text: str) -> bool:
    """Whether `text`, found where a path should be, is a wrapped license: never to be shown."""
    text = text.strip()
    return text.startswith("{") or bool(_SHELL_QUOTED.fullmatch(text)) or _is_base64_json(text)


def _path_hint(kind: SourceKind, text: str) -> str | None:
    inline = "license.inline" if kind is SourceKind.CONFIG_PATH else "KMESH_LICENSE_INLINE"
    if (what := unexpanded(text)) is not None:
        return f"It holds {what}, which nothing expands here: write the whole path."
    if is_kubernetes_manifest(text):
        return MANIFEST
    if is_document(text):
        return f"This is a license, not a path: put it into {inline}, or the path of its file here."
    if _CURLY_QUOTES.search(text):
        return "Remove the typographic quotes around the path."
    if text[:1] in {"'", '"'}:
        return "Remove the quotes: they have become part of the path."
    if text.startswith("~"):
        return "Write the whole path: ~ is only expanded by a shell."
    if text.startswith("file://"):
        return "Write the path alone, without file://."
    return None


def _document_hint(kind: SourceKind | None, text: str) -> str | None:
    if _PATH.fullmatch(text) and unexpanded(text) is None:
        path = "license.path" if kind is SourceKind.CONFIG_INLINE else "KMESH_LICENSE_PATH"
        return f"This is the path of a file, not a license: put it into {path}."
    if is_kubernetes_manifest(text):
        return MANIFEST
    # Inside of a license any text may stand.
    if not text.startswith("{") or text.startswith("{{"):
        what = unexpanded(text)
        if what is not None:
            return (
                f"This is {what}, which nothing expands here: put the license itself there, or name"
                " its file in KMESH_LICENSE_PATH."
            )
    if _SHELL_QUOTED.fullmatch(text):
        return "Remove the quotes and backslashes around the JSON that were meant for a shell."
    if _is_base64_json(text):
        return "This is base64 of the license: decode it with base64 -d first."
    if _CURLY_QUOTES.search(text):
        return (
            "It holds typographic (curly) quotes, which JSON does not know: take the file as it was"
            " issued, not from a word processor or a mail."
        )
    return None


def _is_base64_json(text: str) -> bool:
    if not _BASE64.fullmatch(text):
        return False
    joined = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        decoded = base64.b64decode(joined + "=" * (-len(joined) % 4))
    except binascii.Error:
        return False
    return decoded.lstrip()[:1] == b"{"
