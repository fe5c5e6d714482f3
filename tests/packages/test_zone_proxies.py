"""Egress and ingress as units: the page run on a machine, mistakes, and upgrades under load."""

from __future__ import annotations

import pytest

from support.packages.installed import Machine
from support.packages.packages import NEWER, Packages
from support.packages.proxies import CONFIGURATION, Load, start_application, unit
from support.staging.console_page import commands, files, fits, sections

pytestmark = pytest.mark.package

PAGE = sections("zone-proxies.md")
FILES = "/etc/kong-mesh/zone-proxy"
EXAMPLES = "/usr/share/doc/kong-mesh-dp/examples"
CONFIG = 78
HERE, OUTSIDE = "192.168.0.1", "192.168.0.9"  # of the examples


def zone_unit(name: str) -> str:
    return f"kong-mesh-zone-proxy@{name}.service"


@pytest.fixture
def zone(machine: Machine, proxy_packages: Packages, envoy_packages: Packages) -> Machine:
    """A control plane that runs, the packages of proxies, and a server outside of the mesh."""
    machine.sh("rm /etc/dpkg/dpkg.cfg.d/*")  # the cached roots leave documentation out
    for address in (HERE, OUTSIDE):
        machine.sh(f"ip address add {address}/32 dev lo")
    debs = (proxy_packages.deb.name, envoy_packages.deb.name)
    machine.install()
    machine.sh(f"apt-get install -y {' '.join(f'/packages/{each}' for each in debs)}")
    for folder, names in ((CONFIGURATION, ["web"]), (FILES, ["egress", "ingress"])):
        for name in names:
            # The page writes what it has to say over this one.
            machine.write(f"{folder}/{name}.env", "", mode=0o600)
            machine.write(
                f"/etc/systemd/system/{'kong-mesh-dp' if name == 'web' else 'kong-mesh-zone-proxy'}"
                f"@{name}.service.d/drain.conf",
                "[Service]\nEnvironment=KUMA_DATAPLANE_DRAIN_TIME=1s\n",
            )
    machine.sh("systemctl daemon-reload")
    start_application(machine, OUTSIDE, '"hello from mail\\n"')
    machine.start()
    return machine


def run_section(machine: Machine, heading: str) -> None:
    """Its commands, in root's folder, beside the files that it shows."""
    for name, content in files(PAGE[heading]):
        machine.write(f"/root/{name}", content)
    for command in commands(PAGE[heading]):
        said = machine.sh(f"cd /root; {command.line}")
        assert not command.said or fits(said, command.said), f"$ {command.line}\n{said}"


def log(machine: Machine, name: str) -> str:
    return machine.box.journal(zone_unit(name))


def test_the_page_leads_out_through_an_egress_and_offers_services_at_an_ingress(
    zone: Machine,
) -> None:
    assert zone.box.run("systemd-analyze", "verify", "--man=no", zone_unit("egress")).text == ""

    run_section(zone, "Start an egress")
    run_section(zone, "Services outside, through the egress alone")
    run_section(zone, "An ingress")

    for name in ("egress", "ingress"):
        assert zone.sh(f"systemctl is-enabled {zone_unit(name)}") == "enabled\n"
        verdict = zone.box.run("systemd-analyze", "security", "--threshold=20", zone_unit(name))
        assert verdict.status == 0, verdict.text
        pid = zone.box.property(zone_unit(name), "MainPID")
        assert zone.sh(f"stat -c %U /proc/{pid}") == "kuma-dp\n"
    # What it holds is nobody else's, nor are the tokens.
    assert zone.sh("stat -c '%A %U' /run/kong-mesh-zone-proxy/egress") == "drwx------ kuma-dp\n"
    assert zone.sh(f"stat -c '%A %U %G' {FILES}") == "drwxr-x--- root root\n"
    # Of all three proxies the license counts the one that is of a mesh.
    assert zone.get("/v1/license")["activeDataplaneProxies"] == 1
    zone.box.wait_for("both online", lambda: online(zone) == 2)

    zone.sh("apt-get purge -y kong-mesh-dp kong-mesh-envoy")

    left = zone.sh(
        "find /etc /usr /run /var/lib/systemd -xdev -name '*kong-mesh-zone*' -o -name 'zone-proxy'"
    )
    assert left == ""
    assert zone.active == "active"
    zone.box.wait_for("what they brought is gone", lambda: online(zone, shown="egress") == 0)


