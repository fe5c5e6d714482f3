"""All traffic of a machine goes through its proxy: kong-mesh-transparent-proxy.service."""

from __future__ import annotations

import re
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
FAR = "10.77.0.1"  # of a server that is of no mesh
EGRESS = f"""\
type: ZoneEgress
name: egress
networking: {{address: {ADDRESS}, port: 10002, admin: {{port: 9921}}}}
"""
ONLY_BY_THE_EGRESS = f"""\
type: Mesh
name: default
mtls:
  enabledBackend: ca-1
  backends: [{{name: ca-1, type: builtin}}]
routing: {{zoneEgress: true}}
networking: {{outbound: {{passthrough: false}}}}
---
type: MeshExternalService
mesh: default
name: mail
spec:
  match: {{type: HostnameGenerator, port: 80, protocol: http}}
  endpoints: [{{address: {FAR}, port: 18080}}]
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


def test_what_is_outside_is_reached_by_the_egress_and_in_no_other_way(machine: Machine) -> None:
    machine.sh("ip netns add world; ip link set far netns world; mkdir /root/mail")
    for line in (f"addr add {FAR}/24 dev far", "link set far up"):
        machine.sh(f"ip -n world {line}")
    machine.sh("ip route replace default via 10.77.0.1")
    machine.write("/root/mail/index.html", "hello from mail")
    machine.sh(
        "systemd-run --quiet --unit=mail ip netns exec world"
        " python3 -m http.server 18080 --directory /root/mail"
    )
    files = "/etc/kong-mesh/zone-proxy"
    machine.write(f"{files}/egress.yaml", EGRESS)
    environment = "KUMA_READINESS_PORT=9922\nKUMA_DATAPLANE_DRAIN_TIME=1s\n"
    machine.write(f"{files}/egress.env", environment)
    token = "kumactl generate zone-token --zone default --scope egress --valid-for 1h"
    machine.sh(f"{token} > {files}/egress.token")
    for name in (unit("echo"), "kong-mesh-zone-proxy@egress.service", REDIRECTION):
        start(machine, name)
    directly = f"http://{FAR}:18080"
    machine.box.wait_for("a way past it", lambda: asked(machine, directly) == "hello from mail")

    machine.write("/root/mesh.yaml", ONLY_BY_THE_EGRESS)
    machine.sh("kumactl apply -f /root/mesh.yaml")

    machine.box.wait_for("no way past it", lambda: "hello" not in asked(machine, directly))
    machine.box.wait_for("its address", lambda: bool(address_of_mail(machine)))
    by_its_address = f"http://{address_of_mail(machine)}"
    machine.box.wait_for("a way", lambda: asked(machine, by_its_address) == "hello from mail")
    assert "hello" not in asked(machine, directly)
    clusters = machine.sh("kumactl inspect zoneegress egress --type clusters")
    assert f"::{FAR}:18080::rq_success::0" not in clusters
    assert f"::{FAR}:18080::rq_success::" in clusters
    machine.sh("systemctl stop kong-mesh-zone-proxy@egress")
    assert "hello" not in asked(machine, by_its_address)


def address_of_mail(machine: Machine) -> str:
    """The one that it has in the mesh; "" while it has none."""
    shown = machine.sh("kumactl get meshexternalservice mail -o yaml")
    found = re.search(r"\b242\.\d+\.\d+\.\d+\b", shown)
    return found[0] if found else ""
