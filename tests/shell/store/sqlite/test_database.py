"""Questions and changes of one file, or of one connection in memory."""

from __future__ import annotations

import sqlite3
import threading

import trio

from kong_mesh_cp.shell.store.sqlite.database import open_database
from support.suites.patience import HANG_SECONDS

HELD_SECONDS_MAX = HANG_SECONDS


async def test_in_memory_too_the_event_loop_does_not_wait_for_a_long_question() -> None:
    begun, release = threading.Event(), threading.Event()
    answers: list[object] = []

    def long_question(_: sqlite3.Connection) -> bool:
        begun.set()
        return release.wait(HELD_SECONDS_MAX)

    async with open_database(None) as database, trio.open_nursery() as nursery:

        async def ask_long() -> None:
            answers.append(await database.scan(long_question))

        async def ask() -> None:
            answers.append(await database.read(lambda c: c.execute("SELECT 7").fetchone()[0]))

        nursery.start_soon(ask_long)
        await trio.to_thread.run_sync(begun.wait)
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        release.set()
    assert answers == [True, 7]
