"""A program that makes meshes, each in one transaction, and dies by SIGKILL at every step of it.

`python -m support.storms.resource_crashes MODE STORE DIRECTORY`; STORE is `sqlite` or a port on 127.0.0.1.

- `kill`: before the n-th SQL statement (SQLite) or the n-th exchange with the server.
- `storm`: many tasks at once; the end comes after a seeded number of answers.

In `DIRECTORY/acked` stand the meshes that were answered. It forks for each step.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import trio

from kong_mesh_cp.shell.store.sqlite.store import open_store
from kong_mesh_cp.usecases.ports.resource_store import Delete, ResourceStore
from support.fakes.resources import mesh, whole_mesh
from support.storms.store_crashes import on_each_step

STORMS = 6
STORM_TASKS = 16
STORM_ANSWERS_MAX = 300


@asynccontextmanager
async def opened_store(store: str, directory: Path) -> AsyncIterator[ResourceStore]:
    if store == "sqlite":
        async with open_store(directory / "store.db") as local:
            yield local.resources
    else:
        from support.daemons.postgres import address_of, opened

        async with opened(address_of(int(store), "test")) as shared:
            yield shared.resources


def on_each_exchange(reached: Callable[[], None]) -> None:
    from kong_mesh_cp.shell.store.postgres.connections import Connection

    wait = Connection.wait

    def counted(self: Connection, *arguments: Any, **options: Any) -> Any:
        reached()
        return wait(self, *arguments, **options)

    Connection.wait = counted  # type: ignore[method-assign]


async def make_meshes(store: str, directory: Path, name: str, answers: int) -> None:
    """A mesh, and one that replaces another."""
    async with opened_store(store, directory) as resources:
        await resources.apply(whole_mesh(f"{name}-a"))
        os.write(answers, f"{name}-a\n".encode())
        replaced = [Delete(key=mesh(f"{name}-a")), *whole_mesh(f"{name}-b")]
        await resources.apply(replaced)
        os.write(answers, f"{name}-b\n".encode())


def kill_at(store: str, directory: Path, point: int) -> None:
    ticks = count(1)

    def reached(*_event: object) -> None:
        if next(ticks) == point:
            os.kill(os.getpid(), signal.SIGKILL)

    if store == "sqlite":
        on_each_step(directory, reached)
    else:
        on_each_exchange(reached)
    answers = os.open(directory / "acked", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    trio.run(make_meshes, store, directory, f"p{point:04}", answers)


def every_point(store: str, directory: Path) -> None:
    for point in count(1):
        child = os.fork()
        if child == 0:
            kill_at(store, directory, point)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):  # it lived to the end: there are no more points
            (directory / "points").write_text(str(point))
            sys.exit(os.WEXITSTATUS(status))


async def storm(store: str, directory: Path, name: str, answers: int) -> None:
    async def make(resources: ResourceStore, task: int) -> None:
        for number in count():
            one = f"{name}-{task}-{number}"
            await resources.apply(whole_mesh(one))
            os.write(answers, f"{one}\n".encode())

    async with opened_store(store, directory) as resources, trio.open_nursery() as nursery:
        for task in range(STORM_TASKS):
            nursery.start_soon(make, resources, task)


def storm_until_killed(store: str, directory: Path, seed: int) -> None:
    enough = random.Random(seed).randrange(STORM_ANSWERS_MAX)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        trio.run(storm, store, directory, f"s{seed}", writing)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        acked = [pipe.readline() for _ in range(enough)]
        os.kill(child, signal.SIGKILL)
        acked += pipe.readlines()
    os.waitpid(child, 0)
    with (directory / "acked").open("ab") as answered:
        answered.writelines(line for line in acked if line.endswith(b"\n"))


if __name__ == "__main__":
    mode, chosen, where = sys.argv[1:]
    if mode == "kill":
        every_point(chosen, Path(where))
    for number in range(STORMS):
        storm_until_killed(chosen, Path(where), number)
