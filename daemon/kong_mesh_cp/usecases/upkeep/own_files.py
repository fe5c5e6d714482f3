"""Looks after the files that a control plane cannot do without, and says when they are gone."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn

import trio

from kong_mesh_cp.core.errors import StateError

LOOK_SECONDS = 1.0  # between two looks
LOOK_SECONDS_MAX = 5.0  # that a look may take before it counts as a failure
BUSY = "store-busy"  # another program has its turn, and will end it

log = logging.getLogger(__name__)


class OwnFiles:
    """What the last look has found. While something is wrong, nothing is written.

    `look` raises StateError for what is wrong now; it may be cancelled.
    """

    def __init__(self, look: Callable[[], Awaitable[None]]) -> None:
        self._look = look
        self._failure: StateError | None = None

    def failure(self) -> StateError | None:
        """A `StoreFailure`."""
        return self._failure

    async def run(self) -> NoReturn:
        """Look until cancelled."""
        while True:
            self._note(await self._found())
            await trio.sleep(LOOK_SECONDS)

    async def _found(self) -> StateError | None:
        with trio.move_on_after(LOOK_SECONDS_MAX):
            try:
                await self._look()
            except StateError as error:
                return None if error.code == BUSY else error
            return None
        return StateError(
            f"the state directory has not answered for {LOOK_SECONDS_MAX:g} seconds",
            code="state-hangs",
            hint="Look for errors of the disk, or of the server that it is mounted from: dmesg.",
        )

    def _note(self, failure: StateError | None) -> None:
        before, self._failure = self._failure, failure
        if failure is not None and (before is None or before.line != failure.line):
            log.error(
                "%s: %s; until that is mended, nothing is written and /ready is 503. %s",
                failure.code,
                failure.message,
                failure.hint,
            )
        elif failure is None and before is not None:
            log.warning("state-whole-again: changes are written again")
