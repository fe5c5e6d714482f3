"""dnf's real resolver and rpm's real scriptlets, on a Debian that a shim makes look like their home."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.licenses.licenses import license_document
from support.packages.box import booted
from support.packages.installed import LICENSE, SOCKET, Machine
from support.packages.packages import NEWER, VERSION, Packages
from support.packages.rpm_host import dnf, rpm_host

pytestmark = pytest.mark.package

FAR = "2999-11-09"


@pytest.fixture
def rpm_machine(packages: Packages, tmp_path: Path, rpm_root: Path) -> Iterator[Machine]:
    """A booted system with rpm, dnf and the shim."""
    with rpm_host(rpm_root, packages.folder, tmp_path) as box:
        yield Machine(box, "/packages")


def rpm_file(version: str) -> str:
    return f"/packages/kong-mesh-cp-{version}-1.x86_64.rpm"


def test_an_rpm_is_installed_started_upgraded_and_removed(rpm_machine: Machine) -> None:
    machine = rpm_machine
    dnf(machine.box, "install", rpm_file(VERSION))

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
    dnf(machine.box, "upgrade", rpm_file(NEWER))

    assert machine.sh("kong-mesh-cp --version") == f"kong-mesh-cp {NEWER}\n"
    machine.box.wait_for("the daemon after the upgrade", lambda: machine.active == "active")
    assert machine.pid != before
    assert machine.sh("cat /etc/kong-mesh/kong-mesh-cp.env") == "# the administrator was here\n"
    assert machine.get("/v1/license")["allowedDataplaneProxies"] == 20

    dnf(machine.box, "remove", "kong-mesh-cp")

    assert machine.box.run("systemctl", "is-active", "kong-mesh-cp").stdout != "active\n"
    assert machine.box.run("test", "-e", SOCKET).status != 0
    left = machine.sh("find / -xdev -path /proc -prune -o -name '*kong-mesh*' -print").split()
    assert {path for path in left if path.startswith("/usr")} == set()
    assert "/etc/kong-mesh/kong-mesh-cp.env.rpmsave" in left
    assert "/var/lib/kong-mesh-cp" in left


def test_an_rpm_upgrade_does_not_restart_into_a_broken_license(rpm_machine: Machine) -> None:
    machine = rpm_machine
    dnf(machine.box, "install", rpm_file(VERSION))
    machine.put_license(license_document(expires=FAR))
    machine.start()
    before = machine.pid
    machine.put_license(b"{}}")

    said = dnf(machine.box, "upgrade", rpm_file(NEWER))

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
