"""From the bytes of a license document to a `License`, whose existence proves its signature."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from kong_mesh_cp.core.license.keyring import KeyPurpose, Keyring

LICENSE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class License:
    """An issued license whose signature has been checked. Only `verify` makes one."""

    id: str  # sha256 of the canonical payload, lower-case hex
    customer: str
    product: str
    dataplanes: int  # data plane proxies allowed, over all meshes and zones
    created: date
    expires_at: datetime  # aware, UTC; void from this instant on
    key_last4: str  # last four characters of license_key; the key itself is never kept
    unused_fields: tuple[str, ...]  # signed payload fields that this version does not know
    kid: str  # the key of the keyring that signed it
    purpose: KeyPurpose


def verify(document: bytes, keyring: Keyring) -> License:
    """Parse and authenticate a license document, format version 1. The clock is not asked.

    Raises: LicenseRejectedError.
    """
    raise NotImplementedError
