"""The daemon under a real systemd: what systemctl and journalctl show, and who may do what."""

from __future__ import annotations

import re

import pytest

from support.licenses.licenses import LICENSE_KEY, license_document, signature_of
from support.packages.installed import LICENSE, SOCKET, SOCKET_UNIT, UNIT, Machine

pytestmark = pytest.mark.package

FAR = "2999-11-09"
EXPIRED = license_document(expires="2023-11-09")


@pytest.fixture
def licensed(machine: Machine) -> Machine:
    """A running daemon with a license for 20 data plane proxies, and an ordinary user `alice`."""
    machine.install()
    machine.put_license(license_document(expires=FAR))
    machine.sh("useradd alice; useradd --groups kong-mesh bob")
    machine.start()
    return machine


def test_a_license_that_only_root_can_read_is_in_force(licensed: Machine) -> None:
    license_ = licensed.get("/v1/license")

    assert license_["customer"] == "company_inc"
    assert "credential" in str(license_["source"])


def test_a_renewed_license_is_in_force_after_a_reload(licensed: Machine) -> None:
    licensed.sh(f"rm {LICENSE}")
    licensed.put_license(license_document(expires=FAR, dataplanes=35), mode=0o600)

    reloaded = licensed.systemctl("reload")

    assert reloaded.status == 0, reloaded.text + licensed.log()
    assert licensed.get("/v1/license")["allowedDataplaneProxies"] == 35


def test_an_expired_license_is_refused_once_and_says_why(licensed: Machine) -> None:
    licensed.put_license(EXPIRED, "/tmp/expired.json", mode=0o644)
    licensed.set_environment("KMESH_LICENSE_PATH=/tmp/expired.json")

    restarted = licensed.systemctl("restart")

    assert restarted.status == 1
    assert "failed" in restarted.stderr
    assert licensed.said("license-expired: .*") == (
        "license-expired: the license of company_inc in /tmp/expired.json (KMESH_LICENSE_PATH) ended at "
        "2023-11-09T00:00:00Z. /etc/kong-mesh/license.json (systemd credential `license`) would do, and is"
        " not used as long as /tmp/expired.json (KMESH_LICENSE_PATH) is set: remove that, or mend it."
        " Put a renewed file there and run: systemctl start kong-mesh-cp"
    )
    assert licensed.active == "failed"
    assert licensed.box.property(UNIT, "ExecMainStatus") == "78"
    assert licensed.restarts == 0
    status = licensed.systemctl("status").stdout
    assert re.search(r'Status: ".*license-expired', status), status
    assert "Traceback" not in licensed.log()

    licensed.put_license(license_document(expires=FAR), "/tmp/expired.json", mode=0o644)
    licensed.start()
    assert licensed.get("/v1/license")["allowedDataplaneProxies"] == 20


def test_a_refused_start_leaves_no_socket_and_a_waiting_client_starts_nothing(
    licensed: Machine,
) -> None:
    licensed.set_environment("KMESH_LICENSE_PATH=/nowhere.json")
    # Asks again and again, as a proxy does, while the daemon is refused its start.
    licensed.sh(
        "systemd-run --quiet --unit=eager.service sh -c"
        f" 'while :; do curl -s --unix-socket {SOCKET} http://localhost/v1/ready >/dev/null; done'"
    )

    assert licensed.systemctl("restart").status == 1

    licensed.box.wait_for(
        "the socket to close",
        lambda: licensed.box.property(SOCKET_UNIT, "ActiveState") == "inactive",
    )
    assert licensed.box.run("test", "-e", SOCKET).status != 0
    assert licensed.log().count("license-path-not-found: ") == 1
    assert licensed.restarts == 0


def test_a_state_directory_that_root_took_is_given_back_at_the_next_start(
    licensed: Machine,
) -> None:
    state = "/var/lib/kong-mesh-cp"
    owner = licensed.sh(f"stat -c %U:%G {state} {state}/store.db")
    licensed.systemctl("stop")
    licensed.sh(f"chown -R root:root {state}")

    licensed.start()

    assert licensed.sh(f"stat -c %U:%G {state} {state}/store.db") == owner


