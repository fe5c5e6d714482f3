"""A graceful stop, as connections take part in it."""

from __future__ import annotations

from typing import Protocol


class Draining(Protocol):
    """A connection, as far as a stop is concerned."""

    def leave_if_unoccupied(self) -> None:
        """A drain has begun: end now if no request is in hand and none is on its way."""
        ...


class Drain:
    """A graceful stop, seen by every connection that takes part in it.

    Idle and held connections end at once, busy ones after their answer, which says
    `Connection: close`; one that has just connected gets a moment for its first request.
    The owner of the conversations' nursery bounds the time for all that.
    """

    def __init__(self) -> None:
        self.started = False
        self._connections: set[Draining] = set()

    def start(self) -> None:
        """Begin; doing it again changes nothing."""
        self.started = True
        for connection in list(self._connections):
            connection.leave_if_unoccupied()

    def enter(self, connection: Draining) -> None:
        self._connections.add(connection)

    def leave(self, connection: Draining) -> None:
        self._connections.discard(connection)
