"""Keys are made one at a time, each user in turn, and no more wait than may."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.shell.host.key_queue import WAITING_MAX, WAITING_OF_ONE_MAX, KeyQueue
from kong_mesh_cp.usecases.resources.mesh_creation import KEYS_BUSY_SECONDS, KeysBusyError


@dataclass
class Works:
    """Keys that are made when `go` is set, and who got theirs when."""

    queue: KeyQueue = field(default_factory=KeyQueue)
    go: threading.Event = field(default_factory=threading.Event)
    made: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def ask(self, asker: str) -> None:
        await self.queue.make(asker, lambda: self._make(asker))

    def _make(self, asker: str) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.go.wait()
        self.made.append(asker)
        self.at_once -= 1


async def test_one_is_made_at_a_time_and_users_take_turns() -> None:
    works = Works()
    async with trio.open_nursery() as nursery:
        for asker in ("greedy", "greedy", "greedy", "greedy", "meek", "other"):
            nursery.start_soon(works.ask, asker)
            await wait_all_tasks_blocked()
        works.go.set()
    assert works.made == ["greedy", "greedy", "meek", "other", "greedy", "greedy"]
    assert works.most_at_once == 1


async def test_the_control_plane_itself_comes_first_and_is_never_refused() -> None:
    works = Works()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(works.ask, "first")
        await wait_all_tasks_blocked()
        for number in range(WAITING_MAX):
            nursery.start_soon(works.ask, str(number))
        await wait_all_tasks_blocked()
        for _ in range(WAITING_OF_ONE_MAX + 1):
            nursery.start_soon(works.ask, "")
        await wait_all_tasks_blocked()
        works.go.set()
    assert works.made[: WAITING_OF_ONE_MAX + 2] == ["first", *[""] * (WAITING_OF_ONE_MAX + 1)]


async def test_beyond_what_one_user_may_wait_for_it_is_busy_for_this_user_alone() -> None:
    works = Works()
    async with trio.open_nursery() as nursery:
        for _ in range(1 + WAITING_OF_ONE_MAX):
            nursery.start_soon(works.ask, "greedy")
        await wait_all_tasks_blocked()
        with pytest.raises(KeysBusyError) as caught:
            await works.ask("greedy")
        nursery.start_soon(works.ask, "meek")
        await wait_all_tasks_blocked()
        works.go.set()
    assert works.made.count("meek") == 1
    assert caught.value.code == "keys-busy"
    assert str(KEYS_BUSY_SECONDS) in caught.value.hint


async def test_beyond_what_all_may_wait_for_it_is_busy() -> None:
    works = Works()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(works.ask, "first")
        await wait_all_tasks_blocked()
        for number in range(WAITING_MAX):
            nursery.start_soon(works.ask, str(number))
        await wait_all_tasks_blocked()
        with pytest.raises(KeysBusyError):
            await works.ask("one more")
        works.go.set()
    assert len(works.made) == 1 + WAITING_MAX


async def test_who_gives_up_keeps_no_place_and_no_turn() -> None:
    works = Works()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(works.ask, "first")
        await wait_all_tasks_blocked()
        with trio.CancelScope() as gives_up:
            gives_up.cancel()
            await works.ask("impatient")
        nursery.start_soon(works.ask, "patient")
        await wait_all_tasks_blocked()
        works.go.set()
    assert works.made == ["first", "patient"]
    await works.ask("later")
    assert works.made[-1] == "later"


async def test_a_key_that_cannot_be_made_gives_its_turn_on() -> None:
    queue = KeyQueue()

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await queue.make("a", fail)
    assert await queue.make("a", lambda: 1) == 1
