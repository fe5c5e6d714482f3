"""How control planes on one database tell each other that something has changed.

A notice is a revision of the store in decimal digits, and nothing else. A client that may connect
to the database hears it and may send what he likes, so it is a hint to look at the table and no
more.
"""

from __future__ import annotations

import logging
import re
from typing import Final

from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.shell.store.postgres.address import PostgresAddress

CHANNEL: Final = "kong_mesh_cp"
REVISION_MAX: Final = 2**63 - 1  # bigint
TOLD_SECONDS: Final = 3600.0  # from one line about strange notices to the next

_REVISION: Final = re.compile(rb"[0-9]{1,19}")
# Releases that know no store version 3 list the changes themselves. The list is not read.
_LISTED: Final = b"[["


log = logging.getLogger(__name__)


class StrangeNoticeError(Exception):
    """No release of this program sends that."""


def notice_of(revision: int) -> str:
    """What is sent with a transaction that brings the store to `revision`."""
    # A release that knows no store version 3 takes a number for "read all anew".
    return str(revision)


def revision_of(notice: bytes) -> int | None:
    """What the store is said to be at; None: at something new. Linear, whatever it is given.

    Raises: StrangeNoticeError.
    """
    if _REVISION.fullmatch(notice) and (revision := int(notice)) <= REVISION_MAX:
        return revision
    if notice.startswith(_LISTED):
        return None
    raise StrangeNoticeError


class StrangeNotices:
    """Those that no control plane sends: counted, and logged now and then, never repeated."""

    def __init__(self, address: PostgresAddress) -> None:
        self._address = address
        self._count = 0
        self._told_at: float | None = None

    def note(self, now: float) -> None:
        """One more at `now` (the loop's seconds)."""
        self._count += 1
        if self._told_at is not None and now - self._told_at < TOLD_SECONDS:
            return
        log.warning(
            "store-notice-strange: somebody else sends notices on the channel %s of %s; ignored: "
            "%d. Let nobody else connect to it: REVOKE CONNECT, TEMPORARY ON DATABASE %s "
            "FROM PUBLIC.",
            CHANNEL,
            self._address,
            self._count,
            printable(self._address.database),
        )
        self._told_at, self._count = now, 0
