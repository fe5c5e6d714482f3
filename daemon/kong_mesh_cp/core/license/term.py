"""How long a license lasts, and where `now` falls in its life. Callers own the clock."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.license.bundled import BUNDLED_TERM, BundledLicense
from kong_mesh_cp.core.license.document import License
from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.core.license.quoted_text import plain
from kong_mesh_cp.core.license.renewal import renewal

Entitlement = License | BundledLicense

WARNING_TERM = timedelta(days=30)  # less than this left: every answer and log says so
BUNDLED_WARNING_TERM = timedelta(days=14)  # its whole term is thirty days: not from the first day
CREATION_SLACK = timedelta(hours=24)  # vendor and customer may sit in different time zones


@dataclass(frozen=True, slots=True)
class Current:
    """No need to hurry: WARNING_TERM or more is left."""


@dataclass(frozen=True, slots=True)
class ExpiringSoon:
    """Valid, for less than WARNING_TERM; BUNDLED_WARNING_TERM for the pre-bundled license."""

    days_left: int


@dataclass(frozen=True, slots=True)
class Expired:
    """Void from `since` on, that instant included."""

    since: datetime  # aware, UTC


Term = Current | ExpiringSoon | Expired


def term_at(entitlement: Entitlement, now: datetime) -> Term:
    """Where `now` (aware, the effective time) falls in the life of `entitlement`."""
    if now >= entitlement.expires_at:
        return Expired(since=entitlement.expires_at)
    bundled = isinstance(entitlement, BundledLicense)
    if entitlement.expires_at - now < (BUNDLED_WARNING_TERM if bundled else WARNING_TERM):
        return ExpiringSoon(days_left=days_left(entitlement.expires_at, now))
    return Current()


def days_left(expires_at: datetime, now: datetime) -> int:
    """Whole days until `expires_at`, rounded down, never below 0. Everything shows this number."""
    return max(0, (expires_at - now) // timedelta(days=1))


def require_startable(entitlement: Entitlement, now: datetime) -> None:
    """Whether a control plane may start on `entitlement`. A running one is never asked.

    Raises: LicenseRejectedError `expired`, or `not-yet-valid` for a license that was created more
    than 24 hours after `now`.
    """
    if now >= entitlement.expires_at:
        raise _expired(entitlement)
    if isinstance(entitlement, BundledLicense):
        return
    created_at = datetime.combine(entitlement.created, time.min, tzinfo=UTC)
    # Subtracting cannot overflow where adding to `now` could.
    if created_at - now > CREATION_SLACK:
        raise LicenseRejectedError(
            Fault.NOT_YET_VALID,
            f"was created on {entitlement.created}, which is after now ({instant(now)})",
            subject=name(entitlement),
            hint="Check the clock of this machine with: timedatectl. If it is right, the license"
            " starts later.",
        )


def name(entitlement: Entitlement) -> str:
    """How sentences call it: `the license of company_inc`, `the pre-bundled license`."""
    if isinstance(entitlement, BundledLicense):
        return "the pre-bundled license"
    return f"the license of {plain(entitlement.customer)}"


def instant(at: datetime) -> str:
    """`2032-11-09T00:00:00Z`: the one form in which instants are printed. Fractions are cut."""
    whole = at.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    return f"{whole.isoformat()}Z"


def _expired(entitlement: Entitlement) -> LicenseRejectedError:
    if isinstance(entitlement, BundledLicense):
        return LicenseRejectedError(
            Fault.EXPIRED,
            f"ended at {instant(entitlement.expires_at)}, {BUNDLED_TERM.days} days after the first"
            " start",
            subject=name(entitlement),
            hint=renewal(None, running=False),
        )
    return LicenseRejectedError(
        Fault.EXPIRED,
        f"ended at {instant(entitlement.expires_at)}",
        subject=name(entitlement),
        hint="Put a renewed file there and run: systemctl start kong-mesh-cp",
    )
