"""`license check-restart` and `license reset-clock`: of a running daemon, and without one."""

from __future__ import annotations

import os
import pwd
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio

from kong_mesh_cp.cli import main
from kong_mesh_cp.core.errors import EX_CANTCREAT
from kong_mesh_cp.core.license.clock import ClockMark, suspect
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.shell.store.sqlite.peek import peek
from kong_mesh_cp.shell.store.sqlite.state_directory import StateDirectory
from kong_mesh_cp.usecases.ports.state_store import AuditEntry
from support.daemons.daemon import eventually, running
from support.fakes.users import NOBODY_UID, needs_root, reachable_directory
from support.licenses.licenses import keyring_json, license_document

SAFE, NOT_SAFE, USAGE, UNKNOWN = 0, 1, 2, 7
REASON = "the battery of the clock was empty"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state directory of this environment; it does not exist yet."""
    for name in list(os.environ):
        if name.startswith(("KUMA_", "KMESH_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("KUMA_GENERAL_WORK_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("KMESH_ADMISSION_SOCKET", str(tmp_path / "a.sock"))
    return tmp_path / "state"


def keyring_flags(directory: Path) -> list[str]:
    (directory / "keyring.json").write_bytes(keyring_json())
    return ["--license-keyring", str(directory / "keyring.json")]


@pytest.mark.usefixtures("state")
def test_offline_a_fresh_environment_is_safe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["license", "check-restart", "--offline"]) == SAFE
    assert capsys.readouterr().out == "safe: a start right now would succeed\n"


def test_offline_an_expired_license_is_not_safe_and_nothing_is_made(
    state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("KMESH_LICENSE_INLINE", license_document(expires="2023-11-09").decode())

    status = main(["license", "check-restart", "--offline", *keyring_flags(tmp_path)])

    assert status == NOT_SAFE
    assert capsys.readouterr().out.startswith(
        "not safe: license-expired: the license of company_inc"
    )
    assert not state.exists()


def test_offline_a_wrong_setting_is_not_safe(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUMA_API_SERVER_HTTP_PORT", "high")

    assert main(["license", "check-restart", "--offline"]) == NOT_SAFE
    assert "KUMA_API_SERVER_HTTP_PORT" in capsys.readouterr().out
    assert not state.exists()


@pytest.mark.usefixtures("state")
def test_without_a_daemon_this_environment_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["license", "check-restart"]) == SAFE

    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("no daemon answers on ")
    assert first.endswith("; judging this environment instead")
    assert second.startswith("safe: ")


@pytest.mark.system
@pytest.mark.usefixtures("state")
def test_the_running_daemon_answers_for_what_its_sources_hold_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    license_file = tmp_path / "license.json"
    license_file.write_bytes(license_document())
    environment = {"KMESH_LICENSE_PATH": str(license_file)}
    with running(tmp_path / "d", *keyring_flags(tmp_path), environment=environment) as daemon:
        question = ["license", "check-restart", "--socket", str(daemon.socket)]
        assert main(question) == SAFE
        assert capsys.readouterr().out == "safe: a start right now would succeed\n"

        license_file.write_bytes(license_document(expires="2023-11-09"))
        eventually("the change is seen", lambda: main(question) == NOT_SAFE)
        said = capsys.readouterr().out.splitlines()[-1]
        assert said.startswith("not safe: license-expired: ")
        assert str(license_file) in said

        license_file.write_bytes(license_document())
        eventually("the remedy is seen", lambda: main(question) == SAFE)


async def _leave_mark(state: Path, seen: datetime) -> None:
    mark = ClockMark(seen=seen, boot_id="an earlier boot", boottime_seconds=1.0, ahead_seconds=0.0)
    with StateDirectory.open(state) as directory:
        async with directory.open_store() as store:
            await store.save_clock(mark)


async def _audit_of(state: Path) -> tuple[AuditEntry, ...]:
    with StateDirectory.open(state) as directory:
        async with directory.open_store() as store:
            return await store.audit_entries()


FUTURE = datetime(2031, 5, 1, tzinfo=UTC)


def test_a_reset_believes_the_wall_clock_again(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trio.run(_leave_mark, state, FUTURE)
    marked = peek(state).clock
    assert marked is not None
    assert suspect(marked, clocks.wall_clock())

    assert main(["license", "reset-clock", "--reason", REASON]) == 0

    assert "(it was 2031-05-01T00:00:00Z)" in capsys.readouterr().out
    now = clocks.wall_clock()
    mark = peek(state).clock
    assert mark is not None
    assert not suspect(mark, now)
    assert timedelta(0) <= now - mark.seen < timedelta(hours=1)


def test_a_reset_makes_an_expired_looking_license_startable_again(
    state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    expires = f"{clocks.wall_clock() + timedelta(days=60):%Y-%m-%d}"
    monkeypatch.setenv("KMESH_LICENSE_INLINE", license_document(expires=expires).decode())
    trio.run(_leave_mark, state, FUTURE)
    question = ["license", "check-restart", "--offline", *keyring_flags(tmp_path)]
    assert main(question) == NOT_SAFE
    assert "reset-clock" in capsys.readouterr().out, "the remedy is named"

    main(["license", "reset-clock", "--reason", REASON])

    assert main(question) == SAFE


def test_a_reset_is_audited_with_actor_and_reason(state: Path) -> None:
    trio.run(_leave_mark, state, FUTURE)
    main(["license", "reset-clock", "--reason", f"  {REASON}\nline two "])

    (entry,) = trio.run(_audit_of, state)
    user = pwd.getpwuid(os.getuid()).pw_name
    assert entry.actor == f"{user} (uid {os.getuid()})"
    assert entry.reason == f"{REASON}\\nline two"
    assert entry.action.startswith("reset-clock from 2031-05-01T00:00:00Z to ")
    assert timedelta(0) <= clocks.wall_clock() - entry.at < timedelta(hours=1)


def test_where_no_time_was_seen_that_is_said(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state.mkdir()

    assert main(["license", "reset-clock", "--reason", REASON]) == 0
    assert "(none was recorded)" in capsys.readouterr().out


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 501])
def test_a_reset_without_a_usable_reason_changes_nothing(
    state: Path, capsys: pytest.CaptureFixture[str], reason: str
) -> None:
    trio.run(_leave_mark, state, FUTURE)

    assert main(["license", "reset-clock", "--reason", reason]) == 1

    assert "reason-missing" in capsys.readouterr().err
    marked = peek(state).clock
    assert marked is not None
    assert marked.seen == FUTURE


def test_a_reset_makes_no_state_directory_in_the_wrong_place(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["license", "reset-clock", "--reason", REASON]) == EX_CANTCREAT

    assert f"state-missing: there is no state directory {state}" in capsys.readouterr().err
    assert not state.exists()


@pytest.mark.usefixtures("state")
def test_a_store_in_memory_has_no_clock_to_reset(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUMA_STORE_TYPE", "memory")

    assert main(["license", "reset-clock", "--reason", REASON]) == 1
    assert "nothing-to-reset" in capsys.readouterr().err


@pytest.mark.system
def test_a_reset_is_refused_while_a_daemon_runs_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path) as daemon:
        monkeypatch.setenv("KUMA_GENERAL_WORK_DIR", str(daemon.state))

        assert main(["license", "reset-clock", "--reason", REASON]) == EX_CANTCREAT

        err = capsys.readouterr().err
        assert f"state-locked: the state directory {daemon.state} is in use by process" in err
        assert str(daemon.pid) in err
        assert "Stop that process first (" in err
        daemon.stop()
        assert trio.run(_audit_of, daemon.state) == ()


@needs_root
def test_root_may_reset_and_every_file_stays_the_daemons(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with reachable_directory() as directory:
        state = directory / "state"
        monkeypatch.setenv("KUMA_GENERAL_WORK_DIR", str(state))
        trio.run(_leave_mark, state, FUTURE)
        for path in (state, *state.iterdir()):
            os.chown(path, NOBODY_UID, NOBODY_UID)

        assert main(["license", "reset-clock", "--reason", REASON]) == 0

        assert {path.name: path.stat().st_uid for path in state.iterdir()} == dict.fromkeys(
            (path.name for path in state.iterdir()), NOBODY_UID
        )


@pytest.mark.usefixtures("state")
def test_of_another_daemon_that_does_not_run_nobody_knows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    question = ["license", "check-restart", "--socket", f"{tmp_path}/other.sock"]
    assert main(question) == UNKNOWN
    assert capsys.readouterr().out.startswith("unknown: service-unknown: no daemon answers on ")
