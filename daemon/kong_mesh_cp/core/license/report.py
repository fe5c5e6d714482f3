"""The report on one license document at one time, for the commands that run offline."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.license import warnings
from kong_mesh_cp.core.license.document import License, Unverified, read, verify
from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.core.license.keyring import Keyring
from kong_mesh_cp.core.license.selection import with_alternatives
from kong_mesh_cp.core.license.sources import Choice
from kong_mesh_cp.core.license.term import require_startable, term_at


class Verdict(Enum):
    """What a license is good for. The value is the word that reports print."""

    VALID = "valid"
    VALID_WITH_WARNINGS = "valid-with-warnings"
    EXPIRED = "expired"
    INVALID = "invalid"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a control plane would make of one document, at one time."""

    verdict: Verdict
    source: str
    now: datetime  # aware, UTC: the time it is checked against
    license: License | None  # also when it has ended; None when its signature was not accepted
    unverified: Unverified | None  # what a document without an accepted signature claims
    refusal: LicenseRejectedError | None  # names the place
    warnings: tuple[warnings.LicenseWarning, ...]


def report_on(
    document: bytes,
    *,
    source: str,
    keyring: Keyring,
    now: datetime,
    active: int = 0,
    sources: Choice | None = None,
) -> Report:
    """What a control plane that starts at `now` would make of `document`. Never raises for one.

    `active` counted proxies are taken to be connected, `sources` is how the document was chosen.
    """
    license_, unverified, refusal = None, None, None
    try:
        license_ = verify(document, keyring)
        require_startable(license_, now)
    except LicenseRejectedError as error:
        refusal = with_alternatives(error.at(source), sources, keyring=keyring, now=now)
        unverified = None if license_ else _claims(document)
    found: tuple[warnings.LicenseWarning, ...] = ()
    if license_ is not None:
        found = warnings.current(license_, term_at(license_, now), active=active, sources=sources)
    return Report(
        verdict=_verdict(refusal, found),
        source=source,
        now=now,
        license=license_,
        unverified=unverified,
        refusal=refusal,
        warnings=found,
    )


def _claims(document: bytes) -> Unverified | None:
    try:
        return read(document)
    except LicenseRejectedError:
        return None


def _verdict(
    refusal: LicenseRejectedError | None, found: tuple[warnings.LicenseWarning, ...]
) -> Verdict:
    if refusal is not None:
        return Verdict.EXPIRED if refusal.fault is Fault.EXPIRED else Verdict.INVALID
    return Verdict.VALID_WITH_WARNINGS if found else Verdict.VALID
