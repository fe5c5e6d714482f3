"""A queue for making keys, one at a time: each takes a core for seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, TypeVar

import trio

from kong_mesh_cp.usecases.resources.mesh_creation import KeysBusyError

WAITING_OF_ONE_MAX: Final = 48  # keys that one user waits for; tools ask side by side
WAITING_MAX: Final = 64  # keys that all users wait for

_OWN: Final = ""  # the control plane itself asks

T = TypeVar("T")


class KeyQueue:
    """One thread makes keys (OpenSSL does not hold the interpreter's lock meanwhile).

    Among users the turns go round, so that a user who asks for many does not keep the others
    waiting. The control plane itself comes first and is never refused.
    """

    def __init__(self) -> None:
        self._making = False
        # First is who has the next turn.
        self._waiting: dict[str, deque[trio.Event]] = {}

    async def make(self, asker: str, work: Callable[[], T]) -> T:
        """What `work` makes, in a thread. Raises: KeysBusyError, and then nothing was made."""
        await self._turn(asker)
        try:
            return await trio.to_thread.run_sync(work)
        finally:
            self._pass_on()

    async def _turn(self, asker: str) -> None:
        if not self._making:
            self._making = True
            return
        of_one = len(self._waiting.get(asker, ()))
        if asker != _OWN and (of_one >= WAITING_OF_ONE_MAX or self._in_all() >= WAITING_MAX):
            raise KeysBusyError
        turn = trio.Event()
        self._waiting.setdefault(asker, deque()).append(turn)
        try:
            await turn.wait()
        except trio.Cancelled:
            if turn.is_set():
                self._pass_on()  # it had come to this one already
            else:
                self._leave(asker, turn)
            raise

    def _in_all(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _leave(self, asker: str, turn: trio.Event) -> None:
        turns = self._waiting[asker]
        turns.remove(turn)
        if not turns:
            del self._waiting[asker]

    def _pass_on(self) -> None:
        if not self._waiting:
            self._making = False
            return
        asker = _OWN if _OWN in self._waiting else next(iter(self._waiting))
        turns = self._waiting.pop(asker)
        turns.popleft().set()
        if turns:
            self._waiting[asker] = turns
