"""What the page for operators names exists: metrics, settings, codes, paths, statuses, commands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import (
    EX_CANTCREAT,
    EX_CONFIG,
    EX_UNAVAILABLE,
    ControlPlaneError,
)
from kong_mesh_cp.settings.model import rows
from kong_mesh_cp.shell.store.postgres.address import SCHEMA
from kuma_dp.given.options import OPTIONS
from support.daemons.daemon import Daemon, eventually, free_port, running
from support.data_plane.ads_clients import AdsProxy, token
from support.staging import operations_page
from support.staging.console_page import put_daemon_command, run

ROOT = Path(__file__).parents[2]
EXIT_USAGE = 2  # argparse's own
PAGE = operations_page.text()
GUIDE, _, STAGED = PAGE.partition("## Ways to get it wrong")
QUOTED = re.findall(r"`([^`\n]+)`", PAGE)
# Written with hyphens as codes are, and the names of something else.
NO_CODES = {"kong-mesh", "kong-mesh-cp", "check-restart", "reset-clock", "time-sync.target"}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One that a process and a proxy have come to: some metrics begin with the first."""
    port = free_port()
    environment = {"KUMA_DP_SERVER_PORT": str(port)}
    with running(tmp_path_factory.mktemp("d"), environment=environment) as daemon:
        with daemon.seat("backend-1") as seat:
            assert seat.admitted
        with AdsProxy(port, "backend-2", token(daemon)) as proxy:
            assert proxy.joined
            yield daemon


@cache
def sources(*folders: str) -> str:
    """Every text of the project that could make a name of the page true."""
    files = [file for folder in folders for file in (ROOT / folder).rglob("*") if file.is_file()]
    return "\n".join(file.read_text("utf-8", "ignore") for file in files if file.suffix != ".pyc")


def test_the_page_has_something_to_check() -> None:
    assert len(QUOTED) > 100


@pytest.mark.system
def test_every_metric_of_the_page_is_exposed(daemon: Daemon) -> None:
    exposed = set(
        re.findall(r"^# TYPE (\S+) ", daemon.diagnostics("/metrics").body.decode(), re.MULTILINE)
    )
    buckets = re.compile("_bucket$")  # of a histogram, whose type has no such ending
    named = {buckets.sub("", name) for name in re.findall(r"\bkong_mesh_[a-z_]+", PAGE)}
    assert named - exposed - {SCHEMA} == set()
    assert exposed - named == set(), "a metric without a line in the page"


@pytest.mark.system
def test_every_label_in_an_alert_is_one_that_is_exposed(daemon: Daemon) -> None:
    daemon.seat("no name")  # a refusal, so that its label is there
    text = daemon.diagnostics("/metrics").body.decode()
    for label in re.findall(r'\{(\w+="\w+")\}', GUIDE):
        if not label.startswith("job="):
            assert label in text, label


