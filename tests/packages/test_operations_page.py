"""The commands of docs/operations.md do on a machine with the package what the page says."""

from __future__ import annotations

import re

import pytest

from support.licenses.licenses import license_document
from support.packages.installed import SOCKET, Machine
from support.staging import operations_page

pytestmark = pytest.mark.package

SECOND = "kong-mesh-cp-b"


@pytest.fixture
def licensed(machine: Machine) -> Machine:
    machine.install()
    machine.put_license(license_document())
    machine.start()
    machine.join("backend-1", unit="backend.service")
    return machine


def _lines(pattern: str) -> list[str]:
    lines = (line for block in operations_page.blocks("") for line in block.splitlines())
    return [line for line in lines if re.match(pattern, line)]


def test_what_is_asked_on_call_is_answered_and_a_license_is_renewed(licensed: Machine) -> None:
    questions = [
        *_lines(r"curl |journalctl (?!.*-removed)|date "),
        "kong-mesh-cp license check-restart",
    ]
    assert len(questions) > 7
    # The first token is made a moment after the start; before it there is nothing to be told of.
    asked = ("journalctl", "-u", "kong-mesh-cp", "--grep", "^token-issued:")
    licensed.box.wait_for("the first token", lambda: licensed.box.run(*asked).status == 0)
    answers = {question: licensed.sh(question) for question in questions}
    # Nothing has been removed here, and journalctl says so by its status, too.
    for rare in _lines(r"journalctl .*-removed"):
        assert licensed.box.run("sh", "-ec", rare).text.strip() == "-- No entries --"

    assert "alive\n" in answers["curl -fsS localhost:5680/healthy && echo alive"]
    assert "serving\n" in answers["curl -fsS localhost:5680/ready && echo serving"]
    assert any('"unit":"backend.service"' in answer for answer in answers.values())
    assert all(answer for question, answer in answers.items() if "-p warning" not in question)

    licensed.put_license(
        license_document(dataplanes=30, expires="2033-01-01"), "/root/renewed.json"
    )

    for line in _lines(r"kong-mesh-cp license explain|install .*renewed|systemctl reload .*-cp &&"):
        licensed.sh(line)

    assert licensed.get("/v1/license")["allowedDataplaneProxies"] == 30
    assert licensed.said("license-applied: .*").startswith("license-applied: dataplanes 20 → 30")


def test_state_is_backed_up_and_restored(licensed: Machine) -> None:
    cluster = licensed.sh("curl -s localhost:5681/ | grep clusterId")

    licensed.sh(operations_page.script("backup"))
    licensed.sh(operations_page.script("backup-running"))
    licensed.sh(
        "systemctl stop kong-mesh-cp; rm /var/lib/kong-mesh-cp/*; systemctl start kong-mesh-cp"
    )
    assert licensed.sh("curl -s localhost:5681/ | grep clusterId") != cluster
    licensed.sh(operations_page.script("restore"))

    assert licensed.active == "active"
    assert licensed.sh("curl -s localhost:5681/ | grep clusterId") == cluster
    assert licensed.said("seats-reserved: .*") == "seats-reserved: seats kept for their proxies: 1"

    # The other kind: its four files in an empty directory.
    licensed.sh(
        "systemctl stop kong-mesh-cp; rm /var/lib/kong-mesh-cp/*;"
        " cp -p /var/backups/kong-mesh-cp/* /var/lib/kong-mesh-cp/; systemctl start kong-mesh-cp"
    )
    assert licensed.sh("curl -s localhost:5681/ | grep clusterId") == cluster


def test_a_second_daemon_runs_beside_the_first_whose_clock_is_reset(licensed: Machine) -> None:
    licensed.sh(operations_page.script("reset-clock"))
    owners = licensed.sh("stat -c %U /var/lib/kong-mesh-cp/*").split()
    assert set(owners) == {"kong-mesh-cp"}

    (unit,) = operations_page.blocks("ini")
    path = unit.splitlines()[0].removeprefix("# ")
    licensed.write(path, unit)
    licensed.sh(f"systemctl daemon-reload; systemctl start {SECOND}")

    asked = re.search(
        r"`(kong-mesh-cp license check-restart --socket [^`]+)`", operations_page.text()
    )
    assert asked is not None
    assert licensed.sh(asked[1]).startswith("safe")
    assert SOCKET not in asked[1]
    assert licensed.active == "active"


def test_a_daemon_that_systemd_gave_up_on_is_brought_back(licensed: Machine) -> None:
    licensed.sh("systemctl stop kong-mesh-cp; mv /var/lib/kong-mesh-cp/store.db /root/")
    licensed.write("/var/lib/kong-mesh-cp/store.db", "no database", mode=0o644)
    # Ten starts have to fall into the interval, also where each takes long.
    limit = "/run/systemd/system/kong-mesh-cp.service.d/limit.conf"
    licensed.write(limit, "[Unit]\nStartLimitIntervalSec=1h\n")
    licensed.sh("systemctl daemon-reload")
    licensed.box.run("systemctl", "start", "kong-mesh-cp")
    licensed.box.wait_for("systemd to give up", lambda: licensed.active == "failed")
    assert "Start request repeated too quickly" in licensed.log()
    licensed.sh("rm /var/lib/kong-mesh-cp/store.db; mv /root/store.db /var/lib/kong-mesh-cp/")

    for line in _lines(r"systemctl reset-failed|systemctl start kong-mesh-cp$")[-2:]:
        licensed.sh(line)

    assert licensed.active == "active"
