"""The clocks of the machine, as the product reads them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kong_mesh_cp.shell.host import clocks


def test_the_wall_clock_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)
    now = clocks.wall_clock()

    assert now.utcoffset() == timedelta(0)
    assert before <= now <= datetime.now(UTC)


def test_the_boot_clock_counts_seconds_and_never_goes_back() -> None:
    readings = [clocks.boot_clock() for _ in range(1000)]

    assert readings == sorted(readings)
    # CLOCK_BOOTTIME is what uptime(1) shows, to the hundredth.
    assert readings[0] <= float(Path("/proc/uptime").read_text().split()[0]) + 0.01


def test_the_boot_has_one_id() -> None:
    assert clocks.boot_id() == clocks.boot_id() == str(uuid.UUID(clocks.boot_id()))
