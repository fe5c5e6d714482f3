"""Disks that fill up or fail: told at once, nothing answered is lost, and it recovers by itself."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.store.sqlite.state_directory import StateDirectory
from kong_mesh_cp.shell.store.sqlite.store import SqliteStore, open_store
from kong_mesh_cp.usecases.ports.state_store import Remembered
from support.fakes.disks import fill as fill_disk
from support.fakes.disks import small_disk
from support.fakes.stores import AT, mark, names_of, record, seat, taken

PAGES_MAX = 30  # of 4 KiB: room for the schema and some hundred seats
LONG = "x" * 20_000  # more than what is left of PAGES_MAX after some small seats
DISK_KIB = 512
BLOCK_KIB = 4


async def limit_pages(store: SqliteStore, pages: int) -> None:
    """SQLite's own way to be full: a statement that needs one page more gets SQLITE_FULL."""
    await store._database.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone())


async def fill(store: SqliteStore) -> list[str]:
    """Take seats until no more fit; the names that were answered."""
    answered: list[str] = []
    for number in count():
        name = f"{number:05}" + "-" * 200
        try:
            await store.apply_seats(taken(name))
        except StateError as error:
            assert error.code == "state-full"  # noqa: PT017 -- the loop ends by it
            return answered
        answered.append(name)
    raise AssertionError


@pytest.mark.parametrize("in_file", [True, False], ids=["file", "memory"])
async def test_a_full_store_says_so_and_recovers_when_there_is_room(
    tmp_path: Path, in_file: bool
) -> None:
    async with open_store(tmp_path / "store.db" if in_file else None) as store:
        await limit_pages(store, PAGES_MAX)
        answered = await fill(store)
        assert len(answered) > 100
        assert names_of((await store.remembered()).seats) == answered

        await limit_pages(store, PAGES_MAX * 2)
        await store.apply_seats(taken("z"))

        assert names_of((await store.remembered()).seats) == [*answered, "z"]


async def test_a_full_store_still_frees_seats(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.db") as store:
        await limit_pages(store, PAGES_MAX)
        answered = await fill(store)
        await store.apply_seats(dict.fromkeys(map(seat, answered[1:])))

        assert names_of((await store.remembered()).seats) == answered[:1]


async def test_what_does_not_fit_does_not_keep_out_what_fits(tmp_path: Path) -> None:
    refused: list[str] = []

    async def take(store: SqliteStore, name: str) -> None:
        try:
            await store.apply_seats({seat(name): record(name)})
        except StateError as error:
            refused.append(error.code)

    async with open_store(tmp_path / "store.db") as store:
        await limit_pages(store, 20)
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(take, store, f"{number:02}")
            nursery.start_soon(take, store, LONG * 10)

        assert refused == ["state-full"]
        assert len((await store.remembered()).seats) == 20


@contextmanager
def files_no_longer_than(bytes_max: int) -> Iterator[None]:
    """Every write beyond `bytes_max` of any file fails with EFBIG, for this whole process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_write_that_fails_at_any_place_of_any_file_loses_nothing(tmp_path: Path) -> None:
    """The n-th round lets n pages through and fails what comes next: log, index, store."""
    answered: list[str] = []
    refused = 0
    async with open_store(tmp_path / "store.db") as store:
        await store.apply_seats(taken("first"))
        log_bytes = (tmp_path / "store.db-wal").stat().st_size
        for number, bytes_max in enumerate(range(0, log_bytes + 3 * 4096, 1024)):
            name = f"{number:03}"
            with files_no_longer_than(bytes_max):
                try:
                    await store.apply_seats(taken(name))
                except StateError as error:
                    assert error.code == "state-io"  # noqa: PT017 -- some of the writes do succeed
                    refused += 1
                else:
                    answered.append(name)
            await store.apply_seats(taken(f"{name}-after"))
            answered.append(f"{name}-after")

        stored = names_of((await store.remembered()).seats)
    assert refused > 10
    assert set(answered) <= set(stored)
    async with open_store(tmp_path / "store.db") as store:
        assert names_of((await store.remembered()).seats) == stored


async def test_a_start_that_fails_at_any_write_can_be_tried_again(tmp_path: Path) -> None:
    codes: set[str] = set()
    for number in count():
        directory = tmp_path / str(number)
        with files_no_longer_than(number * 1024):
            code = await failure_of_start(directory)
        assert await failure_of_start(directory) is None
        if code is None:
            break
        codes.add(code)

    assert number > 10
    assert codes <= {"state-io", "state-unwritable"}


async def failure_of_start(directory: Path) -> str | None:
    try:
        with StateDirectory.open(directory) as state:
            async with state.open_store() as store:
                await store.save_trial_start(AT)
                await store.save_clock(mark())
                await store.apply_seats(taken("a"))
    except StateError as error:
        return error.code
    return None


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", DISK_KIB) as disk:
        yield disk


def leave_free(disk: Path, kib: int) -> Path:
    """Fill `disk` but for `kib`; removing the file that is returned makes room again."""
    ballast = fill_disk(disk)
    with ballast.open("ab") as file:
        file.truncate(file.tell() - kib * 1024)
    return ballast


async def test_a_disk_that_fills_while_running_is_reported_and_forgiven(small_disk: Path) -> None:
    async with open_store(small_disk / "store.db") as store:
        await store.apply_seats(taken("0-before"))
        ballast = leave_free(small_disk, 2 * BLOCK_KIB)
        answered = await fill(store)

        with pytest.raises(StateError) as full:
            await store.apply_seats(taken(LONG))
        assert full.value.code == "state-full"
        assert full.value.hint.endswith(f"df -h {small_disk}")
        ballast.unlink()
        await store.apply_seats(taken("z-after"))

        expected = sorted(["0-before", *answered, "z-after"])
        assert names_of((await store.remembered()).seats) == expected
    async with open_store(small_disk / "store.db") as store:
        assert names_of((await store.remembered()).seats) == expected


async def test_a_start_on_a_disk_with_too_little_room_is_reported_whatever_is_left(
    small_disk: Path,
) -> None:
    refused = 0
    for kib in range(0, DISK_KIB // 2, BLOCK_KIB):
        ballast = leave_free(small_disk, kib)
        code = await failure_of_start(small_disk / "state")
        ballast.unlink()
        if code is not None:
            assert code == "state-full"
            refused += 1
        assert await failure_of_start(small_disk / "state") is None
        for file in (small_disk / "state").iterdir():
            file.unlink()

    assert refused > 5


async def test_a_copy_that_does_not_fit_leaves_the_old_copy_whole(small_disk: Path) -> None:
    with StateDirectory.open(small_disk / "state") as state:
        state.copies.save_trial_start(AT)
        before = state.copies.read()
        leave_free(small_disk, 0)

        with pytest.raises(StateError) as full:
            state.copies.save_trial_start(AT.replace(year=2020))

        assert full.value.code == "state-full"
        assert state.copies.read() == before == Remembered(trial_started_at=AT, high_water={})