def test_a_reload_waits_for_the_verdict(licensed: Machine) -> None:
    before = licensed.pid
    licensed.put_license(EXPIRED)

    bad = licensed.systemctl("reload")

    assert bad.status == 1
    assert licensed.active == "active"
    assert licensed.get("/v1/license")["allowedDataplaneProxies"] == 20
    assert f"license-expired: the license of company_inc in {LICENSE}" in licensed.log()
    licensed.box.wait_for(
        "the status to warn", lambda: "restart not safe" in licensed.status_text.lower()
    )

    licensed.put_license(license_document(expires=FAR, dataplanes=35))
    good = licensed.systemctl("reload")

    assert good.status == 0, good.text + licensed.log()
    assert licensed.get("/v1/license")["allowedDataplaneProxies"] == 35
    assert licensed.pid == before


def test_a_silent_daemon_is_replaced_by_the_watchdog(licensed: Machine) -> None:
    licensed.write(f"/etc/systemd/system/{UNIT}.d/watchdog.conf", "[Service]\nWatchdogSec=2\n")
    licensed.sh("systemctl daemon-reload; systemctl restart kong-mesh-cp")
    before = licensed.pid

    licensed.sh(f"kill -STOP {before}")

    licensed.box.wait_for(
        "another daemon",
        lambda: licensed.active == "active" and licensed.pid not in {0, before},
    )
    assert licensed.restarts == 1
    assert "Watchdog timeout" in licensed.log()
    assert licensed.get("/v1/license")["allowedDataplaneProxies"] == 20
    # The watchdog's SIGABRT would leave a core, and the core would hold the license.
    limits = licensed.sh(f"cat /proc/{licensed.pid}/limits")
    assert re.search(r"Max core file size +0 +0 ", limits), limits


def test_a_killed_daemon_comes_back(licensed: Machine) -> None:
    before = licensed.pid

    licensed.sh(f"kill -KILL {before}")

    licensed.box.wait_for(
        "another daemon", lambda: licensed.active == "active" and licensed.pid not in {0, before}
    )
    assert licensed.restarts == 1


def test_clients_queue_while_the_daemon_restarts(licensed: Machine) -> None:
    # Holds the new start back until the clients are there.
    licensed.write(
        f"/etc/systemd/system/{UNIT}.d/slow.conf",
        "[Service]\nExecStartPre=sh -c 'until [ -e /run/go ]; do sleep 0.1; done'\n",
    )
    licensed.sh("systemctl daemon-reload; systemctl --no-block restart kong-mesh-cp")
    licensed.box.wait_for(
        "a service without a daemon",
        lambda: licensed.box.property(UNIT, "SubState") == "start-pre" and licensed.pid == 0,
    )
    licensed.write(
        "/client",
        f"#!/bin/sh\ncurl -sS --unix-socket {SOCKET} -o /dev/null -w '%{{http_code}} ' http://localhost/v1/ready\n",
        mode=0o755,
    )
    licensed.sh(
        "for i in $(seq 10); do"
        " systemd-run --quiet --unit=client-$i -p StandardOutput=file:/run/$i.answer /client; done"
    )
    # The third column of a listening socket is the length of its queue.
    queue = f"ss --unix --listening --no-header src {SOCKET} | awk '{{ print $3 }}'"
    licensed.box.wait_for("ten clients in the queue", lambda: licensed.sh(queue) == "10\n")

    licensed.sh("touch /run/go")

    licensed.box.wait_for(
        "ten answers", lambda: licensed.sh("cat /run/*.answer").split() == ["200"] * 10
    )


def test_a_removed_socket_is_made_anew_with_the_same_rights_and_after_a_kill_again(
    licensed: Machine,
) -> None:
    rights = f"stat -c '%A %U %G' {SOCKET}"
    before, daemon = licensed.sh(rights), licensed.pid

    licensed.sh(f"rm {SOCKET}")

    licensed.box.wait_for("a socket", lambda: licensed.ask("/v1/ready").status == 0)
    assert licensed.sh(rights) == before == "srw-rw---- kong-mesh-cp kong-mesh\n"
    assert licensed.ask("/v1/license", user="bob").status == 0
    assert licensed.ask("/v1/license", user="alice").status == 7
    assert licensed.pid == daemon
    assert licensed.said("admission-socket-made-again: .*")

    # systemd hands over its own again, whose file is gone.
    licensed.sh(f"kill -KILL {daemon}")
    licensed.box.wait_for(
        "another daemon", lambda: licensed.active == "active" and licensed.pid not in {0, daemon}
    )
    licensed.box.wait_for("a socket", lambda: licensed.ask("/v1/ready").status == 0)
    assert licensed.sh(rights) == before

    licensed.systemctl("stop")
    licensed.box.wait_for(
        "a socket unit that is closed",
        lambda: licensed.box.property(SOCKET_UNIT, "ActiveState") == "inactive",
    )
    licensed.start()
    assert licensed.ask("/v1/license", user="bob").status == 0
    assert licensed.sh(rights) == before


