"""What an operator should know about the license in force, in stable codes and whole sentences."""

from __future__ import annotations

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.license.bundled import BundledLicense
from kong_mesh_cp.core.license.keyring import KeyPurpose
from kong_mesh_cp.core.license.renewal import renewal
from kong_mesh_cp.core.license.sources import Choice
from kong_mesh_cp.core.license.term import (
    Current,
    Entitlement,
    Expired,
    ExpiringSoon,
    Term,
    instant,
    name,
)

_RENEW = "Put a renewed license in its place and run: systemctl reload kong-mesh-cp"


@dataclass(frozen=True, slots=True)
class LicenseWarning:
    """A condition that an operator should end. `code` is stable; `hint` says how to end it."""

    code: str
    what: str
    hint: str = ""

    @property
    def message(self) -> str:
        """Both in one text, for whoever shows no more than that."""
        return f"{self.what}. {self.hint}" if self.hint else self.what


def current(
    entitlement: Entitlement,
    term: Term,
    *,
    active: int,
    clock_suspect: bool = False,
    keyring_override: bool = False,
    sources: Choice | None = None,
) -> tuple[LicenseWarning, ...]:
    """Every condition that holds now, the most pressing first; empty when all is well."""
    remedy = _renewal(entitlement, sources)
    found = [_term_warning(entitlement, term, remedy)]
    if active > entitlement.dataplanes:
        found.append(_over_limit(entitlement, active, remedy))
    if clock_suspect:
        found.append(
            LicenseWarning(
                "clock-suspect",
                "the clock of this machine has been set back by more than a day and is not believed"
                " for the license",
                "Set it right; if it is right: kong-mesh-cp license reset-clock --reason TEXT",
            )
        )
    if not isinstance(entitlement, BundledLicense) and entitlement.purpose is KeyPurpose.TEST:
        found.append(
            LicenseWarning(
                "test-key",
                f"TEST: {name(entitlement)} is signed by the test key {entitlement.kid}",
                "Use a license that was issued for production.",
            )
        )
    if keyring_override:
        found.append(
            LicenseWarning(
                "keyring-override",
                "the keyring of this build is replaced by --license-keyring",
                "Remove the flag to trust the vendor's keys alone.",
            )
        )
    if sources is not None and sources.conflicting:
        found.append(_conflict(sources))
    return tuple(warning for warning in found if warning is not None)


def _renewal(entitlement: Entitlement, sources: Choice | None) -> str:
    if sources is None and not isinstance(entitlement, BundledLicense):
        return _RENEW  # a document that was checked without a source
    return renewal(sources, running=True)


def _term_warning(entitlement: Entitlement, term: Term, remedy: str) -> LicenseWarning | None:
    match term:
        case Current():
            return None
        case ExpiringSoon(days_left):
            return LicenseWarning(
                "expires-soon",
                f"{name(entitlement)} has {_days(days_left)} left and ends at"
                f" {instant(entitlement.expires_at)}",
                remedy,
            )
        case Expired(since):
            return LicenseWarning(
                "expired",
                f"{name(entitlement)} has 0 days left: it ended at {instant(since)}, and the next"
                " start will be refused",
                remedy,
            )


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


def _over_limit(entitlement: Entitlement, active: int, remedy: str) -> LicenseWarning:
    allowed = entitlement.dataplanes
    count = f"{active} data plane proxies are connected, and the license allows {allowed}"
    if isinstance(entitlement, BundledLicense):
        return LicenseWarning("over-limit", f"{count}; no new ones are admitted", remedy)
    return LicenseWarning(
        "over-limit",
        f"{count}; new ones are still admitted",
        f"Ask the vendor for a license of {active} or more. {remedy}",
    )


def _conflict(sources: Choice) -> LicenseWarning:
    losers = ", ".join(loser.source for loser in sources.losers)
    return LicenseWarning(
        "sources-conflict",
        f"several licenses are set and differ: {sources.winner.source} is used, not {losers}",
        "Remove the ones that are not meant.",
    )
