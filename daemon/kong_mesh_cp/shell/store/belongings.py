"""What a control plane has in its state directory and cannot do without while it runs.

Somebody may take it away: a restore script, a mount, a hand. A file that is open goes on to take
what is written, and nobody finds it again after a restart. So nothing is written unless all of it
lies where it was put.
"""

from __future__ import annotations

from collections.abc import Callable

from kong_mesh_cp.core.errors import StateError, StateGoneError

Look = Callable[[], StateError | None]
"""What is wrong with one thing now; None: nothing. From any thread; takes microseconds. May raise
OSError.
"""


def _nothing() -> None:
    pass


class Belongings:
    """All of them, in the order in which they are missed: what holds others comes first."""

    def __init__(self) -> None:
        self._looks: list[Look] = []
        self._restorers: list[Callable[[], None]] = []
        self._last: StateGoneError | None = None  # what `require` has found

    def add(self, look: Look, restore: Callable[[], None] = _nothing) -> None:
        """`restore` makes the thing again where it is missing and can be made of what is known
        here; it may raise StateError.
        """
        self._looks.append(look)
        self._restorers.append(restore)

    def remove(self, look: Look) -> None:
        """It is not needed any more."""
        place = self._looks.index(look)
        del self._looks[place], self._restorers[place]

    def fault(self) -> StateGoneError | None:
        """The first that is wrong."""
        for look in self._looks:
            try:
                fault = look()
            except OSError as error:
                fault = _unseen(error)
            if fault is not None:
                return StateGoneError(fault.message, code=fault.code, hint=fault.hint)
        return None

    def require(self) -> None:
        """Raises: StateGoneError, as `fault` has it."""
        self._last = self.fault()
        if self._last is not None:
            raise self._last

    def require_as_known(self) -> None:
        """As `require`, which is only asked where something was wrong at its last time."""
        if self._last is not None:
            self.require()

    def restore(self) -> None:
        """Raises: StateError for the first that cannot be made again."""
        for look, restore in zip(self._looks, self._restorers, strict=True):
            if look() is not None:
                restore()


def _unseen(error: OSError) -> StateError:
    return StateError(
        f"what is in the state directory cannot be looked at: {error.strerror}",
        code="state-io",
        hint="Look for errors of the disk: dmesg.",
    )
