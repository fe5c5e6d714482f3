"""Where errors of this program itself are caught: what one peer is served must not end others."""

from __future__ import annotations

import logging
from types import TracebackType

log = logging.getLogger(__name__)


class DefectsLogged:
    """Logs what its block raises, and goes on after the block; Cancelled passes."""

    __slots__ = ("_whose",)

    def __init__(self, whose: str) -> None:
        """`whose`: what of the control plane has the defect."""
        self._whose = whose

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        log.error("request-failed: %s has a defect", self._whose, exc_info=error)
        return True
