"""All traffic of a machine goes through its proxy: kong-mesh-transparent-proxy.service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.packages.box import booted
from support.packages.installed import Machine
from support.packages.packages import Packages
from support.packages.proxies import CONFIGURATION, start_application, unit

pytestmark = pytest.mark.package

REDIRECTION = "kong-mesh-transparent-proxy.service"
SETTINGS = "/etc/kong-mesh/transparent-proxy.env"
ADDRESS = "10.77.0.2"
DATAPLANE = f"""\
type: Dataplane
mesh: default
name: echo
networking:
  address: {ADDRESS}
  inbound:
  - port: 18080
    tags: {{kuma.io/service: echo, kuma.io/protocol: http}}
  transparentProxying: {{redirectPortInbound: 15006, redirectPortOutbound: 15001}}
"""
# Through what the request came to the application: Envoy leaves a header.
THROUGH = (
    '"through Envoy" if self.headers.get("x-envoy-expected-rq-timeout-ms")'
    ' or self.headers.get("x-request-id") else "directly"'
)


@pytest.fixture
def machine(
    redirected_root: Path,
    packages: Packages,
    proxy_packages: Packages,
    envoy_packages: Packages,
) -> Iterator[Machine]:
    """With a network of its own, a control plane, an application and its proxy."""
    with booted(redirected_root, binds={packages.folder: "/packages"}) as box:
        machine = Machine(box, "/packages")
        debs = (packages.deb, proxy_packages.deb, envoy_packages.deb)
        for line in (
            "link add outside type veth peer name far",
            f"addr add {ADDRESS}/24 dev outside",
            "link set outside up",
            "link set far up",
            "route add default via 10.77.0.1",
        ):
            machine.sh(f"ip {line}")
        machine.write("/etc/resolv.conf", "nameserver 10.77.0.1\n")
        machine.sh(f"apt-get install -y {' '.join(f'/packages/{each.name}' for each in debs)}")
        machine.write(f"{CONFIGURATION}/echo.yaml", DATAPLANE, mode=0o600)
        machine.write(f"{CONFIGURATION}/echo.env", "KUMA_DATAPLANE_DRAIN_TIME=1s\n", mode=0o600)
        start_application(machine, "0.0.0.0", THROUGH)
        machine.start()
        yield machine


def start(machine: Machine, name: str) -> None:
    started = machine.box.run("systemctl", "start", name)
    assert started.status == 0, started.text + machine.box.journal(name)


def rules(machine: Machine) -> str:
    return machine.sh("iptables-save -t nat")


def asked(machine: Machine, url: str) -> str:
    """What a program is told that knows nothing of any proxy."""
    return machine.box.run(
        *("runuser", "-u", "nobody", "--", "curl", "-sS", "--max-time", "20", url)
    ).text


def test_programs_call_services_by_name_and_know_no_proxy(machine: Machine) -> None:
    box = machine.box
    assert box.run("systemd-analyze", "verify", "--man=no", REDIRECTION).text == ""
    start(machine, REDIRECTION)
    assert "15001" in rules(machine)
    assert "--dport 22 " in rules(machine)  # the way in stays open without a proxy
    start(machine, unit("echo"))

    box.wait_for("its answer", lambda: asked(machine, "http://echo.mesh") == "through Envoy")

    # Other settings are in force with a reload, and no rule is doubled.
    machine.write(SETTINGS, "KUMA_TRANSPARENT_PROXY_REDIRECT_INBOUND_EXCLUDE_PORTS=2222\n")
    machine.sh(f"systemctl reload {REDIRECTION}")
    assert rules(machine).count("--dport 2222 ") == 1
    assert "--dport 22 " not in rules(machine)
    assert asked(machine, "http://echo.mesh") == "through Envoy"

    machine.sh(f"systemctl stop {REDIRECTION}")
    assert "15001" not in rules(machine)
    assert asked(machine, f"http://{ADDRESS}:18080") == "directly"
    verdict = box.run("systemd-analyze", "security", "--threshold=20", REDIRECTION)
    assert verdict.status == 0, verdict.text


def test_what_is_wrong_with_its_settings_is_said_and_changes_nothing(machine: Machine) -> None:
    machine.write(SETTINGS, "KUMA_TRANSPARENT_PROXY_KUMA_DP_USER=nobody-there\n")

    assert machine.box.run("systemctl", "start", REDIRECTION).status != 0

    assert "nobody-there" in machine.box.journal(REDIRECTION)
    assert "15001" not in rules(machine)


def test_a_removed_package_leaves_the_machine_its_network(machine: Machine) -> None:
    machine.write(SETTINGS, "")
    machine.sh(f"systemctl enable --now {REDIRECTION}")
    start(machine, unit("echo"))

    machine.sh("apt-get purge -y kong-mesh-dp")

    assert "15001" not in rules(machine)
    assert machine.sh("find /etc -name '*transparent-proxy*'") == ""
    assert asked(machine, f"http://{ADDRESS}:18080") == "directly"
