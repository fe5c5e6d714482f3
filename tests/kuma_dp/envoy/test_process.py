"""A process that ends with this one; shells stand in for Envoy, whose arguments do not matter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from kuma_dp.envoy.process import LINE_BYTES_MAX, EnvoyProcess
from kuma_dp.errors import NotMendedByWaitingError
from support.daemons.daemon import eventually

SHELL = "/bin/sh"


@asynccontextmanager
async def started(script: str, folder: Path) -> AsyncIterator[EnvoyProcess]:
    process = EnvoyProcess(SHELL, ["-c", script], str(folder))
    try:
        yield process
    finally:
        await process.close()


async def lines_of(script: str, folder: Path) -> list[str]:
    found: list[str] = []
    async with started(script, folder) as process:
        await process.read_log(found.append)
    return found


async def test_its_log_is_read_line_by_line_the_last_one_included(tmp_path: Path) -> None:
    assert await lines_of("echo a >&2; printf 'b\\377' >&2", tmp_path) == [
        "a",
        "b\N{REPLACEMENT CHARACTER}",
    ]


async def test_a_line_without_an_end_is_cut(tmp_path: Path) -> None:
    found = await lines_of(f"head -c {3 * LINE_BYTES_MAX} /dev/zero >&2", tmp_path)

    assert sum(map(len, found)) == 3 * LINE_BYTES_MAX
    assert max(map(len, found)) <= 2 * LINE_BYTES_MAX


async def test_its_end_is_seen_with_its_status(tmp_path: Path) -> None:
    async with started("exit 3", tmp_path) as process:
        assert await process.ended() == 3
    async with started("kill -KILL $$", tmp_path) as process:
        assert await process.ended() == -signal.SIGKILL


async def test_its_output_goes_to_ours_which_stays_blocking(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with started("echo record; printf more", tmp_path) as process:
        await process.pass_output_on()

    assert capfd.readouterr().out == "record\nmore"
    assert os.get_blocking(1)


async def test_it_runs_in_its_folder_and_in_a_group_of_its_own(tmp_path: Path) -> None:
    assert await lines_of("pwd >&2", tmp_path) == [str(tmp_path)]
    async with started("exec sleep 60", tmp_path) as process:
        assert os.getpgid(process.pid) == process.pid != os.getpgid(0)


async def test_it_is_asked_to_end_and_then_made_to(tmp_path: Path) -> None:
    async with (
        started(
            "trap 'exit 5' TERM; echo up >&2; while :; do sleep 0.01; done", tmp_path
        ) as process,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(process.read_log, lambda _: process.terminate())
        assert await process.ended() == 5
    async with started("trap '' TERM; exec sleep 60", tmp_path) as process:
        process.kill()
        assert await process.ended() == -signal.SIGKILL


async def test_what_cannot_be_started_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotMendedByWaitingError) as refused:
        EnvoyProcess(str(tmp_path / "none"), [], str(tmp_path))
    assert refused.value.code == "envoy-unusable"


PARENT = """\
import sys, trio
from kuma_dp.envoy.process import EnvoyProcess

async def main():
    process = EnvoyProcess("/bin/sleep", ["600"], sys.argv[1])
    # Worker threads come and go meanwhile: the child is the main thread's.
    await trio.to_thread.run_sync(lambda: None)
    print(process.pid, flush=True)
    await trio.sleep_forever()

trio.run(main)
"""


def test_nothing_is_left_of_it_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        env={"PYTHONPATH": ":".join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert Path(f"/proc/{child}").exists()

    parent.kill()
    parent.wait()
    parent.stdout.close()

    eventually("the child has gone", lambda: _state(child) in {"", "Z"})


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
