"""One process owns the state directory; everybody else is told who that is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.store.sqlite.peek import peek
from kong_mesh_cp.shell.store.sqlite.state_directory import OWN_NAMES, StateDirectory
from kong_mesh_cp.usecases.ports.state_store import Remembered
from support.fakes.stores import AT, later, mark, taken
from support.fakes.users import NOBODY_UID, needs_root, reachable_directory, without_root

HOLDER = """
import fcntl, os, sys
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
os.write(lock, f"{os.getpid()}\\n".encode())
print("held", flush=True)
sys.stdin.read()
"""


def refusal(path: Path) -> StateError:
    with pytest.raises(StateError) as refused:
        StateDirectory.open(path)
    return refused.value


def test_a_missing_directory_is_made_for_its_owner_and_group(tmp_path: Path) -> None:
    with StateDirectory.open(tmp_path / "var" / "lib" / "kong-mesh-cp") as directory:
        assert directory.path.stat().st_mode & 0o777 == 0o750


def test_the_lock_holds_the_pid_and_goes_with_close(tmp_path: Path) -> None:
    directory = StateDirectory.open(tmp_path)
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    directory.close()
    directory.close()

    StateDirectory.open(tmp_path).close()


def test_a_second_owner_sees_the_pid_and_command_of_the_first(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "lock"), "new\nline"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        error = refusal(tmp_path)
        holder.kill()

    assert error.code == "state-locked"
    assert f"is in use by process {holder.pid} ({sys.executable} -c" in error.message
    assert "\n" not in error.line
    assert "Stop that process first (systemctl stop kong-mesh-cp)" in error.hint
    StateDirectory.open(tmp_path).close()  # a lock dies with its process, also by SIGKILL


def test_the_pid_of_an_earlier_longer_life_leaves_no_digits_behind(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("99999999999999\n")
    with StateDirectory.open(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize(
    ("content", "holder"),
    [("", "another process"), ("no pid\n", "another process"), ("4194999\n", "process 4194999")],
)
def test_a_holder_that_cannot_be_looked_up_is_still_a_holder(
    tmp_path: Path, content: str, holder: str
) -> None:
    with StateDirectory.open(tmp_path):
        (tmp_path / "lock").write_text(content)
        assert refusal(tmp_path).message.endswith(f"is in use by {holder}")


def test_a_file_where_the_directory_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")

    for path in (tmp_path / "state", tmp_path / "state" / "below"):
        error = refusal(path)
        assert error.code == "state-unwritable"
        assert "not a directory" in error.message.lower()


@pytest.mark.parametrize("name", OWN_NAMES)
def test_a_file_that_is_a_symbolic_link_is_not_followed(tmp_path: Path, name: str) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / name).symlink_to(tmp_path / "precious")

    error = refusal(tmp_path)
    assert error.code == "state-not-own"
    assert error.message == f"{tmp_path / name} is no regular file"
    assert (tmp_path / "precious").read_text() == "precious"


@pytest.mark.parametrize("name", OWN_NAMES)
def test_a_file_that_everybody_can_write_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    (tmp_path / name).chmod(0o666)

    error = refusal(tmp_path)
    assert error.code == "state-not-own"
    assert "may be written by everybody" in error.message


@needs_root
@pytest.mark.parametrize("name", OWN_NAMES)
def test_a_file_of_a_third_user_is_refused(tmp_path: Path, name: str) -> None:
    os.chown(tmp_path, NOBODY_UID, NOBODY_UID)
    (tmp_path / name).touch()
    os.chown(tmp_path / name, 4711, 4711)

    error = refusal(tmp_path)
    assert error.code == "state-not-own"
    assert "belongs to uid 4711" in error.message


@needs_root
def test_root_works_in_the_directory_of_the_daemon(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY_UID, NOBODY_UID)
    (tmp_path / "trial.json").touch()
    os.chown(tmp_path / "trial.json", NOBODY_UID, NOBODY_UID)

    StateDirectory.open(tmp_path).close()


def test_a_directory_of_another_user_is_refused_with_both_names() -> None:
    with reachable_directory() as place:
        (place / "state").mkdir()
        (place / "state").chmod(0o555)
        with without_root():
            error = refusal(place / "state")
            missing = refusal(place / "state" / "missing")

    assert error.code == missing.code == "state-unwritable"
    assert error.exit_status == 73
    assert "cannot be written by" in error.message
    assert "belongs to" in error.message
    assert "chown" in error.hint


async def test_a_control_character_in_a_path_stays_within_the_line(tmp_path: Path) -> None:
    (tmp_path / "new\nline").write_text("")

    assert "new\\nline" in refusal(tmp_path / "new\nline").line
    assert "\n" not in refusal(tmp_path / "new\nline").line


async def test_trial_start_and_clock_are_kept_twice(tmp_path: Path) -> None:
    with StateDirectory.open(tmp_path) as directory:
        async with directory.open_store() as store:
            await store.save_trial_start(AT)
            await store.save_clock(mark())

    for kept in ("store.db", "trial.json"):
        (tmp_path / kept).rename(tmp_path / f"{kept}.away")
        assert peek(tmp_path).trial_started_at == AT
        (tmp_path / f"{kept}.away").rename(tmp_path / kept)
    (tmp_path / "clock.json").unlink()
    assert peek(tmp_path).clock == mark()


async def test_a_lost_store_learns_from_the_copies(tmp_path: Path) -> None:
    with StateDirectory.open(tmp_path) as directory:
        async with directory.open_store() as store:
            await store.save_trial_start(AT)
            await store.save_clock(mark())
        (tmp_path / "store.db").unlink()
        async with directory.open_store() as store:
            past = await store.remembered()
            kept = await store.save_trial_start(past.trial_started_at or later(9))

    assert past == Remembered(trial_started_at=AT, clock=mark(), high_water={})
    assert kept == AT


async def test_the_copy_of_the_trial_is_the_earlier_start(tmp_path: Path) -> None:
    with StateDirectory.open(tmp_path) as directory:
        async with directory.open_store() as store:
            await store.save_trial_start(AT)
            await store.save_trial_start(later(5))
        (tmp_path / "store.db").unlink()

    assert peek(tmp_path).trial_started_at == AT


async def test_a_clock_that_is_set_back_on_purpose_stays_back(tmp_path: Path) -> None:
    with StateDirectory.open(tmp_path) as directory:
        async with directory.open_store() as store:
            await store.save_clock(mark(later(400)))
            await store.save_clock(mark(AT))

    assert peek(tmp_path).clock == mark(AT)


async def test_nothing_that_was_made_can_be_read_by_others(tmp_path: Path) -> None:
    with StateDirectory.open(tmp_path) as directory:
        async with directory.open_store() as store:
            await store.save_trial_start(AT)
            await store.save_clock(mark())
            modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}

    assert {name: mode & 0o037 for name, mode in modes.items()} == dict.fromkeys(
        ["lock", "store.db", "store.db-wal", "store.db-shm", "trial.json", "clock.json"], 0
    )


@needs_root
async def test_what_root_makes_in_the_daemons_directory_is_the_daemons() -> None:
    """`license reset-clock` is run by root; the daemon has to be able to go on afterwards."""
    with reachable_directory() as place:
        (place / "state").mkdir()
        os.chown(place / "state", NOBODY_UID, NOBODY_UID)
        with StateDirectory.open(place / "state") as directory:
            async with directory.open_store() as store:
                await store.save_trial_start(AT)
                await store.save_clock(mark())
                owners = {path.name: path.stat().st_uid for path in (place / "state").iterdir()}
        assert owners == dict.fromkeys(owners, NOBODY_UID)
        assert len(owners) == 6

        with without_root(), StateDirectory.open(place / "state") as directory:
            async with directory.open_store() as store:
                await store.apply_seats(taken("a"))
                assert (await store.remembered()).clock == mark()
