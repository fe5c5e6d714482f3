"""The token that a proxy shows, out of a file or an option."""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import Final

from kuma_dp.errors import NotMendedByWaitingError
from kumactl import key_files
from kumactl.errors import UsageError

_PARTS: Final = 3  # of a JSON Web Token: RFC 7519
_HINT: Final = "Make one with `kumactl generate dataplane-token --mesh MESH --name NAME`."


def token_of(path: str, inline: str) -> str:
    """The token, without blanks around it; "" where none is given. No error shows it.

    Raises: NotMendedByWaitingError (`dataplane-token-unreadable`, `dataplane-token-malformed`).
    """
    if inline:
        return checked(inline, "--dataplane-token")
    if not path:
        return ""
    try:
        content = key_files.read(Path(path))
    except UsageError as error:
        raise NotMendedByWaitingError(
            error.message,
            code="dataplane-token-unreadable",
            hint="Correct --dataplane-token-file, or let the user of kuma-dp read the file.",
        ) from None
    return checked(content.decode(errors="replace"), path)


def checked(text: str, source: str) -> str:
    """`text` without blanks around it. Raises: NotMendedByWaitingError for what is no token."""
    token = text.strip()
    if not token:
        raise _malformed(f"{source} is empty")
    if any(not "!" <= character <= "~" for character in token):
        raise _malformed(f"{source} has line breaks, blanks or odd letters inside of the token")
    parts = token.split(".")
    if len(parts) != _PARTS or not _has_algorithm(parts[0]):
        raise _malformed(f"{source} holds no JSON Web Token")
    return token


def _has_algorithm(header: str) -> bool:
    try:
        decoded = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (binascii.Error, ValueError):
        return False
    return isinstance(decoded, dict) and bool(decoded.get("alg"))


def _malformed(message: str) -> NotMendedByWaitingError:
    return NotMendedByWaitingError(message, code="dataplane-token-malformed", hint=_HINT)
