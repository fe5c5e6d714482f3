"""A trio loop in a thread, for tests that are not async: Hypothesis drives them step by step."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Self, TypeVar

import trio

T = TypeVar("T")


class EventLoop:
    """Runs from its making until `close`; what was entered is left then, in reverse order.

    `tasks` is a nursery for those who need one; it is cancelled last.
    """

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._live,))
        self._thread.start()
        self._ready.wait()

    async def _live(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._ending = trio.Event()
        async with trio.open_nursery() as self.tasks:
            async with AsyncExitStack() as self._entered:
                self._ready.set()
                await self._ending.wait()
            self.tasks.cancel_scope.cancel()

    def run(self, call: Callable[[], Awaitable[T]]) -> T:
        async def called() -> T:
            return await call()

        return trio.from_thread.run(called, trio_token=self._token)

    def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        return self.run(lambda: self._entered.enter_async_context(context))

    def leave_all(self) -> None:
        self.run(self._entered.aclose)

    def close(self) -> None:
        trio.from_thread.run_sync(self._ending.set, trio_token=self._token)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
