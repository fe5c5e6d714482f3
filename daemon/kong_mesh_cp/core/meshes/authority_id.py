"""AuthorityId: which backend of which mesh."""

from __future__ import annotations

from typing import NamedTuple


class AuthorityId(NamedTuple):
    """A backend of mTLS."""

    mesh: str
    backend: str
