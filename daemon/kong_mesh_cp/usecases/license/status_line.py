"""The license in one line, for systemd's status and for the log."""

from __future__ import annotations

from datetime import datetime

from kong_mesh_cp.core.license.bundled import BundledLicense
from kong_mesh_cp.core.license.selection import RestartVerdict
from kong_mesh_cp.core.license.term import Entitlement, days_left, name
from kong_mesh_cp.usecases.license.views import is_test


def status_line(
    entitlement: Entitlement, restart: RestartVerdict, *, active: int, now: datetime
) -> str:
    """`1 of 20 data plane proxies; license of company_inc until 2032-11-09 (2179 days); …`."""
    over = active - entitlement.dataplanes
    count = f"{active} of {entitlement.dataplanes} data plane proxies"
    parts = [f"{count}, {over} OVER the limit" if over > 0 else count]
    parts.append(f"{_called(entitlement)} {_term(entitlement, now)}")
    if restart.error is not None:
        parts.append(f"restart NOT safe: {restart.error.code}")
    else:
        parts.append("restart safe")
    return "; ".join(parts)


def _called(entitlement: Entitlement) -> str:
    called = name(entitlement).removeprefix("the ")
    return f"TEST {called}" if is_test(entitlement) else called


def _term(entitlement: Entitlement, now: datetime) -> str:
    day = entitlement.expires_at.date()
    if now >= entitlement.expires_at:
        return f"EXPIRED on {day}"
    days = days_left(entitlement.expires_at, now)
    return f"until {day} ({days} {'day' if days == 1 else 'days'})"


def describe(entitlement: Entitlement) -> str:
    """Who may run how many until when, for the log at start: `5 data plane proxies`, no secrets."""
    if isinstance(entitlement, BundledLicense):
        return f"{entitlement.dataplanes} data plane proxies"
    return f"{entitlement.dataplanes} data plane proxies, id {entitlement.id}"
