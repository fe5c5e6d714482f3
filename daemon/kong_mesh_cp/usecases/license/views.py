"""Views of the license for everyone, for administrators, and for proxies that join."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache

from kong_mesh_cp.core.admission.ledger import Occupancy, SeatPolicy
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.license.bundled import BundledLicense
from kong_mesh_cp.core.license.keyring import KeyPurpose
from kong_mesh_cp.core.license.selection import RestartVerdict
from kong_mesh_cp.core.license.sources import Choice
from kong_mesh_cp.core.license.term import Entitlement, instant
from kong_mesh_cp.core.license.warnings import LicenseWarning
from kong_mesh_cp.usecases.license.license_changes import LicenseChange


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicLicense:
    """`GET /license` for everybody: the four documented fields, in the documented order."""

    allowed: int
    active: int
    expires_at: datetime
    demo: bool

    def document(self) -> dict[str, object]:
        return {
            "allowedDataplaneProxies": self.allowed,
            "activeDataplaneProxies": self.active,
            "expirationDate": instant(self.expires_at),
            "demo": self.demo,
        }


@dataclass(frozen=True, slots=True)
class WarningView:
    """A condition that holds, since when, and what ends it."""

    code: str
    what: str
    since: datetime
    hint: str = ""

    @classmethod
    def of(cls, warning: LicenseWarning, since: datetime) -> WarningView:
        return cls(warning.code, warning.what, since, warning.hint)

    @property
    def message(self) -> str:
        """Both in one text, for a line of an admission."""
        return f"{self.what}. {self.hint}" if self.hint else self.what

    def document(self) -> dict[str, object]:
        return {
            "code": self.code,
            "message": self.what,
            "hint": self.hint,
            "since": instant(self.since),
        }


@dataclass(frozen=True, slots=True)
class PendingError:
    """Why what the sources say now is not in force."""

    error: ControlPlaneError
    since: datetime
    subject: str  # the same for the same failure, so that it is logged once

    def document(self) -> dict[str, object]:
        return {**refusal(self.error), "since": instant(self.since)}


@dataclass(frozen=True, slots=True, kw_only=True)
class FullLicense:
    """`GET /license?view=full` for administrators. Still neither license key nor signature."""

    public: PublicLicense
    entitlement: Entitlement
    choice: Choice | None
    days_left: int
    restart: RestartVerdict
    clock_suspect: bool
    keyring_override: bool
    warnings: tuple[WarningView, ...]
    pending_error: PendingError | None
    occupancy: Occupancy
    changes: tuple[LicenseChange, ...] = ()  # oldest first

    def document(self) -> dict[str, object]:
        return {
            **self.public.document(),
            **_identity(self.entitlement),
            **_origin(self.choice),
            "daysLeft": self.days_left,
            "restartSafe": self.restart.safe,
            "restartError": refusal(self.restart.error) if self.restart.error else None,
            "clockSuspect": self.clock_suspect,
            "keyring": "override" if self.keyring_override else "built-in",
            "warnings": [warning.document() for warning in self.warnings],
            "pendingError": self.pending_error.document() if self.pending_error else None,
            "seats": {
                "byMesh": _sorted(self.occupancy.by_mesh),
                "byZone": _sorted(self.occupancy.by_zone),
                "reserved": self.occupancy.reserved,
                "elsewhere": self.occupancy.elsewhere,
                "quotas": self.occupancy.quotas.document(),
            },
            "highWaterMarks": _days(self.occupancy.high_water),
            "changes": [change.document() for change in self.changes],
        }


def refusal(error: ControlPlaneError) -> dict[str, object]:
    """A refusal as the API shows it."""
    return {"code": error.code, "message": error.message, "hint": error.hint}


def is_test(entitlement: Entitlement) -> bool:
    """Signed by a key for tests: everything that shows the license says so."""
    return not isinstance(entitlement, BundledLicense) and entitlement.purpose is KeyPurpose.TEST


def _identity(entitlement: Entitlement) -> dict[str, object]:
    if isinstance(entitlement, BundledLicense):
        nothing = dict.fromkeys(
            ("id", "customer", "product", "creationDate", "licenseKeyLast4", "signedBy")
        )
        return {**nothing, "test": False, "unusedFields": []}
    return {
        "id": entitlement.id,
        "customer": entitlement.customer,
        "product": entitlement.product,
        "creationDate": entitlement.created.isoformat(),
        "licenseKeyLast4": entitlement.key_last4,
        "signedBy": entitlement.kid,
        "test": is_test(entitlement),
        "unusedFields": list(entitlement.unused_fields),
    }


def _origin(choice: Choice | None) -> dict[str, object]:
    if choice is None:
        return {"source": "pre-bundled", "otherSources": []}
    return {
        "source": choice.winner.source,
        "otherSources": [loser.source for loser in choice.losers],
    }


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _days(marks: Mapping[date, int]) -> dict[str, int]:
    return {day.isoformat(): marks[day] for day in sorted(marks)}


# Asked for by every decision, and hardly ever different from the last time.
@lru_cache(maxsize=8)
def seat_policy_of(limit: int, demo: bool) -> SeatPolicy:  # noqa: FBT001
    """What a license of `limit` seats lets the ledger do."""
    return SeatPolicy(limit=limit, refuse_when_full=demo, demo=demo)
