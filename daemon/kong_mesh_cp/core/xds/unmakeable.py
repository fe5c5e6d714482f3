"""What is said of a part that cannot be made."""

from __future__ import annotations


class UnmakeableError(Exception):
    """A part of a configuration cannot be made; the text says why, without a full stop."""
