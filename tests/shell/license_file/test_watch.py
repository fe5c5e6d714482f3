from __future__ import annotations

import errno
import logging
import math
import os
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import trio
import trio.testing

from kong_mesh_cp.shell.license_file import watch as module
from kong_mesh_cp.shell.license_file.watch import (
    RECHECK_SECONDS,
    Notices,
    folders_on_the_way,
    watch,
)
from support.suites.patience import HANG_SECONDS

IN_FORCE_SECONDS_MAX = 1.0  # docs/license.md#reload: in force within a second
PATIENCE_SECONDS = HANG_SECONDS


class Changes:
    """Counts the calls of `changed` and lets a test wait for the next."""

    def __init__(self, patience_seconds: float) -> None:
        self.count = 0
        self._patience_seconds = patience_seconds
        self._happened = trio.Event()

    async def changed(self) -> None:
        self.count += 1
        self._happened.set()

    async def next(self) -> float:
        """Wait for a call that is not yet counted for; the seconds it took."""
        start = trio.current_time()
        with trio.fail_after(self._patience_seconds):
            await self._happened.wait()
        self._happened = trio.Event()
        return trio.current_time() - start


@asynccontextmanager
async def watched(*paths: Path, notices: Notices | None = None) -> AsyncIterator[Changes]:
    """A watch that is armed: its first call has been taken."""
    # A mock clock jumps over any deadline while a thread looks at the file: it needs none.
    changes = Changes(PATIENCE_SECONDS if notices is None else math.inf)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(watch, paths, changes.changed, notices=notices))
        await changes.next()
        yield changes
        nursery.cancel_scope.cancel()


def replace(path: Path, content: str) -> None:
    """Write a new file beside it and rename it over the old one, as editors do."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(content)
    fresh.replace(path)


def swap_link(link: Path, target: str) -> None:
    fresh = link.with_name(f".{link.name}.new")
    fresh.symlink_to(target)
    fresh.replace(link)


async def must_be_seen(changes: Changes, *deeds: Callable[[], object]) -> None:
    for deed in deeds:
        deed()
        await changes.next()


@pytest.fixture(autouse=True)
def _no_slow_look(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With real files only the kernel's report counts: the slow look would hide that it is deaf."""
    if "autojump_clock" not in request.fixturenames:
        monkeypatch.setattr(module, "RECHECK_SECONDS", 3600)


async def test_the_watch_calls_once_at_the_beginning(tmp_path: Path) -> None:
    async with watched(tmp_path / "license.json") as changes:
        assert changes.count == 1


async def test_a_change_is_noticed_by_the_kernel_within_a_second(tmp_path: Path) -> None:
    path = tmp_path / "license.json"
    path.write_text("1")
    async with watched(path) as changes:
        for content in "23456":
            replace(path, content)
            await changes.next()
    # What the watch itself waits for; the rest is up to the machine.
    assert module.SETTLE_SECONDS + module.SETTLE_SECONDS_MAX < IN_FORCE_SECONDS_MAX


async def test_every_one_of_several_renames_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "license.json"
    path.write_text("1")
    async with watched(path) as changes:
        await must_be_seen(
            changes,
            lambda: replace(path, "2"),
            lambda: replace(path, "3"),
            lambda: replace(path, "4"),
        )


async def test_writing_in_place_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "license.json"
    path.write_text("1")
    async with watched(path) as changes:
        await must_be_seen(changes, lambda: path.write_text("2"), lambda: path.write_text("3"))


async def test_a_file_that_appears_and_goes_and_comes_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "license.json"
    async with watched(path) as changes:
        await must_be_seen(
            changes, lambda: path.write_text("1"), path.unlink, lambda: path.write_text("1")
        )


