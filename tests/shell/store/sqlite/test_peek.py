"""Looking at a state directory leaves no trace in it, whoever looks and whatever it is doing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.store.sqlite.copies import Copies
from kong_mesh_cp.shell.store.sqlite.peek import peek
from kong_mesh_cp.shell.store.sqlite.state_directory import StateDirectory
from kong_mesh_cp.usecases.ports.state_store import Remembered
from support.fakes.stores import AT, later, mark, names_of, taken
from support.fakes.users import reachable_directory, without_root
from support.suites.patience import HANG_SECONDS

NOTHING = Remembered(high_water={})


def contents(directory: Path) -> dict[str, tuple[bytes, int, int]]:
    """Names, bytes, and when they were written: what a trace would change."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode)
        for path in directory.iterdir()
    } | {".": (b"", directory.stat().st_mtime_ns, directory.stat().st_mode)}


def peeked_without_trace(directory: Path) -> Remembered:
    before = contents(directory)
    past = peek(directory)
    assert contents(directory) == before
    return past


async def _keep(directory: Path) -> None:
    with StateDirectory.open(directory) as state:
        async with state.open_store() as store:
            await store.save_trial_start(AT)
            await store.save_clock(mark())
            await store.apply_seats(taken("a", "b"))
            await store.save_high_water(AT.date(), 2)


def kept(directory: Path) -> Path:
    """A state directory after an orderly end."""
    trio.run(_keep, directory)
    return directory


def crashed(directory: Path, scratch: Path) -> Path:
    """The files of a daemon that was killed: everything is still in the log beside the store."""

    async def copy_while_open() -> None:
        with StateDirectory.open(scratch) as state:
            async with state.open_store() as store:
                await store.save_trial_start(AT)
                await store.apply_seats(taken("a", "b"))
                shutil.copytree(scratch, directory)

    trio.run(copy_while_open)
    assert (directory / "store.db-wal").stat().st_size > 0
    return directory


def test_a_missing_directory_is_an_empty_past_and_stays_missing(tmp_path: Path) -> None:
    assert peek(tmp_path / "none" / "state") == NOTHING
    assert not (tmp_path / "none").exists()


def test_an_empty_directory_is_an_empty_past(tmp_path: Path) -> None:
    assert peeked_without_trace(tmp_path) == NOTHING


def test_a_store_that_was_made_but_never_migrated_is_an_empty_past(tmp_path: Path) -> None:
    (tmp_path / "store.db").touch()
    assert peeked_without_trace(tmp_path) == NOTHING


def test_a_store_whose_making_was_interrupted_is_an_empty_past_and_can_be_opened(
    tmp_path: Path,
) -> None:
    (tmp_path / "making").mkdir()
    with rewritten(tmp_path / "making") as connection:
        connection.execute("PRAGMA cache_size = 1")  # writes into the file before it is committed
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE half_made (x)")
        connection.execute("INSERT INTO half_made VALUES (zeroblob(100000))")
        shutil.copytree(tmp_path / "making", tmp_path / "state")
    assert (tmp_path / "state" / "store.db-journal").stat().st_size > 0

    assert peeked_without_trace(tmp_path / "state") == NOTHING
    assert names_of(peek(kept(tmp_path / "state")).seats) == ["a", "b"]


def test_after_an_orderly_end_all_is_read(tmp_path: Path) -> None:
    past = peeked_without_trace(kept(tmp_path))

    assert past.trial_started_at == AT
    assert past.clock == mark()
    assert names_of(past.seats) == ["a", "b"]
    assert past.high_water == {AT.date(): 2}


def test_after_a_kill_the_log_is_read_too(tmp_path: Path) -> None:
    directory = crashed(tmp_path / "state", tmp_path / "scratch")

    assert names_of(peeked_without_trace(directory).seats) == ["a", "b"]


def test_a_log_whose_index_is_missing_is_read_too(tmp_path: Path) -> None:
    directory = crashed(tmp_path / "state", tmp_path / "scratch")
    (directory / "store.db-shm").unlink()

    assert names_of(peeked_without_trace(directory).seats) == ["a", "b"]


DAEMON = """
import sys, trio
from pathlib import Path
from kong_mesh_cp.shell.store.sqlite.state_directory import StateDirectory
from support.fakes.stores import taken

async def live():
    with StateDirectory.open(Path(sys.argv[1])) as state:
        async with state.open_store() as store:
            print("open", flush=True)
            while name := sys.stdin.readline().strip():
                await store.apply_seats(taken(name))
                print(name, flush=True)

trio.run(live)
"""


@contextmanager
def running_daemon(directory: Path) -> Iterator[Callable[[str], None]]:
    """Another process that owns `directory`; what it is told has been answered on return.

    It must be another one: a process that opens and closes a file it has in use by SQLite loses
    SQLite's locks on it, and `contents` does that.
    """
    with subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(directory)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        told, answers = process.stdin, process.stdout

        def take(name: str) -> None:
            told.write(f"{name}\n")
            told.flush()
            assert answers.readline() == f"{name}\n"

        yield take
        told.close()
        assert process.wait(HANG_SECONDS) == 0


def test_beside_a_running_daemon_the_last_answered_change_is_seen(tmp_path: Path) -> None:
    with running_daemon(tmp_path) as take:
        for number in range(50):
            take(f"{number:02}")
            past = peeked_without_trace(tmp_path)
            assert names_of(past.seats) == [f"{n:02}" for n in range(number + 1)]