def test_a_stop_stops_although_clients_keep_asking(licensed: Machine) -> None:
    licensed.systemctl("stop")

    # curl could not connect; or it did, and was cut off: systemd stops the socket a moment after
    # the service.
    assert licensed.ask("/v1/ready").status in {7, 56}
    licensed.box.wait_for(
        "a socket that is gone",
        lambda: licensed.box.property(SOCKET_UNIT, "ActiveState") == "inactive",
    )
    assert licensed.ask("/v1/ready").status == 7
    assert licensed.active == "inactive"


def test_only_members_of_the_group_may_ask_for_admission(licensed: Machine) -> None:
    request = (
        "-d",
        '{"mesh":"default","name":"backend-1"}',
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
    )

    assert licensed.sh(f"stat -c '%A %U %G' {SOCKET}") == "srw-rw---- kong-mesh-cp kong-mesh\n"
    assert licensed.ask("/v1/admissions?dryRun=true", *request, user="bob").stdout == "200"
    assert licensed.ask("/v1/admissions?dryRun=true", *request, user="alice").status == 7


def test_a_member_of_the_group_may_not_administer(licensed: Machine) -> None:
    reload = ("-X", "POST", "-o", "/dev/null", "-w", "%{http_code}")

    assert licensed.ask("/v1/license/reload", *reload, user="bob").stdout == "403"
    assert licensed.ask("/v1/license/reload", *reload).stdout == "200"


def test_a_holder_is_known_by_its_user_and_its_unit(licensed: Machine) -> None:
    assert licensed.join("backend-1", unit="backend.service", user="bob")["decision"] == "admitted"

    holders = licensed.get("/v1/admissions")["items"]

    assert isinstance(holders, list)
    assert [holder["peer"]["unit"] for holder in holders] == ["backend.service"]
    assert [holder["peer"]["uid"] for holder in holders] == [int(licensed.sh("id -u bob"))]


def test_with_rules_a_unit_is_an_identity(licensed: Machine) -> None:
    licensed.write(
        "/etc/kong-mesh/kong-mesh-cp.toml",
        '[[admission.rules]]\nunit = "kuma-dp@*.service"\nmesh = "default"\nname = "{instance}"\n',
    )
    assert licensed.systemctl("restart").status == 0, licensed.log()

    joined = licensed.join("web", unit="kuma-dp@web.service", user="bob")
    stranger = licensed.ask(
        "/v1/admissions",
        "-d",
        '{"mesh":"default","name":"web-2"}',
        "-w",
        "%{http_code}",
        user="bob",
    )

    assert joined["decision"] == "admitted"
    assert stranger.stdout.endswith("403")
    assert '"identity"' in stranger.stdout


def test_the_units_exposure_is_low_as_this_systemd_counts_it(licensed: Machine) -> None:
    verdict = licensed.box.run("systemd-analyze", "security", "--threshold=15", UNIT)

    assert verdict.status == 0, verdict.text


def test_the_license_shows_nowhere_in_the_system(licensed: Machine) -> None:
    document = license_document(expires=FAR)
    inline = document.decode().replace("\n", " ")
    licensed.set_environment(f"KMESH_LICENSE_INLINE='{inline}'")
    assert licensed.systemctl("restart").status == 0, licensed.log()

    shown = (
        licensed.systemctl("status").text
        + licensed.systemctl("show").text
        + licensed.log()
        + licensed.sh("curl -sS http://127.0.0.1:5681/config http://127.0.0.1:5680/metrics")
        + licensed.sh(
            f"tr '\\0' '\\n' < /proc/{licensed.pid}/environ; cat /proc/[0-9]*/cmdline | tr '\\0' ' '"
        )
    )

    assert LICENSE_KEY not in shown
    assert signature_of(document) not in shown
