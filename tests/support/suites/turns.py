"""How often others had their turn while something was done."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import process_time, thread_time

import trio


@dataclass(eq=False)
class Turns(trio.abc.Instrument):
    """The times that a task was given the event loop."""

    taken: int = 0
    longest_seconds: float = 0.0  # of the thread's CPU time
    _begun: float | None = None  # None: within the turn that began to count

    def before_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002
        self.taken += 1
        self._begun = thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002
        if self._begun is not None:
            self.longest_seconds = max(self.longest_seconds, thread_time() - self._begun)


@contextmanager
def counted_turns() -> Iterator[Turns]:
    """What is done inside of `with`, from within a running event loop."""
    turns = Turns()
    trio.lowlevel.add_instrument(turns)
    try:
        yield turns
    finally:
        trio.lowlevel.remove_instrument(turns)


async def share_of_loop(work: Callable[[], Awaitable[object]]) -> float:
    """The part of the CPU time of `work` that kept others waiting: the rest was in threads.

    `work` has to take so long that what is done meanwhile beside it does not count.
    """
    on_loop, in_all = thread_time(), process_time()
    await work()
    return (thread_time() - on_loop) / (process_time() - in_all)


async def share_of_longest_turn(work: Callable[[], Awaitable[object]]) -> float:
    """The part of the CPU time of `work` that its longest turn kept others waiting.

    `work` has to take so long that what is done meanwhile beside it does not count. Garbage is not
    collected in it: that takes as long as all that this process holds.
    """
    gc.disable()
    try:
        in_all = process_time()
        with counted_turns() as turns:
            await work()
        return turns.longest_seconds / (process_time() - in_all)
    finally:
        gc.enable()
        gc.collect()  # what is left must not be of who comes next
