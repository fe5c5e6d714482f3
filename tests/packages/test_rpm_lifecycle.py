"""dnf's real resolver and rpm's real scriptlets, on a Debian that a shim makes look like their home."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.licenses.licenses import license_document
from support.packages.box import booted
from support.packages.installed import LICENSE, SOCKET, Machine
from support.packages.packages import NEWER, VERSION, Packages

pytestmark = pytest.mark.package

FAR = "2999-11-09"
SHIM = "rpm-host-1.0.0-1.noarch.rpm"


@pytest.fixture
def rpm_machine(packages: Packages, tmp_path: Path, rpm_root: Path) -> Iterator[Machine]:
    """A booted system with rpm, dnf and the shim."""
    make_shim(tmp_path)
    with booted(rpm_root, binds={packages.folder: "/packages", tmp_path: "/shim"}) as box:
        box.sh(f"rpm --upgrade --nodeps /shim/{SHIM}")
        yield Machine(box, "/packages")


def make_shim(folder: Path) -> None:
    preset = folder / "disable.preset"
    preset.write_text("disable *\n")
    nfpm = Path(sys.executable).with_name("nfpm")
    recipe = Path(__file__).with_name("rpm-host.yaml")
    subprocess.run(
        [nfpm, "package", "-f", recipe, "-p", "rpm", "-t", f"{folder}/"],
        check=True,
        capture_output=True,
        env={**os.environ, "PRESET": str(preset)},
    )


def dnf(machine: Machine, verb: str, *what: str) -> str:
    done = machine.box.run("dnf", "-y", "--disablerepo=*", verb, *what)
    assert done.status == 0, done.text
    return done.text


def rpm_file(version: str) -> str:
    return f"/packages/kong-mesh-cp-{version}-1.x86_64.rpm"


def test_an_rpm_is_installed_started_upgraded_and_removed(rpm_machine: Machine) -> None:
    machine = rpm_machine
    dnf(machine, "install", rpm_file(VERSION))

    assert machine.systemctl("is-enabled").stdout == "enabled\n"
    assert machine.active == "inactive"
    assert machine.box.run("rpm", "--verify", "kong-mesh-cp").text == ""
    assert machine.sh("stat -c '%A %U %G' /etc/kong-mesh /etc/kong-mesh/kong-mesh-cp.env") == (
        "drwxr-x--- root kong-mesh-cp\n-rw-r----- root kong-mesh-cp\n"
    )

    machine.put_license(license_document(expires=FAR))
    machine.set_environment("# the administrator was here")
    machine.start()
    before = machine.pid
    dnf(machine, "upgrade", rpm_file(NEWER))

    assert machine.sh("kong-mesh-cp --version") == f"kong-mesh-cp {NEWER}\n"
    machine.box.wait_for("the daemon after the upgrade", lambda: machine.active == "active")
    assert machine.pid != before
    assert machine.sh("cat /etc/kong-mesh/kong-mesh-cp.env") == "# the administrator was here\n"
    assert machine.get("/v1/license")["allowedDataplaneProxies"] == 20

    dnf(machine, "remove", "kong-mesh-cp")

    assert machine.box.run("systemctl", "is-active", "kong-mesh-cp").stdout != "active\n"
    assert machine.box.run("test", "-e", SOCKET).status != 0
    left = machine.sh("find / -xdev -path /proc -prune -o -name '*kong-mesh*' -print").split()
    assert {path for path in left if path.startswith("/usr")} == set()
    assert "/etc/kong-mesh/kong-mesh-cp.env.rpmsave" in left
    assert "/var/lib/kong-mesh-cp" in left


def test_an_rpm_upgrade_does_not_restart_into_a_broken_license(rpm_machine: Machine) -> None:
    machine = rpm_machine
    dnf(machine, "install", rpm_file(VERSION))
    machine.put_license(license_document(expires=FAR))
    machine.start()
    before = machine.pid
    machine.put_license(b"{}}")

    said = dnf(machine, "upgrade", rpm_file(NEWER))

    assert "NOT restarted" in said
    assert LICENSE in said
    assert machine.pid == before
    assert machine.active == "active"


def test_without_what_it_needs_the_rpm_is_refused(packages: Packages, rpm_root: Path) -> None:
    with booted(rpm_root, binds={packages.folder: "/packages"}) as box:
        refused = box.run("rpm", "--upgrade", "--test", rpm_file(VERSION))

    assert refused.status != 0
    assert "python3" in refused.stderr
    assert "libgcc_s.so.1" in refused.stderr
