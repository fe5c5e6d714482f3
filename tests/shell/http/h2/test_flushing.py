"""The output of all connections of a listener, once a turn of the loop."""

from __future__ import annotations

import pytest
import trio.testing

from kong_mesh_cp.shell.http.h2.bounds import FLUSHES_AT_ONCE
from kong_mesh_cp.shell.http.h2.flushing import Flushing


class Noted:
    """Counts its flushes."""

    def __init__(self) -> None:
        self.flushes = 0

    def flush(self) -> None:
        self.flushes += 1


class Broken:
    """Has a defect."""

    def flush(self) -> None:
        raise ZeroDivisionError


async def test_asked_often_it_flushes_once() -> None:
    flushing, connection = Flushing(), Noted()
    for _ in range(10):
        flushing.soon(connection)
    assert connection.flushes == 0

    await trio.testing.wait_all_tasks_blocked()
    assert connection.flushes == 1
    flushing.soon(connection)
    await trio.testing.wait_all_tasks_blocked()
    assert connection.flushes == 2


async def test_all_are_flushed_however_many_there_are() -> None:
    flushing, connections = Flushing(), [Noted() for _ in range(3 * FLUSHES_AT_ONCE + 1)]
    for each in connections:
        flushing.soon(each)

    await trio.testing.wait_all_tasks_blocked()
    assert {each.flushes for each in connections} == {1}


async def test_a_defect_of_one_does_not_keep_others(caplog: pytest.LogCaptureFixture) -> None:
    flushing, sound = Flushing(), Noted()
    flushing.soon(Broken())
    flushing.soon(sound)

    await trio.testing.wait_all_tasks_blocked()
    assert sound.flushes == 1
    assert [each.message.split(":")[0] for each in caplog.records] == ["request-failed"]
