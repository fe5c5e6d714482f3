"""The questions of `license`, without a file, while a daemon runs: it answers, and that is said."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from kong_mesh_cp.cli import main
from support.daemons.daemon import Daemon, eventually, running
from support.fakes.users import NOBODY_UID, needs_root
from support.licenses.licenses import LICENSE_KEY, TEST_VENDOR, keyring_json, license_document

pytestmark = pytest.mark.system

QUESTIONS = ["verify", "inspect", "explain", "simulate"]
FAR = "2099-12-31"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("KUMA_", "KMESH_", "CREDENTIALS_")):
            monkeypatch.delenv(name)


@pytest.fixture
def license_file(tmp_path: Path) -> Path:
    path = tmp_path / "license.json"
    path.write_bytes(license_document(expires=FAR))
    return path


@pytest.fixture
def daemon(tmp_path: Path, license_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    keyring = tmp_path / "keyring.json"
    keyring.write_bytes(keyring_json())
    environment = {"KMESH_LICENSE_PATH": str(license_file)}
    flags = ("--license-keyring", str(keyring))
    with running(tmp_path / "d", *flags, environment=environment) as daemon:
        monkeypatch.setenv("KMESH_ADMISSION_SOCKET", str(daemon.socket))
        yield daemon


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_daemon_answers_for_what_is_in_force(
    daemon: Daemon, question: str, license_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # --license-keyring of the daemon is a warning of its license.
    assert main(["license", question]) == 3
    out, err = capsys.readouterr()
    assert err == f"asked: the daemon on {daemon.socket}\n"
    assert "20" in out
    if question != "simulate":
        assert "keyring-override" in out
    if question in {"inspect", "explain"}:
        assert str(license_file) in out
    assert LICENSE_KEY[:12] not in out


def test_json_and_toml_say_the_same(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    with daemon.seat("backend-1"):
        facts: dict[str, object] = {}
        for question in QUESTIONS:
            at = ["--at", "2030-01-01"] if question == "simulate" else []
            main(["license", question, "--output", "json", *at])
            facts = json.loads(capsys.readouterr().out)
            main(["license", question, "--output", "toml", *at])
            assert tomllib.loads(capsys.readouterr().out) == facts
            assert facts["customer"] == "company_inc"
            assert facts["activeDataplaneProxies"] == 1
            assert facts["restartSafe"] is True
        simulation = facts["simulation"]
        assert isinstance(simulation, dict)
        assert simulation["activeDataplaneProxies"] == 1, "as many as are connected"


def test_a_source_that_a_restart_would_be_refused_for_is_told_of(
    daemon: Daemon, license_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    license_file.write_bytes(license_document(expires="2023-11-09"))
    eventually("the change is seen", lambda: main(["license", "verify"]) == 4)
    capsys.readouterr()
    assert main(["license", "explain"]) == 4
    out = capsys.readouterr().out
    assert "In force is the license of company_inc" in out
    assert "a restart now would be refused: license-expired" in out
    license_file.write_bytes(b"{")
    eventually("and the next one", lambda: main(["license", "verify"]) == 5)
    assert daemon.process is not None


def test_the_pre_bundled_license_has_the_status_of_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path / "d") as daemon:
        monkeypatch.setenv("KMESH_ADMISSION_SOCKET", str(daemon.socket))
        for question in QUESTIONS:
            assert main(["license", question]) == 6, question
            assert "pre-bundled" in capsys.readouterr().out
        assert main(["license", "simulate", "--dataplanes", "5"]) == 6
        assert "admit one more: no" in capsys.readouterr().out


def test_a_license_that_is_named_here_is_meant(
    daemon: Daemon,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = tmp_path / "other.json"
    other.write_bytes(license_document(TEST_VENDOR, customer="another"))
    monkeypatch.setenv("KMESH_LICENSE_PATH", str(other))
    keyring = str(tmp_path / "keyring.json")
    assert main(["license", "inspect", "--license-keyring", keyring]) == 3
    out, err = capsys.readouterr()
    assert "another" in out
    assert err.startswith("asked: this environment")
    assert daemon.process is not None


def test_without_anybody_to_ask_this_environment_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KMESH_ADMISSION_SOCKET", str(tmp_path / "none.sock"))
    monkeypatch.setenv("KONG_LICENSE_PATH", "/etc/kong/license.json")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["license", "verify"]) == 6
    err = capsys.readouterr().err
    assert err.startswith("asked: this environment: no daemon answers on ")
    assert "warning: config-foreign-variable: KONG_LICENSE_PATH" in err


@needs_root
def test_who_may_not_ask_is_told_what_is_closed(
    daemon: Daemon, capfd: pytest.CaptureFixture[str]
) -> None:
    daemon.socket.chmod(0o600)
    for line in ("license verify", "license check-restart", "reload"):
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setgid(NOBODY_UID)
            os.setuid(NOBODY_UID)
            os._exit(main(line.split()))
        _, status = os.waitpid(child, 0)
        out, err = capfd.readouterr()
        assert os.waitstatus_to_exitcode(status) == 7, out + err
        assert "service-closed: user nobody may not " in out + err
        assert "Run it as root" in out + err
