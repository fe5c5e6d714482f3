"""The token that a proxy shows, out of a file or an option."""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import Final

from kong_mesh_cp.core.formats.printable import printable
from kuma_dp.errors import NotMendedByWaitingError
from kumactl import key_files
from kumactl.errors import UsageError

_PARTS: Final = 3  # of a JSON Web Token: RFC 7519
_REMARK: Final = "#"  # begins no token, so that it may be shown


def token_of(path: str, inline: str, proxy_type: str = "dataplane") -> str:
    """The token, without blanks around it; "" where none is given. No error shows it.

    Raises: NotMendedByWaitingError (`dataplane-token-unreadable`, `dataplane-token-malformed`).
    """
    if inline:
        return _checked(inline, "--dataplane-token", proxy_type)
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
    return _checked(content.decode(errors="replace"), path, proxy_type)


def _checked(text: str, source: str, proxy_type: str) -> str:
    """`text` without blanks around it. Raises: NotMendedByWaitingError for what is no token."""
    token = text.strip()
    if wrong := _wrong(token):
        raise NotMendedByWaitingError(
            f"{source} {wrong}",
            code="dataplane-token-malformed",
            hint=f"Make one with `{_command(proxy_type)}`.",
        )
    return token


def _wrong(token: str) -> str:
    """What is wrong with it, "" for nothing."""
    if not token:
        return "is empty"
    if token.startswith(_REMARK) and len(token.splitlines()) == 1:
        return f"holds nothing but the remark {printable(token)!r}"
    if any(not "!" <= character <= "~" for character in token):
        return "has line breaks, blanks or odd letters inside of the token"
    parts = token.split(".")
    return "" if len(parts) == _PARTS and _has_algorithm(parts[0]) else "holds no JSON Web Token"


def _command(proxy_type: str) -> str:
    if proxy_type == "dataplane":
        return "kumactl generate dataplane-token --mesh MESH --name NAME --valid-for 720h"
    return f"kumactl generate zone-token --zone ZONE --scope {proxy_type} --valid-for 720h"


def _has_algorithm(header: str) -> bool:
    try:
        decoded = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (binascii.Error, ValueError):
        return False
    return isinstance(decoded, dict) and bool(decoded.get("alg"))
