"""A program that dies, or is refused something, at every step of what a state directory does.

`python -m support.storms.store_crashes MODE DIRECTORY` leaves one numbered directory for each step:

- `kill`: SIGKILL before the n-th SQL statement or file operation. `acked` tells what was answered.
- `refuse`: the n-th file operation fails with ENOSPC. `error` holds the line that it gave.
- `storm`: many tasks write at once; SIGKILL comes after a seeded number of answers.

It forks for each step, so the interpreter starts once, and it must therefore have no threads.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.store.sqlite.state_directory import StateDirectory
from kong_mesh_cp.usecases.ports.state_store import StateStore
from support.fakes.stores import AT, Step, entry, later, mark, seat, taken

STORMS = 12
STORM_TASKS = 16
STORM_ANSWERS_MAX = 400
FILE_OPERATIONS = frozenset({"open", "os.rename", "os.mkdir", "fcntl.flock"})


def steps() -> Iterator[Step]:
    """What a daemon writes in its life, each step with a visible effect."""
    yield lambda store: store.save_trial_start(AT)
    yield lambda store: store.save_clock(mark(AT))
    yield lambda store: store.apply_seats(taken("a", "b", "c"))
    yield lambda store: store.apply_seats({seat("a"): None, **taken("d")})
    yield lambda store: store.save_high_water(AT.date(), 3)
    yield lambda store: store.save_clock(mark(later(2)))
    yield lambda store: store.audit(entry("reset-clock"))
    yield lambda store: store.save_clock(mark(later(1)))
    yield lambda store: store.save_trial_start(AT - timedelta(days=1))
    yield lambda store: store.apply_seats({seat("b"): None, seat("c"): None})


async def live(state: Path, acked: Callable[[int], object]) -> None:
    """Open, make every step, close; open once more."""
    with StateDirectory.open(state) as directory:
        async with directory.open_store() as store:
            for number, step in enumerate(steps(), start=1):
                await step(store)
                acked(number)
    with StateDirectory.open(state) as directory:
        async with directory.open_store() as store:
            await store.remembered()


def on_each_step(inside: Path, reached: Callable[[str], None]) -> None:
    """Call `reached` before every SQL statement and every file operation inside of `inside`."""

    class Traced(sqlite3.Connection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.set_trace_callback(lambda _sql: reached("sql"))

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "fcntl.flock" or (
            event in FILE_OPERATIONS and str(arguments[0]).startswith(str(inside))
        ):
            reached(event)

    sys.addaudithook(hook)
    sqlite3.connect = partial(sqlite3.connect, factory=Traced)  # type: ignore[assignment]


def kill_at(directory: Path, point: int) -> None:
    ticks = count(1)

    def reached(_event: str) -> None:
        if next(ticks) == point:
            os.kill(os.getpid(), signal.SIGKILL)

    answers = os.open(directory / "acked", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    on_each_step(directory / "state", reached)
    trio.run(live, directory / "state", lambda number: os.write(answers, f"{number}\n".encode()))


def refuse_at(directory: Path, point: int) -> None:
    ticks = count(1)
    refused = False

    def reached(event: str) -> None:
        nonlocal refused
        if event in FILE_OPERATIONS and next(ticks) == point:
            refused = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    on_each_step(directory / "state", reached)
    try:
        trio.run(live, directory / "state", int)
    except StateError as error:
        (directory / "error").write_text(error.line)
        trio.run(live, directory / "state", int)
    if refused:
        os.kill(os.getpid(), signal.SIGKILL)  # tells the parent that this point existed


async def storm(store: StateStore, task: int, answers: int) -> None:
    for round_ in count():
        left, right = f"{task}-{round_}-left", f"{task}-{round_}-right"
        await store.apply_seats(taken(left, right))
        os.write(answers, f"{task}-{round_}\n".encode())


async def storms(state: Path, answers: int) -> None:
    with StateDirectory.open(state) as directory:
        async with directory.open_store() as store, trio.open_nursery() as nursery:
            for task in range(STORM_TASKS):
                nursery.start_soon(storm, store, task, answers)


def storm_until_killed(directory: Path, seed: int) -> None:
    enough = random.Random(seed).randrange(STORM_ANSWERS_MAX)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        trio.run(storms, directory / "state", writing)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        acked = [pipe.readline() for _ in range(enough)]
        os.kill(child, signal.SIGKILL)
        acked += pipe.readlines()
    os.waitpid(child, 0)
    (directory / "acked").write_bytes(b"".join(line for line in acked if line.endswith(b"\n")))


def every_point(root: Path, work: Callable[[Path, int], None]) -> None:
    for point in count(1):
        directory = root / f"{point:04}"
        directory.mkdir()
        child = os.fork()
        if child == 0:
            work(directory, point)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):  # it lived to the end: there are no more points
            sys.exit(os.WEXITSTATUS(status))


def main(mode: str, root: Path) -> None:
    match mode:
        case "kill":
            every_point(root, kill_at)
        case "refuse":
            every_point(root, refuse_at)
        case _:
            for seed in range(STORMS):
                (root / f"{seed:04}").mkdir()
                storm_until_killed(root / f"{seed:04}", seed)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