@pytest.mark.system
def test_every_member_of_the_full_view_is_explained(daemon: Daemon) -> None:
    members = set(daemon.api("GET", "/license?view=full").json)
    table = GUIDE.partition("| member |")[2].partition("\n\n")[0]
    told = {
        name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert told == members


@pytest.mark.system
def test_every_address_that_is_asked_answers(daemon: Daemon) -> None:
    asked = re.findall(r"localhost:(\d+)(/[^\s']*)", GUIDE)
    assert len(asked) > 3
    assert {port for port, _ in asked} == {"5680", "5681"}
    for port, path in asked:
        answer = daemon.api("GET", path) if port == "5681" else daemon.diagnostics(path)
        assert answer.status == 200, path
    for path in re.findall(r"admission\.sock http://localhost(/\S+)", GUIDE):
        assert daemon.local("GET", path).status == 200


@pytest.mark.system
def test_the_key_of_secrets_is_rotated_by_the_commands_of_the_page(tmp_path: Path) -> None:
    with running(tmp_path / "d") as daemon:
        token = "/global-secrets/admin-user-token"
        eventually("the first token", lambda: daemon.api("GET", token).status == 200)
        before = (daemon.state / "secret-key").read_text()
        secret = daemon.api("GET", token).json["data"]
        home = tmp_path / "home"
        (home / "bin").mkdir(parents=True)
        put_daemon_command(home, daemon.socket)
        places = {"/var/lib/kong-mesh-cp": str(daemon.state), "/root": str(home)}

        said = run(home, f"set -e\n{operations_page.script('rotate-sealing')}", places)

        assert re.fullmatch(
            r"\w{16} seals from now on; secrets sealed anew: \d+\nretired: \w{16}\n", said
        )
        (kept,) = home.glob("secret-key.*")
        assert kept.read_text() == f"{(daemon.state / 'secret-key').read_text()}{before}"
        daemon.stop()
        daemon.start()
        assert daemon.api("GET", token).json["data"] == secret


def test_every_variable_and_setting_of_the_page_is_one() -> None:
    variables = {row.option.environment for row in rows()}
    variables |= {option.variable for option in OPTIONS}  # of kuma-dp
    misspelt = {"KMESH_LICENCE_PATH", "KUMA_DATAPLANE_DRAINTIME"}
    unused = {"KUMA_GENERAL_DNS_CACHE_TTL", "KUMA_INTER_CP_SERVER_PORT"}  # shown as such
    assert not unused & variables
    assert set(re.findall(r"\bK(?:MESH|UMA)_[A-Z_]+", PAGE)) - misspelt - unused <= variables
    paths = {row.path for row in rows()}
    named = {quoted for quoted in QUOTED if re.fullmatch(r"license\.(?!json|md)\w+", quoted)}
    assert named
    assert named <= paths


def test_the_exit_statuses_are_those_of_the_program_and_the_unit() -> None:
    told = [int(status) for status in re.findall(r"^\| (\d+) \|", GUIDE, re.MULTILINE)]
    plain = ControlPlaneError("", code="", hint="").exit_status
    assert told == [0, plain, EXIT_USAGE, EX_UNAVAILABLE, EX_CANTCREAT, EX_CONFIG]
    unit = (ROOT / "systemd/kong-mesh-cp.service").read_text()
    assert re.findall(r"^RestartPreventExitStatus=(.*)$", unit, re.MULTILINE) == [str(EX_CONFIG)]
    assert re.search(r"^RestartSec=2$", unit, re.MULTILINE)
    assert re.search(r"^StartLimitIntervalSec=60\nStartLimitBurst=10$", unit, re.MULTILINE)
    assert re.search(r"^WatchdogSec=30$", unit, re.MULTILINE)


def test_every_code_of_the_page_is_one_of_the_program() -> None:
    program = sources("daemon")
    codes = {quoted for quoted in QUOTED if re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", quoted)}
    codes |= {said.line.partition(":")[0] for said in operations_page.entries().values()}
    codes -= NO_CODES
    assert len(codes) > 30
    for code in codes:
        # Codes of licenses are made from a fault or a warning, and from its end; those of
        # bootstraps from a reason.
        stem = code.removeprefix("license-").removeprefix("bootstrap-").removesuffix("-cleared")
        assert re.search(rf"""["'](?:{code}|{stem})["':]""", program), code


def test_every_path_of_the_installed_system_is_one_of_the_package() -> None:
    program = sources("systemd", "packaging", "daemon")
    named = set(re.findall(r"/(?:etc|run|var/lib|usr)/[\w./-]*[\w]", GUIDE))
    own = {path for path in named if "kong-mesh-cp-b" in path or path.endswith(".broken")}
    derived = {
        "/var/lib/kong-mesh-cp": "StateDirectory=kong-mesh-cp",
        "/var/lib/kong-mesh-cp/store.db": '"store.db"',
        "/var/lib/kong-mesh-cp/trial.json": '"trial.json"',
        "/var/lib/kong-mesh-cp/clock.json": '"clock.json"',
        "/var/lib/kong-mesh-cp/secret-key": '"secret-key"',
    }
    elsewhere = {"/var/lib"}  # the parent, for tar
    for path in named - own - elsewhere:
        assert derived.get(path, path) in program, path
    for unit in re.findall(r"\bkong-mesh-cp[\w-]*\.(?:service|socket)\b", GUIDE):
        assert (ROOT / "systemd" / unit).exists() or unit == "kong-mesh-cp-b.service", unit


def test_every_command_of_the_daemon_is_understood() -> None:
    """Asked for its help: that goes through the same parser, and no further."""
    pattern = r"(?<![\w/.-])kong-mesh-cp ((?:license|config|keys|reload|run)\b[^`\n;|&#()]*)"
    commands = {command.strip().rstrip(".") for command in re.findall(pattern, PAGE)}
    assert len(commands) > 6
    for command in commands:
        arguments = shlex.split(command)
        done = subprocess.run(
            [sys.executable, "-m", "kong_mesh_cp", *arguments, "--help"],
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)
        for option in (word for word in arguments if word.startswith("--")):
            assert option in done.stdout, command


def test_systemctl_is_given_a_unit_and_a_verb_that_it_knows() -> None:
    asked = re.findall(r"\bsystemctl ([a-z-]+) ([a-z-]+)", PAGE)
    verbs = {verb for verb, _ in asked}
    assert verbs == {"start", "stop", "restart", "reload", "status", "cat", "reset-failed"}
    assert {unit for _, unit in asked} == {"kong-mesh-cp"}


def test_every_link_leads_somewhere() -> None:
    for page, anchor in re.findall(r"\]\(([\w./-]*\.md)?(?:#([\w-]+))?\)", PAGE):
        path = ROOT / "docs" / page if page else operations_page.PATH
        titles = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
        assert not anchor or anchor in anchors, (page, anchor)
