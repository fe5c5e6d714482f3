"""Says again and again what goes wrong again and again, but not for each packet."""

from __future__ import annotations

import logging
from typing import Final

import trio

QUIET_SECONDS: Final = 60.0  # after a line, for lines of the same subject
SUBJECTS_MAX: Final = 256  # remembered; then all are forgotten


class Seldom:
    """Warnings to one log, a subject at most once every QUIET_SECONDS."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._said: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def warn(self, subject: str, line: str) -> None:
        """Say `line`, which begins with its code; how often it was not said stands behind it."""
        now = trio.current_time()
        last = self._said.get(subject)
        if last is not None and now < last + QUIET_SECONDS:
            self._unsaid[subject] = self._unsaid.get(subject, 0) + 1
            return
        if len(self._said) >= SUBJECTS_MAX:
            self._said.clear()
            self._unsaid.clear()
        self._said[subject] = now
        unsaid = self._unsaid.pop(subject, 0)
        self._log.warning(
            "%s", f"{line} (and {unsaid} times since the last line)" if unsaid else line
        )
