"""Commands that are typed on a machine with the service answer for the service, and say so."""

from __future__ import annotations

import json
import re

import pytest

from support.licenses.licenses import license_document
from support.packages.box import Outcome
from support.packages.installed import LICENSE, SOCKET, SOCKET_UNIT, UNIT, Machine
from support.packages.packages import VERSION

pytestmark = pytest.mark.package

FAR = "2099-12-31"
VALID, WARNED, NONE, UNKNOWN = 0, 3, 6, 7
SAFE, NOT_SAFE = 0, 1
CONFIG = 78
ORDINARY = "nobody"


@pytest.fixture
def installed(machine: Machine) -> Machine:
    machine.install()
    machine.put_license(license_document(expires=FAR))
    return machine


def typed(machine: Machine, line: str, user: str = "root") -> Outcome:
    """A command that somebody types there: nothing is set in his shell."""
    as_user = [] if user == "root" else ["runuser", "-u", user, "--"]
    return machine.box.run(*as_user, "kong-mesh-cp", *line.split())


def test_questions_about_the_license_go_to_the_running_daemon(installed: Machine) -> None:
    installed.start()
    for question in ("verify", "inspect", "explain", "simulate"):
        told = typed(installed, f"license {question}")
        assert told.status == VALID, told.text
        assert told.stderr == f"asked: the daemon on {SOCKET}\n"
        assert "20" in told.stdout
        assert "pre-bundled" not in told.stdout

    facts = json.loads(typed(installed, "license inspect --output json").stdout)
    assert facts["customer"] == "company_inc"
    assert facts["allowedDataplaneProxies"] == 20
    assert facts["source"].startswith(LICENSE)
    assert facts["restartSafe"] is True
    simulated = typed(installed, f"license simulate --at {FAR} --dataplanes 21")
    assert "start: no" in simulated.stdout
    assert "over-limit" in simulated.stdout


def test_without_the_daemon_they_are_answered_as_systemd_would_start_it(installed: Machine) -> None:
    for question in ("verify", "inspect", "explain", "simulate"):
        told = typed(installed, f"license {question}")
        assert told.status == VALID, told.text
        assert f"asked: {UNIT}, as systemd would start it now\n" in told.stderr
        assert "20" in told.stdout, told.text
    assert LICENSE in typed(installed, "license inspect").stdout

    installed.set_environment("KMESH_LICENSE_PATH=/etc/kong-mesh/forgotten.json")
    told = typed(installed, "license verify")
    assert "/etc/kong-mesh/forgotten.json" in told.stderr
    assert told.status == 5
    installed.set_environment("KONG_LICENSE_PATH=/etc/kong/license.json")
    assert "config-foreign-variable" in typed(installed, "license verify").stderr


def test_a_start_that_systemd_refused_is_never_called_safe(installed: Machine) -> None:
    # root reads it, the service's user does not.
    installed.put_license(license_document(expires=FAR), "/etc/kong-mesh/own.json")
    installed.set_environment("KMESH_LICENSE_PATH=/etc/kong-mesh/own.json")
    assert installed.systemctl("start").status != 0
    assert installed.box.property(UNIT, "ExecMainStatus") == str(CONFIG)

    for flags in ("", " --offline"):
        told = typed(installed, f"license check-restart{flags}")
        assert told.status == NOT_SAFE, told.text
        assert "not safe: license-unreadable: /etc/kong-mesh/own.json" in told.stdout
        assert f"asked: {UNIT}" in told.stderr

    installed.sh("chgrp kong-mesh-cp /etc/kong-mesh/own.json; chmod g+r /etc/kong-mesh/own.json")
    told = typed(installed, "license check-restart")
    assert told.status == SAFE, told.text
    assert told.stdout.endswith("safe: a start right now would succeed\n")
    installed.start()
    told = typed(installed, "license check-restart")
    assert told.status == SAFE, told.text
    assert told.stderr.startswith(f"asked: the daemon on {SOCKET}\nasked: {UNIT}, ")
    installed.set_environment("KMESH_LICENSE_PATH=/etc/kong-mesh/forgotten.json")
    told = typed(installed, "license check-restart")
    assert told.status == NOT_SAFE, "the daemon does not know what was changed since"
    assert told.stdout.startswith("not safe: license-path-not-found: /etc/kong-mesh/forgotten.json")


def test_where_nobody_can_tell_the_verdict_is_unknown(installed: Machine) -> None:
    installed.write(f"/etc/systemd/system/{UNIT}.d/no.conf", "[Service]\nUser=nobody-at-all\n")
    installed.sh("systemctl daemon-reload")
    told = typed(installed, "license check-restart")
    assert told.status == UNKNOWN, told.text
    assert "unknown: service-unknown: " in told.stdout
    assert "\nsafe" not in told.stdout


def test_the_configuration_is_the_one_of_the_service(installed: Machine) -> None:
    installed.set_environment(
        "KUMA_API_SERVER_HTTP_PORT=many", "KUMA_STORE_POSTGRES_TLS_CA_PATH=/x"
    )
    told = typed(installed, "config check")
    assert told.status == CONFIG, told.text
    assert "KUMA_API_SERVER_HTTP_PORT" in told.stdout
    assert "Did you mean KUMA_STORE_POSTGRES_TLS_ROOT_CERT_PATH?" in told.stdout
    assert f"asked: {UNIT}" in told.stderr

    installed.set_environment("KUMA_API_SERVER_HTTP_PORT=7681")
    told = typed(installed, "config show")
    assert "port = 7681  # environment KUMA_API_SERVER_HTTP_PORT" in told.stdout
    assert 'workDir = "/var/lib/kong-mesh-cp"  # environment STATE_DIRECTORY' in told.stdout
    assert typed(installed, "config check").stdout.endswith(" with this environment\n")


def test_run_beside_the_service_names_its_commands_and_makes_nothing(installed: Machine) -> None:
    installed.start()
    told = typed(installed, "run")
    assert told.status == 69, told.text
    assert "socket-in-use" in told.stderr
    assert f"systemctl stop kong-mesh-cp.service {SOCKET_UNIT}" in told.stderr
    assert installed.box.run("test", "-e", "/root/.kuma").status != 0


def test_an_ordinary_user_is_told_what_he_may_not_read(installed: Machine) -> None:
    for running in (False, True):
        if running:
            installed.start()
        for line in ("license explain", "license check-restart", "reload", "config check"):
            told = typed(installed, line, user=ORDINARY)
            assert told.status in {UNKNOWN, 69}, (line, told.text)
            assert "kong-mesh-cp.toml" not in told.text, line
            if told.status == UNKNOWN:
                assert re.search(r"user nobody may not (enter|open|read) .*/\S+ \(0\d+ ", told.text)
        refused = typed(installed, "run", user=ORDINARY)
        assert refused.status == CONFIG
        assert "may not enter the folder /etc/kong-mesh" in refused.stderr
    installed.sh(f"install -m 0644 {LICENSE} /tmp/license.json")
    assert typed(installed, "license verify /tmp/license.json", user=ORDINARY).status == VALID


def test_what_is_set_in_the_shell_is_meant(installed: Machine) -> None:
    installed.start()
    told = installed.box.run(
        "env", f"KMESH_LICENSE_PATH={LICENSE}x", "kong-mesh-cp", "license", "verify"
    )
    assert told.status == 5
    assert "asked: this environment" in told.stderr
    assert VERSION in installed.sh("kong-mesh-cp --version")
