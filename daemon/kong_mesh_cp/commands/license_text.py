"""What `license` commands print for people. Refusals are printed by the command, on stderr."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from kong_mesh_cp.core.license.bundled import BUNDLED_DATAPLANES, BUNDLED_TERM, BundledLicense
from kong_mesh_cp.core.license.document import License
from kong_mesh_cp.core.license.fault import Fault
from kong_mesh_cp.core.license.keyring import KeyPurpose
from kong_mesh_cp.core.license.payload import Payload
from kong_mesh_cp.core.license.quoted_text import plain
from kong_mesh_cp.core.license.report import Report, Verdict
from kong_mesh_cp.core.license.simulate import Simulation
from kong_mesh_cp.core.license.term import Entitlement, days_left, instant, name

_NONE = (
    f"No license is set: the pre-bundled one applies, {BUNDLED_DATAPLANES} data plane proxies for"
    f" {BUNDLED_TERM.days} days from the first start."
)
_NEVER_COUNTED = "Gateways and zone proxies are never counted."
_AFTER_THE_END = (
    "The daemon would refuse to start with it. One that is already running goes on, admits every"
    " proxy and warns."
)
_IN_FORCE = (
    "The daemon would start with it. Over the limit it admits and warns; after the end it keeps"
    " running and admitting, but is not started again."
)


def verified(report: Report) -> list[str]:
    """One line for a good license and one for each warning; nothing for a refused one."""
    if report.verdict is Verdict.NONE:
        return [_NONE]
    if report.license is None or report.refusal is not None:
        return []
    return [f"{report.verdict.value}: {_summary(report.license, report.now)}", *_warnings(report)]


def inspected(report: Report) -> list[str]:
    """Every field; those of a document without an accepted signature are marked as claims."""
    if report.verdict is Verdict.NONE:
        return [_NONE]
    rows: dict[str, str] = {"verdict": report.verdict.value, "source": report.source}
    if report.license is not None:
        rows |= _rows(report.license, report.license.id)
        rows["days left"] = str(days_left(report.license.expires_at, report.now))
        rows["signed by"] = f"{report.license.kid} ({_purpose(report.license.purpose)})"
    elif report.unverified is not None:
        rows["signature"] = "NOT ACCEPTED: what follows is only claimed"
        rows |= _rows(report.unverified.payload, report.unverified.id)
    width = max(len(title) for title in rows) + 2
    return [f"{title:<{width}}{text}" for title, text in rows.items()] + _warnings(report)


def explained(report: Report) -> list[str]:
    """Sentences: what it is, who signed it, what is unused, when it ends, what a daemon does."""
    if report.verdict is Verdict.NONE:
        return [_NONE, *_bundled_behaviour()]
    if report.license is None:
        return _explained_refusal(report)
    license_ = report.license
    lines = [
        f"This is {name(license_)} for {license_.product}, created on {license_.created}.",
        f"It allows {license_.dataplanes} data plane proxies over all meshes and zones. "
        + _NEVER_COUNTED,
        f"It is signed by the key {license_.kid}, {_purpose(license_.purpose)}.",
        f"Its id is {license_.id}.",
    ]
    if license_.unused_fields:
        fields = ", ".join(license_.unused_fields)
        lines.append(f"Signed, but not used by this version: {fields}.")
    lines += _explained_term(report, license_)
    return lines + _warnings(report)


def simulated(
    entitlement: Entitlement | None, outcome: Simulation | None, *, now: datetime, active: int
) -> list[str]:
    """What would happen at `now` with `active` counted proxies connected."""
    supposition = f"at {instant(now)} with {active} data plane proxies connected"
    if entitlement is None or outcome is None:
        return [f"start: no, {supposition}"]
    count = f"{entitlement.dataplanes} allowed by {name(entitlement)}"
    if isinstance(entitlement, BundledLicense):
        count += ", taken to start today"
    lines = [
        f"start: {'yes' if outcome.starts else 'no'}, {supposition}",
        f"admit one more: {'yes' if outcome.admits else 'no'}, {count}",
        "known proxies: always admitted",
    ]
    if outcome.refusal is not None and outcome.admits:
        lines.append("a control plane that is already running goes on and admits")
    return lines + [f"warning: {one.code}: {one.message}" for one in outcome.warnings]


TEXTS: Mapping[str, Callable[[Report], list[str]]] = {
    "verify": verified,
    "inspect": inspected,
    "explain": explained,
}


def _summary(license_: License, now: datetime) -> str:
    return (
        f"{name(license_)}, {license_.dataplanes} data plane proxies, until"
        f" {instant(license_.expires_at)} ({days_left(license_.expires_at, now)} days left)"
    )


def _rows(source: License | Payload, identity: str) -> dict[str, str]:
    return {
        "id": identity,
        "customer": plain(source.customer),
        "product": source.product,
        "data plane proxies": str(source.dataplanes),
        "created": source.created.isoformat(),
        "ends": instant(source.expires_at),
        "license key": f"…{plain(source.key_last4)}" if source.key_last4 else "(too short to show)",
        "unused fields": ", ".join(source.unused_fields) or "none",
    }


def _warnings(report: Report) -> list[str]:
    return [f"warning: {one.code}: {one.message}" for one in report.warnings]


def _purpose(purpose: KeyPurpose) -> str:
    match purpose:
        case KeyPurpose.ISSUED:
            return "a key for issued licenses"
        case KeyPurpose.TEST:
            return "a key for TEST licenses"


def _explained_term(report: Report, license_: License) -> list[str]:
    end = instant(license_.expires_at)
    if report.verdict is Verdict.EXPIRED:
        return [f"It ended at {end}.", _AFTER_THE_END]
    left = f"It ends at {end}, in {days_left(license_.expires_at, report.now)} days."
    if report.refusal is not None:
        return [left, "The daemon would refuse to start with it for now."]
    return [left, _IN_FORCE]


def _explained_refusal(report: Report) -> list[str]:
    lines: list[str] = []
    if report.unverified is not None:
        claims = report.unverified.payload
        lines.append(
            f"This claims to be a license of {plain(claims.customer)} for {claims.dataplanes} data"
            f" plane proxies until {instant(claims.expires_at)}, but no trusted key vouches for it."
        )
    else:
        lines.append("This is no license that can be read.")
    lines.append(
        "The daemon would refuse to start with it, and would not fall back to another source. One"
        " that is already running keeps the license it has."
    )
    if report.refusal is not None and report.refusal.fault in _SIGNATURE_FAULTS:
        lines.append("Licenses that Kong issued are signed in a way that is not public.")
    return lines


_SIGNATURE_FAULTS = {Fault.BAD_SIGNATURE, Fault.UNKNOWN_KEY}


def _bundled_behaviour() -> list[str]:
    return [
        "New data plane proxies over its limit are refused; known ones are always admitted.",
        "When its time is over the daemon keeps running, but is not started again.",
    ]
