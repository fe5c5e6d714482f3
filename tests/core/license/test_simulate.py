from __future__ import annotations

import pytest

from kong_mesh_cp.core.license.bundled import BundledLicense
from kong_mesh_cp.core.license.fault import Fault
from kong_mesh_cp.core.license.simulate import simulate
from kong_mesh_cp.core.license.term import Entitlement
from support.licenses.licenses import at, issued

ISSUED = issued(expires="2027-01-31", dataplanes=20)
BUNDLED = BundledLicense(at("2026-11-21"))


# The table of behaviours: license, time, connected proxies -> starts, admits one more, warnings.
@pytest.mark.parametrize(
    ("entitlement", "now", "dataplanes", "starts", "admits", "codes"),
    [
        (ISSUED, "2026-06-01", 0, True, True, []),
        (ISSUED, "2026-06-01", 20, True, True, []),
        (ISSUED, "2026-06-01", 21, True, True, ["over-limit"]),
        (ISSUED, "2027-01-20", 3, True, True, ["expires-soon"]),
        (ISSUED, "2027-01-31", 3, False, True, ["expired"]),
        (ISSUED, "2027-01-31", 30, False, True, ["expired", "over-limit"]),
        (BUNDLED, "2026-11-21", 4, True, True, []),
        (BUNDLED, "2026-11-21", 5, True, False, []),
        (BUNDLED, "2026-12-20", 5, True, False, ["expires-soon"]),
        (BUNDLED, "2026-12-21", 4, False, True, ["expired"]),
        (BUNDLED, "2026-12-21", 5, False, False, ["expired"]),
    ],
)
def test_what_a_control_plane_would_do(  # noqa: PLR0917 (one row of the table)
    entitlement: Entitlement,
    now: str,
    dataplanes: int,
    starts: bool,
    admits: bool,
    codes: list[str],
) -> None:
    outcome = simulate(entitlement, now=at(now), dataplanes=dataplanes)

    assert outcome.starts is starts
    assert outcome.admits is admits
    assert [warning.code for warning in outcome.warnings] == codes
    assert (outcome.refusal is None) is starts


def test_a_refused_start_says_why() -> None:
    refusal = simulate(ISSUED, now=at("2021-01-01"), dataplanes=0).refusal
    assert refusal is not None
    assert refusal.fault is Fault.NOT_YET_VALID
