"""The place of a stream among all of its proxy: only one stream of a proxy is the right one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from kong_mesh_cp.usecases.admission.seating import HeldSeat, Seating
from kong_mesh_cp.usecases.data_plane.stream_ports import Ending, StreamEndedError


class Place(Protocol):
    """What a stream has while its proxy is there."""

    def attach(self, end: Callable[[], None]) -> None:
        """`end` is called when the place goes to another stream, or ends; at once if it has."""
        ...

    def raise_if_ended(self) -> None:
        """Raises: StreamEndedError where the place is the stream's no more."""
        ...

    def keep(self) -> None:
        """The control plane itself ends the stream: its proxy is expected back."""
        ...

    def release(self) -> None:
        """The stream has ended. To be called exactly once."""
        ...


def superseded() -> StreamEndedError:
    return StreamEndedError(
        Ending.ELSEWHERE,
        "another connection of this proxy has taken the place of this one",
        code="stream-superseded",
        hint="If two proxies run under this name, stop one of them.",
    )


class SeatPlace:
    """The seat of a data plane proxy."""

    def __init__(self, seating: Seating, held: HeldSeat) -> None:
        self._seating = seating
        self._held = held

    def attach(self, end: Callable[[], None]) -> None:
        self._seating.attach(self._held, end)

    def raise_if_ended(self) -> None:
        event = self._held.ended
        if event is not None:
            moved = event["code"] == "seat-moved"
            raise StreamEndedError(
                Ending.ELSEWHERE if moved else Ending.GONE,
                f"{event['code']}: {event['reason']}",
                code=str(event["code"]),
                hint=str(event["hint"]),
            )
        if self._held.lost:
            raise superseded()

    def keep(self) -> None:
        self._seating.keep(self._held)

    def release(self) -> None:
        self._seating.release(self._held)
