"""What the running daemon says of its license, as the questions of `license` answer it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from kong_mesh_cp.commands import license_text
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.license.bundled import BUNDLED_TERM, BundledLicense
from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.core.license.report import Verdict
from kong_mesh_cp.core.license.simulate import Simulation, simulate
from kong_mesh_cp.core.license.term import WARNING_TERM, days_left, instant
from kong_mesh_cp.core.license.warnings import LicenseWarning

View = Mapping[str, object]  # the answer to GET /v1/license: docs/operations.md has its members

_FACTS: Final = (
    *("source", "otherSources", "keyring", "id", "customer", "product", "licenseKeyLast4"),
    *("allowedDataplaneProxies", "activeDataplaneProxies", "expirationDate", "daysLeft", "demo"),
    *("test", "signedBy", "unusedFields", "clockSuspect", "warnings"),
    *("restartSafe", "restartError", "pendingError"),
)
_INSTANT: Final = "%Y-%m-%dT%H:%M:%SZ"


def verdict(view: View) -> Verdict:
    """What a start right now would make of it, as for a license in a file."""
    error = view.get("restartError")
    if view.get("restartSafe") is False:
        code = error.get("code") if isinstance(error, Mapping) else None
        return Verdict.EXPIRED if code == "license-expired" else Verdict.INVALID
    if view.get("demo"):
        return Verdict.NONE
    return Verdict.VALID_WITH_WARNINGS if view.get("warnings") else Verdict.VALID


def facts(view: View) -> dict[str, object]:
    """For JSON and TOML, which has no null."""
    told = {name: view[name] for name in _FACTS if view.get(name) is not None}
    return {"verdict": verdict(view).value, **told}


def simulated(view: View, *, now: datetime, active: int) -> tuple[Simulation, list[str]]:
    """What would happen at `now` with `active` counted proxies, and the lines that say so.

    Raises: ValueError for what is no answer of the daemon.
    """
    expires_at = datetime.strptime(str(view.get("expirationDate")), _INSTANT).replace(tzinfo=UTC)
    if view.get("demo"):
        bundled = BundledLicense(started_at=expires_at - BUNDLED_TERM)
        outcome = simulate(bundled, now=now, dataplanes=active)
        return outcome, license_text.simulated(bundled, outcome, now=now, active=active)
    refusal = None
    if now >= expires_at:
        ended = f"ended at {instant(expires_at)}"
        refusal = LicenseRejectedError(
            Fault.EXPIRED, ended, subject=_name(view), hint="Put a renewed one in its place."
        )
    # An issued license never refuses a proxy, not even when it has ended: see docs/license.md.
    outcome = Simulation(
        starts=refusal is None,
        refusal=refusal,
        admits=True,
        warnings=tuple(_expected(view, expires_at, now=now, active=active)),
    )
    starts = "no" if refusal else "yes"
    lines = [
        f"start: {starts}, at {instant(now)} with {active} data plane proxies connected",
        f"admit one more: yes, {number(view, 'allowedDataplaneProxies')} allowed by {_name(view)}",
        "known proxies: always admitted",
    ]
    return outcome, lines + [f"warning: {one.code}: {one.message}" for one in outcome.warnings]


def _expected(
    view: View, expires_at: datetime, *, now: datetime, active: int
) -> Iterator[LicenseWarning]:
    left = days_left(expires_at, now)
    if now >= expires_at:
        yield LicenseWarning("expired", f"{_name(view)} has ended at {instant(expires_at)}")
    elif expires_at - now < WARNING_TERM:
        yield LicenseWarning("expires-soon", f"{_name(view)} has {left} days left")
    allowed = number(view, "allowedDataplaneProxies")
    if active > allowed:
        message = f"{active} are connected, and {allowed} allowed; new ones are still admitted"
        yield LicenseWarning("over-limit", message)


def number(view: View, name: str) -> int:
    found = view.get(name)
    return found if isinstance(found, int) else 0


def _verified(view: View) -> list[str]:
    return [f"{verdict(view).value}: {_summary(view)}", *_conditions(view)]


def _inspected(view: View) -> list[str]:
    rows = {
        "verdict": verdict(view).value,
        "source": _text(view, "source"),
        "id": _text(view, "id"),
        "customer": _text(view, "customer"),
        "product": _text(view, "product"),
        "data plane proxies": _text(view, "allowedDataplaneProxies"),
        "in use": _text(view, "activeDataplaneProxies"),
        "ends": _text(view, "expirationDate"),
        "days left": _text(view, "daysLeft"),
        "license key": f"…{_text(view, 'licenseKeyLast4')}" if view.get("licenseKeyLast4") else "",
        "signed by": _text(view, "signedBy"),
    }
    width = max(map(len, rows)) + 2
    lines = [f"{title:<{width}}{text}" for title, text in rows.items() if text]
    return lines + _conditions(view)


def _explained(view: View) -> list[str]:
    allowed, active = _text(view, "allowedDataplaneProxies"), _text(view, "activeDataplaneProxies")
    return [
        f"In force is {_name(view)}, from {_text(view, 'source')}.",
        f"It allows {allowed} data plane proxies over all meshes and zones; {active} are in use.",
        f"It ends at {_text(view, 'expirationDate')}, in {_text(view, 'daysLeft')} days.",
        *_conditions(view),
    ]


TEXTS: Final[Mapping[str, Callable[[View], list[str]]]] = {
    "verify": _verified,
    "inspect": _inspected,
    "explain": _explained,
}


def _conditions(view: View) -> list[str]:
    warnings = view.get("warnings")
    lines = [
        f"warning: {_text(each, 'code')}: {_text(each, 'message')}. {_text(each, 'hint')}"
        for each in (warnings if isinstance(warnings, list) else ())
    ]
    for member, what in (("pendingError", "not taken over"), ("restartError", "a restart now")):
        error = view.get(member)
        if isinstance(error, Mapping):
            told = f"{_text(error, 'code')}: {_text(error, 'message')}. {_text(error, 'hint')}"
            refused = " would be refused" if member == "restartError" else ""
            lines.append(f"{what}{refused}: {told}")
    return lines


def _summary(view: View) -> str:
    return (
        f"{_name(view)}, {_text(view, 'allowedDataplaneProxies')} data plane proxies, until"
        f" {_text(view, 'expirationDate')} ({_text(view, 'daysLeft')} days left)"
    )


def _name(view: View) -> str:
    if view.get("demo"):
        return "the pre-bundled license"
    return f"the license of {_text(view, 'customer')}"


def _text(view: Mapping[str, object], member: str) -> str:
    found = view.get(member)
    return "" if found is None else printable(str(found))
