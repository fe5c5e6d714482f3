"""When the peer of a connection was last heard, and what its silence means. No clock of its own."""

from __future__ import annotations

import math

from kong_mesh_cp.shell.http.h2.service import H2Service


class Silence:
    """Of one connection; times are of the event loop's clock."""

    __slots__ = ("_asked_at", "_began_at", "_heard_at", "_looked_at", "_service", "idle_since")

    def __init__(self, service: H2Service, now: float) -> None:
        self._service = service
        self._began_at = self._heard_at = self._looked_at = now
        self.idle_since = now  # when the last exchange ended
        self._asked_at = math.inf  # when the PING went out that has no answer

    def broken(self, now: float) -> None:
        """The peer has said something, whatever it was."""
        self._heard_at = now
        self._asked_at = math.inf

    def asked(self, now: float) -> None:
        """A PING goes out."""
        self._asked_at = now

    @property
    def is_asked(self) -> bool:
        return self._asked_at != math.inf

    def is_death(self, now: float) -> bool:
        """Whether a PING has had no answer in time."""
        return now >= self._asked_at + self._service.ping_answer_seconds

    def looked(self, now: float) -> None:
        self._looked_at = now

    def next_look(self, *, opened: bool, busy: bool) -> float:
        """When there will be something to do if the peer says nothing more.

        `opened`: the peer has begun to speak HTTP/2. `busy`: there are exchanges.
        """
        limits = self._service.http.limits
        if not opened:
            return self._began_at + limits.header_seconds
        if not busy:
            return self.idle_since + limits.idle_seconds
        answer = self._asked_at + self._service.ping_answer_seconds
        return min(answer, max(self._heard_at, self._looked_at) + self._service.ping_seconds)
