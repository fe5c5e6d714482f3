"""From the first installation to the purge, on a booted Debian."""

from __future__ import annotations

import re

import pytest

from kong_mesh_cp.core.license.keyring import Keyring
from support.licenses.licenses import STRANGER, keyring_json, license_document
from support.packages.box import Box
from support.packages.installed import LICENSE, SOCKET, SOCKET_UNIT, UNIT, Machine
from support.packages.packages import NEWER, VERSION

pytestmark = pytest.mark.package

FAR = "2999-11-09"


def ours(box: Box) -> list[str]:
    """Every path of the system that carries the product's name."""
    return box.sh(
        "find / -xdev -name '*kong-mesh*' -not -path '/proc/*' -not -path '/packages/*'"
        " -not -path '/var/log/*' -not -path '/var/cache/apt/*' | sort"
    ).split()


def test_an_installation_enables_the_service_and_starts_nothing(machine: Machine) -> None:
    machine.install()

    assert machine.systemctl("is-enabled").stdout == "enabled\n"
    assert machine.active == "inactive"
    assert machine.box.property(SOCKET_UNIT, "ActiveState") == "inactive"
    assert machine.sh("stat -c '%A %U %G' /etc/kong-mesh /etc/kong-mesh/kong-mesh-cp.env") == (
        "drwxr-x--- root kong-mesh-cp\n-rw-r----- root kong-mesh-cp\n"
    )
    assert machine.sh("kong-mesh-cp --version") == f"kong-mesh-cp {VERSION}\n"
    assert machine.box.run("systemd-analyze", "verify", "--man=no", UNIT, SOCKET_UNIT).text == ""


def test_the_manual_pages_are_where_man_looks(machine: Machine) -> None:
    # The cached roots leave manuals out; here they are wanted.
    machine.sh("rm /etc/dpkg/dpkg.cfg.d/*")
    machine.install()

    pages = machine.sh("cd /usr/share/man; zcat man8/kong-mesh-cp.8.gz man5/kong-mesh-cp.toml.5.gz")
    assert f"kong-mesh-cp {VERSION}" in pages


def test_after_installing_a_start_serves_and_status_says_so(machine: Machine) -> None:
    machine.install()
    machine.put_license(license_document(expires=FAR))

    machine.start()

    assert machine.join("backend-1")["decision"] == "admitted"
    expected = rf"1 of 20 data plane proxies; license of company_inc until {FAR} \(\d+ days\); restart safe"
    machine.box.wait_for(
        "the seat in the status", lambda: bool(re.fullmatch(expected, machine.status_text))
    )
    assert re.search(f'Status: "{expected}"', machine.systemctl("status").stdout)
    assert machine.sh("systemctl is-active kong-mesh-cp-admission.socket") == "active\n"
    assert '"allowedDataplaneProxies": 20' in machine.sh("curl -sS http://127.0.0.1:5681/license")
    assert (
        machine.sh("curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1:5680/ready") == "200"
    )


def test_kumactl_is_installed_and_speaks_to_the_daemon(machine: Machine) -> None:
    machine.install()
    machine.start()

    assert machine.sh("kumactl version").startswith("Client: ")
    added = "kumactl config control-planes add --name here --address http://127.0.0.1:5681"
    assert 'added Control Plane "here"' in machine.sh(added)
    assert machine.sh(
        "command -v bash && bash -c '. /usr/share/bash-completion/completions/kumactl'"
    )


def test_without_a_license_the_pre_bundled_one_serves(machine: Machine) -> None:
    machine.install()

    machine.start()

    license_ = machine.get("/v1/license")
    assert license_["demo"] is True
    assert license_["allowedDataplaneProxies"] == 5


def test_an_upgrade_keeps_configuration_and_state_and_restarts_the_daemon(machine: Machine) -> None:
    machine.install()
    machine.put_license(license_document(expires=FAR))
    machine.set_environment("# the administrator was here", "KMESH_LOG_LEVEL=debug")
    machine.start()
    before = machine.pid
    state = machine.sh("ls -i /var/lib/kong-mesh-cp").split()
    environment = machine.sh("cat /etc/kong-mesh/kong-mesh-cp.env")

    machine.upgrade()

    machine.box.wait_for("the daemon after the upgrade", lambda: machine.active == "active")
    assert machine.pid != before
    assert machine.sh("kong-mesh-cp --version") == f"kong-mesh-cp {NEWER}\n"
    assert machine.sh("cat /etc/kong-mesh/kong-mesh-cp.env") == environment
    database = [name for name in state if name.endswith(".db")]
    assert database
    assert set(database) <= set(machine.sh("ls -i /var/lib/kong-mesh-cp").split())
    assert machine.get("/v1/license")["allowedDataplaneProxies"] == 20


