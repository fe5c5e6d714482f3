"""The packages and units before the distributions' own judges."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.packages.packages import Packages

pytestmark = pytest.mark.package

EXPOSURE_MAX = "15"  # tenths: `systemd-analyze security` calls 1.5 "OK"


def judged(*command: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here (scripts/system-roots installs what the tests need)")
    return subprocess.run(command, text=True, capture_output=True, check=False)


@pytest.fixture(params=["packages", "proxy_packages", "envoy_packages"])
def each(request: pytest.FixtureRequest) -> Packages:
    made = request.getfixturevalue(request.param)
    assert isinstance(made, Packages)
    return made


def test_lintian_finds_neither_errors_nor_warnings(each: Packages) -> None:
    verdict = judged("lintian", "--allow-root", "--fail-on", "error,warning", str(each.deb))

    assert verdict.returncode == 0, verdict.stdout


def test_rpmlint_finds_no_errors(each: Packages) -> None:
    rpmlint = Path(sys.executable).with_name("rpmlint")
    if not rpmlint.exists():
        pytest.skip("no rpmlint here: pip install '.[package]'")
    verdict = judged(str(rpmlint), "-c", "packaging/rpm/rpmlint.toml", str(each.rpm))
    if "Failed to import system RPM module" in verdict.stdout + verdict.stderr:
        pytest.skip("rpmlint needs Debian's python3-rpm for this very Python")

    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
    assert " 0 errors" in verdict.stdout


@pytest.mark.parametrize(
    "unit", ["kong-mesh-cp.service", "kong-mesh-dp@.service", "kong-mesh-zone-proxy@.service"]
)
def test_the_services_exposure_is_low(unit: str) -> None:
    verdict = judged(
        "systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}",
        f"systemd/{unit}",
    )  # fmt: skip

    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