async def test_a_symlink_that_is_turned_to_another_file_is_seen(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("1")
    (tmp_path / "new").write_text("2")
    link = tmp_path / "license.json"
    link.symlink_to("old")
    async with watched(link) as changes:
        await must_be_seen(changes, lambda: swap_link(link, "new"), lambda: swap_link(link, "old"))


async def test_writing_to_the_target_of_a_chain_of_links_is_seen(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    target = tmp_path / "c" / "license.json"
    target.write_text("1")
    (tmp_path / "b" / "license.json").symlink_to("../c/license.json")
    (tmp_path / "a" / "license.json").symlink_to(tmp_path / "b" / "license.json")
    async with watched(tmp_path / "a" / "license.json") as changes:
        await must_be_seen(changes, lambda: target.write_text("2"), lambda: replace(target, "3"))


def publish(volume: Path, number: int) -> None:
    """What the kubelet does: a new folder, and `..data` renamed over."""
    version = volume / f"..v{number}"
    version.mkdir()
    (version / "license.json").write_text(str(number))
    swap_link(volume / "..data", version.name)
    if number > 1:
        shutil.rmtree(volume / f"..v{number - 1}")


async def test_a_kubernetes_volume_is_seen_at_each_swap(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    path = tmp_path / "license.json"
    path.symlink_to("..data/license.json")
    async with watched(path) as changes:
        await must_be_seen(
            changes,
            lambda: publish(tmp_path, 2),
            lambda: publish(tmp_path, 3),
            lambda: publish(tmp_path, 4),
        )


async def test_a_folder_that_is_removed_and_made_again_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "kong-mesh"
    folder.mkdir()
    path = folder / "license.json"
    path.write_text("1")
    async with watched(path) as changes:
        shutil.rmtree(folder)
        await changes.next()
        folder.mkdir()
        path.write_text("2")
        await changes.next()
        path.write_text("3")
        await changes.next()


async def test_a_folder_replaced_in_one_go_is_watched_like_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "kong-mesh"
    path = folder / "license.json"

    def replace_folder() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()  # often under the very inode number that has just become free
        path.write_text("1")

    replace_folder()
    async with watched(path) as changes:
        for content in "234":
            await must_be_seen(changes, partial(path.write_text, content), replace_folder)


async def test_a_mode_that_makes_the_file_unusable_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "license.json"
    path.write_text("1")
    path.chmod(0o640)
    async with watched(path) as changes:
        path.chmod(0o666)
        await changes.next()


async def test_neighbours_and_touching_are_no_change(tmp_path: Path) -> None:
    path = tmp_path / "license.json"
    path.write_text("1")
    async with watched(path) as changes:
        (tmp_path / "neighbour").write_text("x")
        os.utime(path)
        replace(path, "1")
        replace(path, "2")
        await changes.next()

        assert changes.count == 2


async def test_of_two_files_each_is_watched(tmp_path: Path) -> None:
    one, two = tmp_path / "one" / "license.json", tmp_path / "two" / "license.json"
    for path in (one, two):
        path.parent.mkdir()
        path.write_text("1")
    async with watched(one, two) as changes:
        await must_be_seen(changes, lambda: replace(two, "2"), lambda: replace(one, "2"))


async def test_cancellation_does_not_wait_for_the_thread(tmp_path: Path) -> None:
    async with watched(tmp_path / "license.json"):
        await trio.testing.wait_all_tasks_blocked()
        start = trio.current_time()
    # The thread alone would wait for the timeout that it was given: an hour here.
    assert trio.current_time() - start < PATIENCE_SECONDS


@pytest.mark.usefixtures("autojump_clock")
async def test_without_files_there_is_nothing_to_tell() -> None:
    changes = Changes(PATIENCE_SECONDS)
    with trio.move_on_after(3600):
        await watch([], changes.changed)

    assert changes.count == 0


class DeafKernel:
    """Notices that fail until told otherwise, and never report a change."""

    def __init__(self, error: OSError | None) -> None:
        self.error = error
        self.attempts: list[float] = []  # when

    async def __call__(self, _folders: Sequence[Path], hint: Callable[[], None]) -> None:
        self.attempts.append(trio.current_time())
        if self.error is not None:
            raise self.error
        hint()
        await trio.sleep_forever()


NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.usefixtures("autojump_clock")
async def test_without_a_report_the_slow_look_finds_the_change(tmp_path: Path) -> None:
    path = tmp_path / "license.json"
    path.write_text("1")
    async with watched(path, notices=DeafKernel(None)) as changes:
        path.write_text("2")

        assert await changes.next() <= RECHECK_SECONDS


@pytest.mark.usefixtures("autojump_clock")
async def test_an_exhausted_kernel_is_logged_once_and_changes_are_still_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "license.json"
    kernel = DeafKernel(NO_SPACE)
    async with watched(path, notices=kernel) as changes:
        for content in "12345":
            path.write_text(content)
            await changes.next()
            await trio.sleep(100)

    lines = [record.getMessage() for record in caplog.records]
    assert [line.partition(":")[0] for line in lines] == ["license-watch-degraded"]
    assert str(tmp_path) in lines[0]
    assert len(kernel.attempts) > 5


@pytest.mark.usefixtures("autojump_clock")
async def test_the_watch_recovers_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    kernel = DeafKernel(NO_SPACE)
    async with watched(tmp_path / "license.json", notices=kernel):
        await trio.sleep(10)
        kernel.error = None
        await trio.sleep(module.REARM_SECONDS_MAX)

    codes = [record.getMessage().partition(":")[0] for record in caplog.records]
    assert codes == ["license-watch-degraded", "license-watch-restored"]


@pytest.mark.usefixtures("autojump_clock")
async def test_tries_to_arm_again_grow_rarer(tmp_path: Path) -> None:
    kernel = DeafKernel(NO_SPACE)
    async with watched(tmp_path / "license.json", notices=kernel):
        await trio.sleep(3600)

    pauses = [later - earlier for earlier, later in pairwise(kernel.attempts)]
    assert pauses[:9] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]


def test_the_folder_of_a_plain_file_is_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "license.json").write_text("1")

    assert folders_on_the_way(tmp_path / "license.json") == (tmp_path,)


def test_of_a_missing_folder_the_nearest_that_exists_is_on_the_way(tmp_path: Path) -> None:
    assert folders_on_the_way(tmp_path / "a" / "b" / "license.json") == (tmp_path,)


def test_links_in_the_middle_of_a_path_are_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "v1" / "etc").mkdir(parents=True)
    (tmp_path / "current").symlink_to("v1/../v1")

    path = tmp_path / "current" / "etc" / "license.json"

    assert folders_on_the_way(path) == (tmp_path, tmp_path / "v1" / "etc")


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    assert folders_on_the_way(tmp_path / "a") == (tmp_path,)
