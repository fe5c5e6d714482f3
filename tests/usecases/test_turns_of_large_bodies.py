"""Large bodies: one at a time, and nobody waits for all that another sends."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.usecases.resources.turns import Turns
from support.suites.patience import HANG_SECONDS


class Bodies:
    """Each body ends when it is let; `ended` are those that did, in order."""

    def __init__(self) -> None:
        self.bodies = Turns()
        self.ended: list[str] = []
        self.at_once: set[int] = set()  # how many were in hand when one began
        self._in_hand = 0
        self._gate = threading.Semaphore(0)

    def send(self, nursery: trio.Nursery, user: str, name: str) -> trio.CancelScope:
        scope = trio.CancelScope()

        async def work() -> None:
            with scope:
                await self.bodies.in_worker_thread(user, self._body(name))

        nursery.start_soon(work)
        return scope

    def let(self, number: int) -> None:
        for _ in range(number):
            self._gate.release()

    def _body(self, name: str) -> Callable[[], None]:
        def read() -> None:
            self._in_hand += 1
            self.at_once.add(self._in_hand)
            assert self._gate.acquire(timeout=HANG_SECONDS)
            self.ended.append(name)
            self._in_hand -= 1

        return read


async def test_a_user_who_sends_many_keeps_others_waiting_for_one() -> None:
    sent = Bodies()
    async with trio.open_nursery() as nursery:
        for number in range(20):
            sent.send(nursery, "mallory", f"m{number}")
            await wait_all_tasks_blocked()
        for user in ("ann", "bob"):
            sent.send(nursery, user, user)
            await wait_all_tasks_blocked()
        sent.let(22)
    assert sent.at_once == {1}
    assert sent.ended[:4] == ["m0", "ann", "bob", "m1"]
    assert sent.ended[4:] == [f"m{number}" for number in range(2, 20)]


async def test_a_caller_who_has_gone_gives_up_the_turn() -> None:
    sent = Bodies()
    async with trio.open_nursery() as nursery:
        sent.send(nursery, "ann", "first")
        await wait_all_tasks_blocked()
        scopes = [sent.send(nursery, "mallory", f"m{number}") for number in range(3)]
        await wait_all_tasks_blocked()
        sent.send(nursery, "ann", "second")
        await wait_all_tasks_blocked()
        for scope in scopes:
            scope.cancel()
        await wait_all_tasks_blocked()
        sent.let(2)
    assert sent.ended == ["first", "second"]


async def test_what_a_body_gives_and_raises_is_the_senders() -> None:
    bodies = Turns()
    assert await bodies.in_worker_thread("ann", lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await bodies.in_worker_thread("ann", lambda: 1 // 0)
    assert await bodies.in_worker_thread("ann", lambda: 8) == 8
