"""A store whose files are taken away or spoilt: what is committed, what is refused, what is told."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from functools import partial
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import StateGoneError
from kong_mesh_cp.shell.store import rows
from kong_mesh_cp.shell.store.belongings import Belongings
from kong_mesh_cp.shell.store.sqlite.database import Database, open_database

DAY = date(2026, 11, 30)


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[tuple[Database, Belongings]]:
    belongings = Belongings()
    async with open_database(path, belongings) as database:
        await database.write(rows.make_cluster_id)
        yield database, belongings


async def note(database: Database, seats: int) -> None:
    await database.write(partial(rows.keep_larger_high_water, day=DAY, seats=seats))


async def noted(path: Path) -> int:
    async with opened(path) as (database, _):
        return (await database.read(rows.remembered)).high_water.get(DAY, 0)


def moved(path: Path) -> None:
    path.rename(path.with_name("aside"))


def replaced(path: Path) -> None:
    moved(path)
    path.write_bytes(path.with_name("aside").read_bytes())


def moved_back(path: Path) -> None:
    path.with_name("aside").replace(path)


@pytest.mark.parametrize("name", ["store.db", "store.db-wal", "store.db-shm"])
@pytest.mark.parametrize("taken", [moved, replaced])
async def test_nothing_is_written_until_what_was_taken_away_is_back(
    tmp_path: Path, name: str, taken: Callable[[Path], None]
) -> None:
    path = tmp_path / "store.db"
    async with opened(path) as (database, belongings):
        await note(database, 1)
        assert belongings.fault() is None
        taken(tmp_path / name)
        if name == "store.db-shm":  # which is looked at each second
            with pytest.raises(StateGoneError):
                belongings.require()
        with pytest.raises(StateGoneError) as refused:
            await note(database, 2)
        assert refused.value.code == "store-gone"
        assert str(tmp_path / name) in refused.value.message
        assert (await database.read(rows.remembered)).high_water == {DAY: 1}, "not even there"

        moved_back(tmp_path / name)
        assert belongings.fault() is None
        await note(database, 3)
    assert await noted(path) == 3


async def test_what_is_only_in_a_log_that_was_taken_away_comes_into_the_store(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    async with opened(path) as (database, _):
        await note(database, 7)
        (tmp_path / "store.db-wal").unlink()
        await database.look_after()
        copy = tmp_path / "copy" / "store.db"  # as after a power cut
        copy.parent.mkdir()
        copy.write_bytes(path.read_bytes())
        assert await noted(copy) == 7


@pytest.mark.parametrize(
    ("name", "length"),
    [("store.db", 0), ("store.db", 40), *(("store.db-wal", size) for size in (0, 40, 5000))],
)
async def test_a_file_that_was_cut_is_noticed_before_the_next_promise(
    tmp_path: Path, name: str, length: int
) -> None:
    async with opened(tmp_path / "store.db") as (database, belongings):
        for seats in range(5):
            await note(database, seats)
        assert belongings.fault() is None  # which has seen how large they are
        os.truncate(tmp_path / name, length)
        for seats in range(10, 13):
            with pytest.raises(StateGoneError) as refused:
                await note(database, seats)
            assert refused.value.code == "store-corrupt"
            assert str(tmp_path / name) in refused.value.message


@pytest.mark.parametrize("name", ["store.db", "store.db-wal"])
async def test_a_file_that_was_written_over_is_noticed(tmp_path: Path, name: str) -> None:
    async with opened(tmp_path / "store.db") as (database, _):
        await note(database, 1)
        with (tmp_path / name).open("r+b") as file:
            file.write(b"junk" * 200)
        with pytest.raises(StateGoneError, match=name):
            await note(database, 2)


async def test_an_index_that_was_cleared_is_made_of_the_log_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "store.db"
    async with opened(path) as (database, belongings):
        await note(database, 4)
        index = tmp_path / "store.db-shm"
        length = index.stat().st_size
        with index.open("r+b") as file:  # longer than it was stays mapped: cut, it is SIGBUS
            file.write(bytes(length))
        await database.look_after()
        await note(database, 5)
        assert belongings.fault() is None
    assert await noted(path) == 5
    assert "damaged" not in caplog.text


async def test_a_log_that_another_program_wrote_back_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(path) as (database, belongings):
        for seats in range(1, 20):
            await note(database, seats)
            with sqlite3.connect(path) as other:
                mode = ("PASSIVE", "FULL", "RESTART", "TRUNCATE")[seats % 4]
                other.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
            other.close()
            assert belongings.fault() is None
    assert await noted(path) == 19


async def test_a_file_that_is_open_to_everybody_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path / "store.db") as (database, belongings):
        (tmp_path / "store.db").chmod(0o666)
        with pytest.raises(StateGoneError) as refused:
            await note(database, 1)
        assert refused.value.code == "state-not-own"
        (tmp_path / "store.db").chmod(0o640)
        assert belongings.fault() is None
