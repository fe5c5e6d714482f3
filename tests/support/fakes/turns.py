"""How often others had their turn while something was done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import process_time, thread_time

import trio


@dataclass(eq=False)
class Turns(trio.abc.Instrument):
    """The times that a task was given the event loop."""

    taken: int = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002
        self.taken += 1


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
