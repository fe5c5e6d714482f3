"""A mesh on one machine, from packages: the control plane and two proxies, each a unit."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from support.packages.box import booted
from support.packages.installed import Machine
from support.packages.packages import NEWER, VERSION, Packages
from support.packages.proxies import BACKEND, CONFIGURATION, WEB, Load, Mesh, unit
from support.staging.console_page import commands, fits, sections

pytestmark = pytest.mark.package

CONFIG = 78
RULE = (
    '[[admission.rules]]\nunit = "kong-mesh-dp@*.service"\nmesh = "default"\nname = "{instance}"\n'
)


@pytest.fixture
def mesh(machine: Machine, proxy_packages: Packages, envoy_packages: Packages) -> Mesh:
    """Installed, with the proxies' Dataplanes; the control plane knows proxies by their unit."""
    found = Mesh(machine, proxy_packages, envoy_packages)
    found.install()
    found.configure()
    machine.write("/etc/kong-mesh/kong-mesh-cp.toml", RULE, mode=0o640)
    return found


def test_proxies_join_by_their_unit_and_speak_mutual_tls_after_one_apply(mesh: Mesh) -> None:
    box = mesh.box
    assert box.run("systemd-analyze", "verify", "--man=no", unit(BACKEND)).text == ""
    assert mesh.sh(f"stat -c '%A %U %G' {CONFIGURATION}") == "drwxr-x--- root root\n"

    mesh.start()

    assert mesh.ask() == "heard: nobody"
    for name in (BACKEND, WEB):
        assert "serves" in box.property(unit(name), "StatusText")
        pids = (mesh.main_pid(name), mesh.envoy_pid(name))
        assert [mesh.sh(f"stat -c %U /proc/{pid}") for pid in pids] == ["kuma-dp\n"] * 2
    box.wait_for("both online", lambda: mesh.sh("kumactl inspect dataplanes").count("Online") == 2)

    mesh.sh("kumactl apply -f /root/mtls.yaml")

    box.wait_for("its peer", lambda: "URI=spiffe://default/web" in mesh.ask())
    assert "By=spiffe://default/backend" in mesh.ask()
    verdict = box.run("systemd-analyze", "security", "--threshold=20", unit(BACKEND))
    assert verdict.status == 0, verdict.text
    # No token of a proxy is on the disk, and nobody else reads what Envoy holds.
    assert mesh.sh(f"stat -c '%A %U' /run/kong-mesh-dp/{BACKEND}") == "drwx------ kuma-dp\n"
    assert box.run("runuser", "-u", "nobody", "--", "ls", CONFIGURATION).status != 0


def test_a_killed_half_ends_the_other_and_the_unit_comes_back(mesh: Mesh) -> None:
    mesh.start()
    for restarts, victim in enumerate((mesh.main_pid, mesh.envoy_pid), start=1):
        before = mesh.main_pid(BACKEND), mesh.envoy_pid(BACKEND)
        assert all(before)

        mesh.sh(f"kill -KILL {victim(BACKEND)}")

        mesh.box.wait_for("another proxy", partial(_is_another, mesh, before))
        assert mesh.box.property(unit(BACKEND), "NRestarts") == str(restarts)
        assert all(mesh.box.run("test", "-e", f"/proc/{pid}").status != 0 for pid in before)
        assert len(mesh.envoys()) == 2
        mesh.box.wait_for("traffic", lambda: mesh.ask() == "heard: nobody")

    mesh.sh(f"systemctl stop {unit(BACKEND)} {unit(WEB)}")

    assert mesh.envoys() == []
    assert mesh.box.property(unit(BACKEND), "Result") == "success"
    assert mesh.box.run("ls", "-A", "/run/kong-mesh-dp").stdout == ""


def _is_another(mesh: Mesh, before: tuple[int, int]) -> bool:
    """Whether the unit is started, with neither half of `before`."""
    now = mesh.main_pid(BACKEND), mesh.envoy_pid(BACKEND)
    started = mesh.box.property(unit(BACKEND), "ActiveState") == "active"
    return started and all(now) and not set(now) & set(before)


