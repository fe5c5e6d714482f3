"""What the running daemon says of its license, as the questions of `license` answer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.license.bundled import BUNDLED_TERM, BundledLicense
from kong_mesh_cp.core.license.document import License
from kong_mesh_cp.core.license.keyring import KeyPurpose
from kong_mesh_cp.core.license.report import Verdict
from kong_mesh_cp.core.license.term import Entitlement

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


def entitlement(view: View) -> Entitlement:
    """The license that the daemon has verified. Raises: ValueError for what is no such answer."""
    expires_at = datetime.strptime(str(view.get("expirationDate")), _INSTANT).replace(tzinfo=UTC)
    if view.get("demo"):
        return BundledLicense(started_at=expires_at - BUNDLED_TERM)
    return License(
        id=str(view.get("id")),
        customer=str(view.get("customer")),
        product=str(view.get("product")),
        dataplanes=number(view, "allowedDataplaneProxies"),
        created=date.min + timedelta(days=1),  # in force, so it has begun
        expires_at=expires_at,
        key_last4=str(view.get("licenseKeyLast4")),
        unused_fields=(),
        kid=str(view.get("signedBy")),
        purpose=KeyPurpose.TEST if view.get("test") else KeyPurpose.ISSUED,
    )


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
        f"warning: {_text(each, 'code')}: {_text(each, 'message')}"
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