def test_an_upgrade_leaves_a_stopped_and_disabled_daemon_so(machine: Machine) -> None:
    machine.install()
    machine.sh("systemctl disable kong-mesh-cp")

    machine.upgrade()

    assert machine.active == "inactive"
    assert machine.systemctl("is-enabled").stdout == "disabled\n"


def test_an_upgrade_does_not_restart_into_a_broken_license(machine: Machine) -> None:
    machine.install()
    machine.put_license(license_document(expires=FAR))
    machine.start()
    before = machine.pid
    machine.put_license(b'{"license": "of somebody who edits by hand"}')

    upgraded = machine.upgrade()

    assert "NOT restarted" in upgraded.text
    assert "license-malformed" in upgraded.text, upgraded.text
    assert LICENSE in upgraded.text, upgraded.text
    assert machine.pid == before
    assert machine.active == "active"
    assert machine.get("/v1/license")["allowedDataplaneProxies"] == 20
    # Mended, and done as the upgrade said:
    machine.put_license(license_document(expires=FAR, dataplanes=30))
    assert machine.systemctl("restart").status == 0
    assert machine.get("/v1/license")["allowedDataplaneProxies"] == 30


def test_an_upgrade_checks_a_restart_with_the_flags_of_a_drop_in(machine: Machine) -> None:
    machine.install()
    keyring = Keyring.of([STRANGER.key()])
    machine.write("/etc/kong-mesh/keys.json", keyring_json(keyring).decode(), mode=0o644)
    machine.write(
        f"/etc/systemd/system/{UNIT}.d/keys.conf",
        "[Service]\nExecStart=\n"
        "ExecStart=/usr/bin/kong-mesh-cp run --license-keyring /etc/kong-mesh/keys.json\n",
    )
    machine.sh("systemctl daemon-reload")
    machine.put_license(license_document(STRANGER, expires=FAR))
    machine.start()
    before = machine.pid

    upgraded = machine.upgrade()

    # Without the flag the license's key would be unknown.
    assert "NOT restarted" not in upgraded.text, upgraded.text
    machine.box.wait_for("the daemon after the upgrade", lambda: machine.active == "active")
    assert machine.pid != before


def test_an_upgrade_does_not_restart_into_a_broken_environment_file(machine: Machine) -> None:
    machine.install()
    machine.put_license(license_document(expires=FAR))
    machine.start()
    before = machine.pid
    machine.set_environment("KMESH_LICENSE_PATH=/etc/kong-mesh/forgotten.json")

    upgraded = machine.upgrade()

    assert "NOT restarted" in upgraded.text
    assert "license-path-not-found" in upgraded.text
    assert "/etc/kong-mesh/forgotten.json" in upgraded.text
    assert machine.pid == before


def test_a_removal_stops_and_keeps_what_a_purge_takes_away(machine: Machine) -> None:
    machine.install()
    machine.start()

    machine.sh("apt-get remove -y kong-mesh-cp")

    assert machine.active in {"inactive", "failed"}
    assert machine.box.run("test", "-e", SOCKET).status != 0
    kept = ours(machine.box)
    assert "/etc/kong-mesh/kong-mesh-cp.env" in kept
    assert "/var/lib/kong-mesh-cp" in kept
    assert "/usr/lib/kong-mesh-cp" not in kept
    assert "/var/cache/kong-mesh-cp" not in kept

    machine.sh("apt-get purge -y kong-mesh-cp")

    assert ours(machine.box) == []
    # Its number must not go to somebody else, who would own what backups hold.
    assert machine.sh("id -un kong-mesh-cp") == "kong-mesh-cp\n"


def test_what_was_removed_can_be_installed_again_over_its_state(machine: Machine) -> None:
    machine.install()
    machine.start()
    trial = machine.get("/v1/license")["expirationDate"]
    machine.sh("apt-get remove -y kong-mesh-cp")

    machine.install()

    assert machine.systemctl("is-enabled").stdout == "enabled\n"
    machine.start()
    assert machine.get("/v1/license")["expirationDate"] == trial
