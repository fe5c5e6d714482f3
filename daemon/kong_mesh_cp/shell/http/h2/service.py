"""The state that all HTTP/2 connections of one listener share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.shell.http.h1.service import Service
from kong_mesh_cp.shell.http.h2.bounds import (
    DRAIN_SLICE_CONNECTIONS,
    DRAIN_SLICE_SECONDS,
    DRAIN_SPREAD_SECONDS,
    PING_ANSWER_SECONDS,
    PING_SECONDS,
)
from kong_mesh_cp.shell.http.h2.exchange import Exchange, ExchangeHandler
from kong_mesh_cp.shell.http.h2.flushing import Flushing


class Departures:
    """When each connection ends its calls in a drain: not all of them at once."""

    __slots__ = ("_gone",)

    def __init__(self) -> None:
        self._gone = 0

    def next_delay(self) -> float:
        """In seconds from the drain's begin; the first slice waits for nothing."""
        delay = self._gone // DRAIN_SLICE_CONNECTIONS * DRAIN_SLICE_SECONDS
        self._gone += 1
        return min(delay, DRAIN_SPREAD_SECONDS)


@dataclass(slots=True, frozen=True, kw_only=True)
class H2Service:
    """`http` serves what `special` leaves: plain requests."""

    http: Service
    special: Callable[[Exchange], ExchangeHandler | None]
    ping_seconds: float = PING_SECONDS
    ping_answer_seconds: float = PING_ANSWER_SECONDS
    flushing: Flushing = field(default_factory=Flushing)
    departures: Departures = field(default_factory=Departures)