def test_a_daemon_that_has_just_made_its_store_can_be_looked_at(tmp_path: Path) -> None:
    with running_daemon(tmp_path) as take:
        assert peek(tmp_path) == NOTHING
        take("a")  # it has not been disturbed
        assert names_of(peek(tmp_path).seats) == ["a"]


def test_a_daemon_that_opens_and_closes_all_the_time_can_be_looked_at(tmp_path: Path) -> None:
    for number in range(3):
        with running_daemon(tmp_path) as take:
            take(str(number))
            assert len(peek(tmp_path).seats) == number + 1
        assert len(peeked_without_trace(tmp_path).seats) == number + 1


@contextmanager
def read_only(directory: Path) -> Iterator[None]:
    for path in directory.iterdir():
        path.chmod(0o444)
    directory.chmod(0o555)
    with without_root():
        yield


@pytest.mark.parametrize("ended", ["orderly", "killed"])
def test_a_user_who_may_only_read_reads_it_without_trace(ended: str) -> None:
    with reachable_directory() as place:
        directory = place / "state"
        kept(directory) if ended == "orderly" else crashed(directory, place / "scratch")
        before = contents(directory)
        with read_only(directory):
            past = peek(directory)
        after = contents(directory)

    assert names_of(past.seats) == ["a", "b"]
    assert {name: seen[:2] for name, seen in after.items()} == {
        name: seen[:2] for name, seen in before.items()
    }


@pytest.mark.parametrize("closed", [".", "store.db", "trial.json"])
def test_a_user_who_may_not_read_is_refused_instead_of_given_an_empty_past(closed: str) -> None:
    with reachable_directory() as place:
        directory = kept(place / "state")
        directory.chmod(0o755)
        for path in directory.iterdir():
            path.chmod(0o644)
        (directory / closed).chmod(0)
        with without_root(), pytest.raises(StateError) as refused:
            peek(directory)
        directory.chmod(0o755)

    assert refused.value.code == "state-unreadable"
    assert "Run this as root" in refused.value.hint


def test_a_file_instead_of_the_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(StateError) as refused:
        peek(tmp_path / "state")
    assert refused.value.code == "state-unreadable"


def test_the_earlier_trial_start_and_the_later_clock_win(tmp_path: Path) -> None:
    kept(tmp_path)
    Copies(tmp_path).save_trial_start(later(-3))
    Copies(tmp_path).save_clock(mark(later(3)))
    assert (peek(tmp_path).trial_started_at, peek(tmp_path).clock) == (later(-3), mark(later(3)))

    Copies(tmp_path).save_trial_start(later(3))
    Copies(tmp_path).save_clock(mark(later(-3)))
    assert (peek(tmp_path).trial_started_at, peek(tmp_path).clock) == (AT, mark())


def test_a_broken_copy_is_a_remark_while_the_store_has_the_fact(tmp_path: Path) -> None:
    kept(tmp_path)
    (tmp_path / "trial.json").write_text("garbage")

    past = peeked_without_trace(tmp_path)

    assert past.trial_started_at == AT
    (remark,) = past.remarks
    assert remark.startswith(f"state-copy-broken: {tmp_path}/trial.json is not usable")


def test_both_records_of_the_trial_gone_is_a_past_without_trial(tmp_path: Path) -> None:
    kept(tmp_path)
    for path in [*tmp_path.glob("store.db*"), tmp_path / "trial.json"]:
        path.unlink()

    past = peek(tmp_path)
    assert past.trial_started_at is None
    assert past.clock == mark()


@contextmanager
def rewritten(directory: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(directory / "store.db", isolation_level=None)) as connection:
        yield connection


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        ("PRAGMA user_version = 999", "store-newer"),
        ("PRAGMA application_id = 7", "store-foreign"),
        ("UPDATE seats SET kind = 'spaceship'", "store-corrupt"),
        ("UPDATE trial SET started_at = 'yesterday'", "store-corrupt"),
        ("UPDATE trial SET started_at = '2026-01-01T00:00:00'", "store-corrupt"),
    ],
)
async def test_a_store_that_cannot_be_used_is_reported_by_peek_and_by_the_daemon(
    tmp_path: Path, damage: str, code: str
) -> None:
    await _keep(tmp_path)
    with rewritten(tmp_path) as connection:
        connection.execute(damage)

    with pytest.raises(StateError) as refused:
        peek(tmp_path)
    assert refused.value.code == code
    with StateDirectory.open(tmp_path) as state, pytest.raises(StateError) as refused:
        async with state.open_store() as store:
            await store.remembered()
    assert refused.value.code == code


@pytest.mark.parametrize("first", [0, 100, 4096], ids=["header", "schema", "first-table"])
async def test_a_damaged_file_is_reported_with_what_to_do(tmp_path: Path, first: int) -> None:
    await _keep(tmp_path)
    with (tmp_path / "store.db").open("r+b") as file:
        file.seek(first)
        file.write(b"\xa5" * (os.fstat(file.fileno()).st_size - first))

    before = contents(tmp_path)
    with pytest.raises(StateError) as refused:
        peek(tmp_path)
    assert refused.value.code == "store-corrupt"
    assert "Move it away" in refused.value.hint
    assert contents(tmp_path) == before
    with StateDirectory.open(tmp_path) as state, pytest.raises(StateError) as refused:
        async with state.open_store() as store:
            await store.remembered()
    assert refused.value.code == "store-corrupt"