def test_upgrades_fail_no_request_and_a_purge_leaves_the_control_plane_alone(mesh: Mesh) -> None:
    mesh.machine.set_environment("KUMA_XDS_SERVER_DATAPLANE_STATUS_FLUSH_INTERVAL=1s")
    mesh.start()
    running = {name: mesh.main_pid(name) for name in (BACKEND, WEB)}
    load = Load(mesh.machine)
    load.start()

    mesh.machine.upgrade()  # restarts the control plane
    mesh.box.wait_for(
        "both online again", lambda: mesh.sh("kumactl inspect dataplanes").count("Online") == 2
    )
    load.more()
    said = mesh.upgrade_proxies()

    assert load.end() == ""
    assert "running proxies go on as they are" in said
    assert {name: mesh.main_pid(name) for name in running} == running
    assert NEWER in mesh.sh("kuma-dp version")
    mesh.sh(f"systemctl restart {unit(WEB)}")
    assert mesh.main_pid(WEB) != running[WEB]
    mesh.box.wait_for("traffic", lambda: mesh.ask() == "heard: nobody")

    mesh.sh("systemctl enable kong-mesh-dp@web; apt-get purge -y kong-mesh-dp kong-mesh-envoy")

    assert mesh.envoys() == []
    left = mesh.sh(
        "find /etc /usr /var/lib/systemd /run -xdev -name '*kong-mesh-dp*' -o -name 'kuma-dp*'"
    )
    assert left == ""
    assert mesh.box.run("test", "-e", CONFIGURATION).status != 0
    assert mesh.machine.active == "active"
    assert mesh.sh("id -un kuma-dp") == "kuma-dp\n"


def test_what_only_a_person_can_mend_is_said_once(mesh: Mesh) -> None:
    mesh.machine.start()

    def refused(name: str) -> str:
        started = mesh.box.run("systemctl", "start", unit(name))
        assert started.status != 0
        assert mesh.box.property(unit(name), "ExecMainStatus") == str(CONFIG)
        assert mesh.box.property(unit(name), "NRestarts") == "0"
        return mesh.log(name)

    assert "dataplane-unusable" in refused("nobody-at-all")
    mesh.sh(f"cp {CONFIGURATION}/web.yaml {CONFIGURATION}/other.yaml")  # which is named web
    assert "identity" in refused("other")
    mesh.sh("apt-get remove -y kong-mesh-envoy")
    assert "Install the package kong-mesh-envoy" in refused(BACKEND)


def test_the_page_makes_a_proxy_of_the_example(
    machine: Machine, proxy_packages: Packages, envoy_packages: Packages
) -> None:
    machine.sh("rm /etc/dpkg/dpkg.cfg.d/*")  # the cached roots leave documentation out
    machine.sh("ip address add 192.168.0.1/32 dev lo")  # of the example
    machine.install()
    section = sections("proxies.md")["As a service"]
    rule = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)[0]
    machine.write("/etc/kong-mesh/kong-mesh-cp.toml", rule, mode=0o640)
    machine.write(f"{CONFIGURATION}/backend.env", "KUMA_DATAPLANE_DRAIN_TIME=1s\n")
    machine.start()
    shown = commands(section)
    assert all(each.deb.name in shown[0].line for each in (proxy_packages, envoy_packages))

    for command in shown:
        said = machine.sh(command.line)
        assert not command.said or fits(said, command.said), f"$ {command.line}\n{said}"

    assert machine.sh("systemctl is-enabled kong-mesh-dp@backend") == "enabled\n"


def test_the_rpm_brings_the_unit_and_its_user_and_takes_the_unit_away(
    proxy_packages: Packages, rpm_root: Path
) -> None:
    with booted(rpm_root, binds={proxy_packages.folder: "/packages"}) as box:
        box.sh(f"rpm --install --nodeps /packages/{proxy_packages.rpm.name}")

        assert box.sh("id -Gn kuma-dp").split() == ["kuma-dp", "kong-mesh"]
        assert box.run("rpm", "--verify", "--nodeps", "kong-mesh-dp").text == ""
        assert VERSION in box.sh("kuma-dp version")
        assert box.run("systemctl", "start", unit("nobody")).status != 0
        assert box.property(unit("nobody"), "ExecMainStatus") == str(CONFIG)
        assert "dataplane-unusable" in box.journal(unit("nobody"))

        box.sh("rpm --erase kong-mesh-dp")
        assert box.sh("find /usr /etc /var/cache -name '*kong-mesh-dp*'") == ""
