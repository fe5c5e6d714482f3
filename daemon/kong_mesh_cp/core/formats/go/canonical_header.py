"""Names of headers as Go's net/textproto writes them."""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]*")  # RFC 9110 section 5.6.2


def canonical_header(name: str) -> str:
    """`name` with a capital letter at the start of each of its parts; as it is where it is none."""
    if not _TOKEN.fullmatch(name):
        return name
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))
