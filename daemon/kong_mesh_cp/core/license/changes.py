"""What a reload changed, in the words that the log and the API use."""

from __future__ import annotations

from kong_mesh_cp.core.license.bundled import BundledLicense
from kong_mesh_cp.core.license.quoted_text import plain
from kong_mesh_cp.core.license.term import Entitlement

_ID_DIGITS = 12  # enough to tell two licenses apart by eye


def difference(before: Entitlement, after: Entitlement) -> str:
    """`dataplanes 5 → 20, expires 2023-11-09 → 2026-01-01`: what differs, the weightiest first."""
    pairs = [
        ("customer", _customer(before), _customer(after)),
        ("dataplanes", str(before.dataplanes), str(after.dataplanes)),
        ("expires", str(before.expires_at.date()), str(after.expires_at.date())),
        ("signed by", _signer(before), _signer(after)),
        ("id", _id(before), _id(after)),
    ]
    told = [f"{what} {old} → {new}" for what, old, new in pairs[:-1] if old != new]
    # The id alone says nothing to a reader, unless it is all that there is to say.
    return ", ".join(told) or f"id {pairs[-1][1]} → {pairs[-1][2]}"


def reductions(before: Entitlement, after: Entitlement) -> tuple[str, ...]:
    """In what way `after` is smaller than `before`; empty when in none."""
    found: list[str] = []
    if after.dataplanes < before.dataplanes:
        found.append(f"fewer data plane proxies ({before.dataplanes} → {after.dataplanes})")
    if after.expires_at < before.expires_at:
        found.append(f"an earlier end ({before.expires_at.date()} → {after.expires_at.date()})")
    issued = not isinstance(before, BundledLicense) and not isinstance(after, BundledLicense)
    if issued and _customer(before) != _customer(after):
        found.append(f"another customer ({_customer(before)} → {_customer(after)})")
    return tuple(found)


def _customer(entitlement: Entitlement) -> str:
    if isinstance(entitlement, BundledLicense):
        return "none (pre-bundled)"
    return plain(entitlement.customer)


def _signer(entitlement: Entitlement) -> str:
    if isinstance(entitlement, BundledLicense):
        return "nobody"
    return f"{entitlement.purpose} key {entitlement.kid}"


def _id(entitlement: Entitlement) -> str:
    return "none" if isinstance(entitlement, BundledLicense) else entitlement.id[:_ID_DIGITS]
