"""Logs a failing store once when it fails and once when it recovers."""

from __future__ import annotations

import logging

from kong_mesh_cp.core.errors import StateError


class FailureLog:
    """The two lines of one job in the log, and whether it is failing right now."""

    def __init__(
        self,
        log: logging.Logger,
        failing: str,
        again: str,
        *,
        meanwhile: str = "trying again",
        over: str = "the store answers again",
        level: int = logging.INFO,
    ) -> None:
        """`failing` and `again` are the codes of the two lines. `meanwhile` is what holds until
        then, `over` and `level` are of the second line.
        """
        self._log = log
        self._first = failing
        self._second = again
        self._meanwhile = meanwhile
        self._over = over
        self._level = level
        self.failing = False

    def failed(self, error: StateError) -> None:
        if not self.failing:
            self._log.error(
                "%s: %s; %s. %s", self._first, error.message, self._meanwhile, error.hint
            )
        self.failing = True

    def succeeded(self) -> None:
        if self.failing:
            self._log.log(self._level, "%s: %s", self._second, self._over)
        self.failing = False