def online(machine: Machine, shown: str = "Online") -> int:
    said = machine.sh("kumactl inspect zoneegresses; kumactl inspect zone-ingresses")
    return said.count(shown)


def test_what_only_a_person_can_mend_is_said_once(zone: Machine) -> None:
    def refused(name: str) -> str:
        assert zone.box.run("systemctl", "start", zone_unit(name)).status != 0
        assert zone.box.property(zone_unit(name), "ExecMainStatus") == str(CONFIG)
        assert zone.box.property(zone_unit(name), "NRestarts") == "0"
        return log(zone, name)

    assert "holds 0 documents" in refused("egress")
    zone.sh(f"cp {EXAMPLES}/egress.yaml {EXAMPLES}/ingress.yaml {FILES}/")
    said = refused("egress")
    assert "has no .token of this name" in said
    assert "kumactl generate zone-token --zone ZONE --scope egress" in said
    zone.sh(f"cp {FILES}/egress.yaml {FILES}/west.yaml")
    assert "KUMA_DATAPLANE_PROXY_TYPE 'west': one of dataplane, ingress, egress" in refused("west")
    command = "kumactl generate zone-token --zone default --valid-for 1h --scope"
    zone.sh(f"{command} ingress > {FILES}/egress.token")

    zone.sh(f"systemctl start --no-block {zone_unit('egress')}")

    zone.box.wait_for("it is told", lambda: "dataplane-token-refused" in log(zone, "egress"))
    zone.sh(f"{command} egress > {FILES}/egress.token; cp {FILES}/egress.token {FILES}/west.token")
    started = zone.box.run("systemctl", "restart", zone_unit("egress"))
    assert started.status == 0, log(zone, "egress")
    zone.write(f"{FILES}/west.env", "KUMA_DATAPLANE_PROXY_TYPE=egress\nKUMA_READINESS_PORT=9942\n")
    zone.sh(f"sed -i 's/name: egress/name: west/; s/10002/10003/; s/9921/9941/' {FILES}/west.yaml")
    started = zone.box.run("systemctl", "start", zone_unit("west"))
    assert started.status == 0, log(zone, "west")


def test_upgrades_of_either_side_cost_no_request_through_an_egress(
    zone: Machine, proxy_packages: Packages
) -> None:
    zone.set_environment("KUMA_XDS_SERVER_DATAPLANE_STATUS_FLUSH_INTERVAL=1s")
    assert zone.systemctl("restart").status == 0
    run_section(zone, "Start an egress")
    run_section(zone, "Services outside, through the egress alone")
    before = zone.box.property(zone_unit("egress"), "MainPID")
    load = Load(zone)
    load.start()

    zone.upgrade()  # restarts the control plane
    zone.box.wait_for("online again", lambda: online(zone) == 1)
    load.more()
    newer = f"/packages/{proxy_packages.name}_{NEWER}_amd64.deb"
    said = zone.sh(f"apt-get install -y {newer} 2>&1")

    assert load.end() == ""
    assert "running proxies go on as they are" in said
    assert zone.box.property(zone_unit("egress"), "MainPID") == before
    pid = zone.sh(f"cat /proc/{before}/task/*/children").split()[0]
    zone.sh(f"kill -KILL {pid}")  # of Envoy: the unit comes back with the new program
    zone.box.wait_for(
        "it is back",
        lambda: (
            zone.box.property(zone_unit("egress"), "NRestarts") == "1"
            and zone.box.property(zone_unit("egress"), "ActiveState") == "active"
        ),
    )
    zone.sh(f"systemctl restart {unit('web')}")
    zone.box.wait_for(
        "traffic",
        lambda: "hello" in zone.box.run("curl", "-sS", "--max-time", "60", "127.0.0.1:10000").text,
    )
