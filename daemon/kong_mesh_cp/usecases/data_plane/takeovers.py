"""Which of two streams of one proxy is the right one.

A connection may be dead without anybody having noticed, so a new stream of a proxy that has shown
who it is takes the place of the one before (docs/adr/0024-streams-and-seats.md). That must not
become a war of two proxies with one name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import trio

from kong_mesh_cp.core.admission.seats import SeatId
from kong_mesh_cp.usecases.data_plane.stream_ports import Ending, StreamEndedError

PEACE_SECONDS: Final = (
    10.0  # after a stream has taken another's place: so long nobody takes its own
)

ALREADY_ACTIVE: Final = "there is already an active stream from this node, try again later"


class _Place(NamedTuple):
    connection: object
    safe_until: float


class Takeovers:
    """The streams that have the places of their proxies now."""

    def __init__(self) -> None:
        self._places: dict[SeatId, _Place] = {}

    @contextmanager
    def place(self, seat: SeatId, connection: object) -> Iterator[None]:
        """The place is had by a stream of `connection`, until another takes it or it ends.

        Raises: StreamEndedError where the one before is known to live, or may not be displaced yet.
        """
        former, now = self._places.get(seat), trio.current_time()
        if former is not None and (former.connection is connection or now < former.safe_until):
            raise StreamEndedError(
                Ending.REFUSED,
                ALREADY_ACTIVE,
                code="already-active",
                hint="If two proxies run under this name, stop one of them.",
            )
        own = _Place(connection, -math.inf if former is None else now + PEACE_SECONDS)
        self._places[seat] = own
        try:
            yield
        finally:
            if self._places.get(seat) is own:
                del self._places[seat]
