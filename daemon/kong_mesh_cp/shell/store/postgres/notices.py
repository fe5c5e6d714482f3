"""How control planes on one database tell each other that something has changed.

A notice is a revision of the store in decimal digits, and nothing else. Whoever may connect to the
database hears it and may send what he likes, so it is a hint to look at the table and no more.
"""

from __future__ import annotations

import re
from typing import Final

CHANNEL: Final = "kong_mesh_cp"
REVISION_MAX: Final = 2**63 - 1  # bigint

_REVISION: Final = re.compile(rb"[0-9]{1,19}")
# Releases that know no store version 3 list the changes themselves. The list is not read.
_LISTED: Final = b"[["


class StrangeNoticeError(Exception):
    """No release of this program sends that."""


def notice_of(revision: int) -> str:
    """What is sent with a transaction that brings the store to `revision`."""
    # A release that knows no store version 3 takes a number for "read all anew".
    return str(revision)


def calls_for_a_look(notice: bytes, known: int) -> bool:
    """Whether the table may hold more than the revision `known`. Linear, whatever it is given.

    Raises: StrangeNoticeError.
    """
    if _REVISION.fullmatch(notice) and (revision := int(notice)) <= REVISION_MAX:
        return revision > known
    if notice.startswith(_LISTED):
        return True
    raise StrangeNoticeError
