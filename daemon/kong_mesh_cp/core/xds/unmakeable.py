"""What is said of a part that cannot be made."""

from __future__ import annotations

from decimal import Decimal

from kong_mesh_cp.core.schema.value_checks import decimal


class UnmakeableError(Exception):
    """A part of a configuration cannot be made; the text says why, without a full stop."""


def number(said: int | str, what: str) -> Decimal:
    """What is `said` of `what`. Raises: UnmakeableError."""
    found = decimal(said)
    if found is None:
        raise UnmakeableError(f"{what} is no number")
    return found
