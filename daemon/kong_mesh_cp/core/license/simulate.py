"""What would happen: a start, and one more proxy, at some time and under some load."""

from __future__ import annotations

from datetime import datetime

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.license import warnings
from kong_mesh_cp.core.license.bundled import BundledLicense
from kong_mesh_cp.core.license.fault import LicenseRejectedError
from kong_mesh_cp.core.license.term import Entitlement, require_startable, term_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """The answer for one instant and one number of connected proxies."""

    starts: bool  # would a control plane start then?
    refusal: LicenseRejectedError | None  # why it would not
    admits: bool  # would a running one admit one more, unknown proxy?
    warnings: tuple[warnings.LicenseWarning, ...]


def simulate(entitlement: Entitlement, *, now: datetime, dataplanes: int) -> Simulation:
    """Ask what a control plane with `dataplanes` counted proxies connected would do at `now`."""
    refusal: LicenseRejectedError | None = None
    try:
        require_startable(entitlement, now)
    except LicenseRejectedError as error:
        refusal = error
    # An issued license never refuses a proxy, not even when it has ended: see docs/license.md.
    full = isinstance(entitlement, BundledLicense) and dataplanes >= entitlement.dataplanes
    return Simulation(
        starts=refusal is None,
        refusal=refusal,
        admits=not full,
        warnings=warnings.current(entitlement, term_at(entitlement, now), active=dataplanes),
    )
