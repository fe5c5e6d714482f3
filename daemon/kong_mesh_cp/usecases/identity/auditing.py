"""Writes audit lines: rights that were granted, seen or changed, and refusals."""

from __future__ import annotations

import logging

from kong_mesh_cp.core.identity.audit import Refusal, Reloaded, Source, TokenIssued, Touched
from kong_mesh_cp.core.identity.refusal_bounds import Door, RefusalBounds
from kong_mesh_cp.usecases.ports.state_store import BootClock

log = logging.getLogger(__name__)


def tell(
    event: TokenIssued | Touched | Reloaded, source: Source, level: int = logging.INFO
) -> None:
    """Of a user who had the right: each time."""
    if log.isEnabledFor(level):
        log.log(level, "%s", event.line(source))


class Refusals:
    """Of everybody who was turned away at one door, within its bounds."""

    def __init__(self, door: Door, clock: BootClock) -> None:
        self._clock = clock
        self._bounds = RefusalBounds(door)

    def tell(self, refusal: Refusal, source: Source, method: str, path: str) -> None:
        """`path` without its query, which may hold anything."""
        # Apart by status, so that who has not the right does not hide who tries tokens.
        if self.may_be_told(f"{source.counted} ({refusal.status})"):
            log.info("%s", refusal.line(source, method, path))

    def may_be_told(self, source: str) -> bool:
        """Count a refusal that has a line of its own; whether it may be."""
        self.tell_untold()
        return self._bounds.take(source, self._clock())

    def tell_untold(self, *, at_once: bool = False) -> None:
        """What was left out, once it is time. To be called from time to time, and at the end."""
        untold = self._bounds.untold(self._clock(), at_once=at_once)
        if untold is not None:
            log.warning("%s", untold.line())
