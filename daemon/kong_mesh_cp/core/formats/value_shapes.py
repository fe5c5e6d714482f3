"""What a text looks like that stands where something else belongs. No answer quotes any of it."""

from __future__ import annotations

import re
from typing import Final

SHAPED_CHARACTERS_MAX: Final = 4096  # PATH_MAX; what is longer is looked at no further

QUOTES: Final = "'\"`“”„‟‘’‚‛«»″"
_VARIABLE: Final = re.compile(r"(?:^|[/:=,])\$([A-Z_][A-Z0-9_]{0,30})\b")
_ANY_VARIABLE: Final = re.compile(r"(?:^|[/:=,])\$[A-Za-z_]|\$\{|^%[A-Za-z]/|^%[A-Za-z_]+%")
_REPLACED_LATER: Final = re.compile(r"<[A-Za-z][A-Za-z0-9 ._-]*>|@[A-Z][A-Z0-9_]*@|__[A-Z_]+__")
_TOKEN: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.")
_PASSWORD: Final = re.compile(
    r"\b\w{0,20}(?:password|passwd|pwd|secret|token|api_?key)\s{0,3}[=:]", re.IGNORECASE
)
_PEM: Final = "-----BEGIN"
_PEM_IN_BASE64: Final = "LS0tLS1CRUdJTi"
_WORD: Final = re.compile(r"[^/.]*")


def unexpanded(text: str) -> str | None:
    """What in `text` nobody expanded, as the middle of a sentence: `$HOME`, `a command, $(…)`."""
    shown = text[:SHAPED_CHARACTERS_MAX]
    if "{{" in shown:
        return "a place of a template, {{ … }}"
    if "$(" in shown or (shown.startswith("`") and shown.rstrip().endswith("`")):
        return "a command of a shell, $(…)"
    if named := _VARIABLE.search(shown):
        return f"the variable ${named[1]}"
    if _ANY_VARIABLE.search(shown):
        return "a variable"
    if _REPLACED_LATER.fullmatch(shown.strip()):
        return "a placeholder"
    return None


def is_quoted(text: str) -> bool:
    """Between quotes, of any kind, that have become a part of it."""
    inner = text.strip()
    return len(inner) > 1 and inner[0] in QUOTES and inner[-1] in QUOTES


def has_blank_ends(text: str) -> bool:
    return text != text.strip()


def is_url(text: str) -> bool:
    return "://" in text[:SHAPED_CHARACTERS_MAX]


def is_pem(text: str) -> bool:
    """A key or a certificate itself, also in base64."""
    return _PEM in text or _PEM_IN_BASE64 in text


def is_kubernetes_manifest(text: str) -> bool:
    """YAML or JSON of an object of Kubernetes, say a Secret."""
    start = text.lstrip()[:SHAPED_CHARACTERS_MAX]
    return "apiVersion" in start and "kind" in start


def secret_in(text: str) -> str | None:
    """What of `text` may be a secret, as `a token`; None for what can be shown."""
    if len(text) > SHAPED_CHARACTERS_MAX:
        return f"a text of {len(text)} characters"
    if is_pem(text):
        return "a key or a certificate itself"
    if _TOKEN.search(text):
        return "a token"
    if is_url(text) and "@" in text.partition("://")[2]:
        return "a URL with a user in it"
    user, at, _ = text.partition("@")
    if at and ":" in user and "/" not in user:
        return "a user with a password"
    if _PASSWORD.search(text):
        return "a text with a password in it"
    if text.lstrip().startswith(("{", "[{")) and '"' in text:
        return "a JSON document"
    return None


def could_be_file(text: str) -> bool:
    """False for what may be a secret where the path of a file belongs: PEM, JSON, one bare word."""
    if secret_in(text) is not None or any(c in text for c in "{}\n\0"):
        return False
    return not _WORD.fullmatch(text.strip(f" \t{QUOTES}"))
