"""Logs requests that the store fails: each cause once, then once a minute with their number."""

from __future__ import annotations

import logging
from typing import Final

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.usecases.ports.state_store import BootClock

WINDOW_SECONDS: Final = 60.0  # between two lines of one cause

log = logging.getLogger(__name__)


class StoreFailures:
    """What a store that fails every request may say in the log: clients that try again are many."""

    def __init__(self, clock: BootClock) -> None:
        self._clock = clock
        self._told: dict[str, tuple[float, int]] = {}  # by code: when, and how many since

    def tell(self, error: StateError) -> None:
        """Of one request. Causes are told apart by their code."""
        now = self._clock()
        if error.code in self._told:
            when, untold = self._told[error.code]
            if now - when < WINDOW_SECONDS:
                self._told[error.code] = (when, untold + 1)
                return
            more = f" (requests since the last such line: {untold + 1})"
        else:
            more = ""
        self._told[error.code] = (now, 0)
        log.error("store-not-usable: %s%s. %s", error.message, more, error.hint)
