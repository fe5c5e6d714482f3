"""What SQLite and the kernel report, told with place, user and remedy."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
import trio
import trio.testing

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.host.ownership import user_name
from kong_mesh_cp.shell.store.failures import (
    directory_failure,
    own_user,
    store_failure,
)
from kong_mesh_cp.shell.store.sqlite.database import _use_log
from kong_mesh_cp.shell.store.sqlite.store import open_store
from support.fakes.stores import names_of, taken

STORE = Path("/var/lib/kong-mesh-cp/store.db")


def sqlite_error(code: int, text: str = "what SQLite says") -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("reported", "code"),
    [
        (sqlite3.SQLITE_FULL, "state-full"),
        (sqlite3.SQLITE_IOERR, "state-io"),
        (sqlite3.SQLITE_IOERR_FSYNC, "state-io"),
        (sqlite3.SQLITE_CANTOPEN, "state-unwritable"),
        (sqlite3.SQLITE_READONLY, "state-unwritable"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "state-unwritable"),
        (sqlite3.SQLITE_PERM, "state-unwritable"),
        (sqlite3.SQLITE_CORRUPT, "store-corrupt"),
        (sqlite3.SQLITE_NOTADB, "store-corrupt"),
        (sqlite3.SQLITE_BUSY, "store-busy"),
        (sqlite3.SQLITE_LOCKED, "store-busy"),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, "store-failed"),
    ],
)
@pytest.mark.parametrize("path", [STORE, None], ids=["file", "memory"])
def test_every_error_of_sqlite_has_a_code_a_place_and_a_remedy(
    reported: int, code: str, path: Path | None
) -> None:
    error = store_failure(sqlite_error(reported), path)

    assert error.code == code
    assert error.exit_status == 73
    assert ("the store in memory" if path is None else str(STORE)) in error.message
    assert error.hint


def test_an_error_of_the_module_itself_is_reported_too() -> None:
    assert store_failure(sqlite3.ProgrammingError("closed"), STORE).code == "store-failed"


def test_a_line_stays_one_line_whatever_it_quotes() -> None:
    line = store_failure(sqlite_error(0, "no such\ntable\x1b[0m"), Path("/a\nb/store.db")).line

    assert line.isprintable()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "state-full"),
        (errno.EDQUOT, "state-full"),
        (errno.EACCES, "state-unwritable"),
        (errno.EROFS, "state-unwritable"),
        (errno.ENOTDIR, "state-unwritable"),
    ],
)
def test_every_error_of_the_file_system_names_path_and_reason(number: int, code: str) -> None:
    error = directory_failure(OSError(number, os.strerror(number)), STORE)

    assert error.code == code
    assert str(STORE) in error.message
    assert os.strerror(number) in error.message


def test_a_user_without_a_name_is_a_number() -> None:
    assert user_name(os.geteuid()) == own_user()
    assert user_name(4_000_000_000) == "uid 4000000000"


def test_a_file_system_without_shared_memory_is_distinguished(tmp_path: Path) -> None:
    # In memory there is no log either: SQLite answers the same way, with the mode that it kept.
    with closing(sqlite3.connect(":memory:")) as memory, pytest.raises(StateError) as refused:
        _use_log(memory, tmp_path / "store.db")
    assert refused.value.code == "state-unsuitable"
    assert "NFS" in refused.value.hint


async def test_a_store_in_a_missing_directory_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StateError) as refused:
        async with open_store(tmp_path / "missing" / "store.db"):
            raise AssertionError
    assert refused.value.code == "state-unwritable"


async def test_another_programs_database_is_refused_to_the_last_byte(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "store.db")) as other:
        other.execute("CREATE TABLE bookmarks (url)")
    before = (tmp_path / "store.db").read_bytes()

    with pytest.raises(StateError) as refused:
        async with open_store(tmp_path / "store.db"):
            raise AssertionError
    assert refused.value.code == "store-foreign"
    assert (tmp_path / "store.db").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["store.db"]


async def test_a_store_is_durable_by_default(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.db") as store:
        for connection in (store._database._reading, store._database._writer._connection):
            asked = {
                name: connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous", "foreign_keys")
            }
            assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


async def test_a_reader_cannot_write(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.db") as store:
        with pytest.raises(StateError) as refused:
            await store._database.read(lambda c: c.execute("DELETE FROM seats"))
    assert refused.value.code == "state-unwritable"


async def test_a_store_that_is_left_by_an_error_leaves_no_thread_and_loses_nothing(
    tmp_path: Path,
) -> None:
    async def leave_in_a_hurry() -> None:
        async with open_store(tmp_path / "store.db") as store:
            await store.apply_seats(taken("a"))
            raise LookupError

    with pytest.raises(LookupError):
        await leave_in_a_hurry()
    assert "store-writer" not in [thread.name for thread in threading.enumerate()]
    assert not (tmp_path / "store.db-wal").exists()
    async with open_store(tmp_path / "store.db") as store:
        assert names_of((await store.remembered()).seats) == ["a"]


async def test_a_cancelled_owner_still_gets_its_accepted_writes_on_disk(tmp_path: Path) -> None:
    with trio.CancelScope() as scope:
        async with open_store(tmp_path / "store.db") as store, trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(store.apply_seats, taken(f"{number:03}"))
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    async with open_store(tmp_path / "store.db") as store:
        assert len((await store.remembered()).seats) == 100
