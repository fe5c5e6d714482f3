"""Which time counts when the wall clock may have been set back or forward."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockMark:
    """The largest believed wall time, and the evidence collected for a later one. Persisted."""

    seen: datetime  # aware, UTC
    boot_id: str  # /proc/sys/kernel/random/boot_id of the observation
    boottime_seconds: float  # CLOCK_BOOTTIME at the observation
    ahead_seconds: float  # for how long (confirmed by CLOCK_BOOTTIME) the wall clock has been ahead
