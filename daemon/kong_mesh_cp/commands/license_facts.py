"""What `license` commands print as JSON or TOML. Names as in `GET /license?view=full`.

A fact that is not known is left out: TOML has no null.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.license.document import License
from kong_mesh_cp.core.license.payload import Payload
from kong_mesh_cp.core.license.report import Report
from kong_mesh_cp.core.license.simulate import Simulation
from kong_mesh_cp.core.license.term import days_left, instant
from kong_mesh_cp.core.license.warnings import LicenseWarning


def of_report(report: Report, *, overridden: bool) -> dict[str, object]:
    """The verdict first, then what is known of the document; claims only under `unverified`."""
    facts: dict[str, object] = {"verdict": report.verdict.value}
    if report.source:
        facts["source"] = report.source
    facts["keyring"] = "override" if overridden else "built-in"
    if report.refusal is not None:
        facts["error"] = _error(report.refusal)
    if report.license is not None:
        facts |= _of_license(report.license, report.now)
        facts["warnings"] = _warnings(report.warnings)
    if report.unverified is not None:
        facts["unverified"] = {"id": report.unverified.id} | _of_payload(report.unverified.payload)
    return facts


def of_simulation(outcome: Simulation | None, *, now: datetime, active: int) -> dict[str, object]:
    """`outcome` None: there is no license to ask about, so nothing starts."""
    supposed: dict[str, object] = {"at": instant(now), "activeDataplaneProxies": active}
    if outcome is None:
        return {"simulation": supposed | {"starts": False}}
    answers: dict[str, object] = {"starts": outcome.starts, "admits": outcome.admits}
    if outcome.refusal is not None:
        answers["refusal"] = _error(outcome.refusal)
    answers["warnings"] = _warnings(outcome.warnings)
    return {"simulation": supposed | answers}


def _of_license(license_: License, now: datetime) -> dict[str, object]:
    return {
        "id": license_.id,
        "customer": license_.customer,
        "product": license_.product,
        "allowedDataplaneProxies": license_.dataplanes,
        "creationDate": license_.created.isoformat(),
        "expirationDate": instant(license_.expires_at),
        "daysLeft": days_left(license_.expires_at, now),
        "demo": False,
        "licenseKeyLast4": license_.key_last4,
        "signedBy": {"kid": license_.kid, "purpose": license_.purpose.value},
        "unusedFields": list(license_.unused_fields),
    }


def _of_payload(payload: Payload) -> dict[str, object]:
    return {
        "customer": payload.customer,
        "product": payload.product,
        "allowedDataplaneProxies": payload.dataplanes,
        "creationDate": payload.created.isoformat(),
        "expirationDate": instant(payload.expires_at),
        "licenseKeyLast4": payload.key_last4,
        "unusedFields": list(payload.unused_fields),
    }


def _warnings(found: Sequence[LicenseWarning]) -> list[dict[str, str]]:
    return [
        {"code": warning.code, "message": warning.what, "hint": warning.hint} for warning in found
    ]


def _error(error: ControlPlaneError) -> dict[str, str]:
    return {"code": error.code, "message": error.message, "hint": error.hint}
