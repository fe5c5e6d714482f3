"""What the connections of a listener share."""

from __future__ import annotations

from kong_mesh_cp.shell.http.h2.bounds import (
    DRAIN_SLICE_CONNECTIONS,
    DRAIN_SLICE_SECONDS,
    DRAIN_SPREAD_SECONDS,
)
from kong_mesh_cp.shell.http.h2.service import Departures
from kong_mesh_cp.shell.listening.limits import DRAIN_SECONDS


def test_departures_are_in_slices_and_all_within_the_drain() -> None:
    departures = Departures()
    delays = [departures.next_delay() for _ in range(100 * DRAIN_SLICE_CONNECTIONS)]

    assert delays[:DRAIN_SLICE_CONNECTIONS] == [0.0] * DRAIN_SLICE_CONNECTIONS
    assert delays[DRAIN_SLICE_CONNECTIONS] == DRAIN_SLICE_SECONDS
    assert delays == sorted(delays)
    assert delays[-1] == DRAIN_SPREAD_SECONDS < DRAIN_SECONDS
