"""One at a time, by turns of those who wait, in a line that has an end."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from kong_mesh_cp.usecases.resources.resource_refusals import Fault, ResourceRefusedError
from kong_mesh_cp.usecases.resources.turns import Turns


class Line:
    """Everybody notes when their turn has come."""

    def __init__(self, turns: Turns, nursery: trio.Nursery) -> None:
        self.served: list[str] = []
        self._turns = turns
        self._nursery = nursery

    async def join(self, *names: str) -> None:
        """Each name begins with who it is."""
        for name in names:
            self._nursery.start_soon(self._wait, name)
            await trio.testing.wait_all_tasks_blocked()

    async def _wait(self, name: str) -> None:
        async with self._turns.turn(name[0]):
            self.served.append(name)
            await trio.lowlevel.checkpoint()


async def test_a_user_who_asks_often_has_no_more_turns_than_others() -> None:
    turns = Turns()
    async with trio.open_nursery() as nursery:
        line = Line(turns, nursery)
        async with turns.turn("z"):
            await line.join("a1", "a2", "a3", "b1", "c1", "b2")
        await trio.testing.wait_all_tasks_blocked()

    assert line.served == ["a1", "b1", "c1", "a2", "b2", "a3"]


async def test_a_line_has_an_end_for_each_and_for_all() -> None:
    turns = Turns(waiting_max=3, waiting_of_one_max=2)
    async with trio.open_nursery() as nursery:
        line = Line(turns, nursery)
        async with turns.turn("z"):
            await line.join("a1", "a2")
            await _refused(turns, "a")
            await line.join("b1")
            await _refused(turns, "b")
            await _refused(turns, "c")

    assert line.served == ["a1", "b1", "a2"]
    async with turns.turn("a"):
        pass


async def _refused(turns: Turns, who: str) -> None:
    with pytest.raises(ResourceRefusedError) as error:
        async with turns.turn(who):
            pytest.fail("there was a place")
    assert error.value.fault is Fault.BUSY


async def test_a_caller_who_gives_up_waiting_leaves_the_line() -> None:
    turns = Turns(waiting_max=1)
    async with turns.turn("a"):
        with trio.move_on_after(0):
            async with turns.turn("b"):
                pytest.fail("it is a's turn")
        async with trio.open_nursery() as nursery:
            line = Line(turns, nursery)
            await line.join("c1")
            nursery.cancel_scope.cancel()
    async with turns.turn("d"):
        pass
    assert line.served == []


async def test_a_turn_that_came_too_late_is_passed_on() -> None:
    turns = Turns()
    async with trio.open_nursery() as nursery:
        line = Line(turns, nursery)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as impatient:
                async with turns.turn("z"):
                    impatient.start_soon(_wait_for_ever, turns)
                    await trio.testing.wait_all_tasks_blocked()
                    await line.join("b1")
                scope.cancel()  # a's turn has come, and it has not run yet
        await trio.testing.wait_all_tasks_blocked()

    assert line.served == ["b1"]


async def _wait_for_ever(turns: Turns) -> None:
    async with turns.turn("a"):
        await trio.sleep_forever()


async def test_a_failure_ends_the_turn() -> None:
    turns = Turns()

    def fail() -> None:
        raise ValueError

    for _ in range(2):
        with pytest.raises(ValueError):
            await turns.in_worker_thread("a", fail)
    assert await turns.in_worker_thread("a", lambda: 7) == 7
