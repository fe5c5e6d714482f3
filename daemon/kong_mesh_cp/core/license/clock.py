"""Which time counts when the wall clock may have been set back or forward.

A license must not live again because a clock is set back, and must not die for ever
because the clock once jumped ahead. So the largest *believed* wall time is kept (`seen`), and
belief grows only with evidence: CLOCK_BOOTTIME, which cannot be set, or a day of patience.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from kong_mesh_cp.core.dataclass import dataclass

CLOCK_SLACK = timedelta(hours=24)  # how far back a clock may be set before its time stops counting
AHEAD_BELIEVED_SECONDS = 24 * 3600.0  # confirmed seconds after which a clock that is ahead is right


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockMark:
    """The largest believed wall time, and the evidence collected for a later one. Persisted."""

    seen: datetime  # aware, UTC
    boot_id: str  # /proc/sys/kernel/random/boot_id of the observation
    boottime_seconds: float  # CLOCK_BOOTTIME at the observation
    ahead_seconds: float  # for how long (confirmed by CLOCK_BOOTTIME) the wall clock has been ahead
    lead_seconds: float = 0.0  # the least it was ahead in that time; 0 while it is not ahead


def observe(
    mark: ClockMark | None, *, wall: datetime, boottime_seconds: float, boot_id: str
) -> ClockMark:
    """What is believed after looking at both clocks once.

    `seen` never goes back. It follows the wall clock as far as CLOCK_BOOTTIME confirms that time
    has passed in the same boot. What the wall clock is ahead of that (a reboot, a jump) is
    believed after it has stayed ahead for 24 confirmed hours, which add up over restarts; and
    then only by the least it was ahead, so that a jump at the end of the wait adds nothing.
    """
    if mark is None:
        return ClockMark(
            seen=wall, boot_id=boot_id, boottime_seconds=boottime_seconds, ahead_seconds=0.0
        )
    confirmed = 0.0
    if boot_id == mark.boot_id:
        confirmed = max(0.0, boottime_seconds - mark.boottime_seconds)
    lead = (wall - mark.seen).total_seconds() - confirmed
    seen, ahead, least = mark.seen, 0.0, 0.0
    if lead <= 0:
        # Behind what could be believed: the wall clock itself is the largest time, or an old one.
        seen = max(mark.seen, wall)
    else:
        seen = wall - timedelta(seconds=lead)
        was_ahead = mark.lead_seconds > 0
        ahead = mark.ahead_seconds + confirmed if was_ahead else 0.0
        least = min(mark.lead_seconds, lead) if was_ahead else lead
        if ahead >= AHEAD_BELIEVED_SECONDS:
            seen = seen + timedelta(seconds=least)
            ahead, least = 0.0, max(0.0, lead - least)
    return ClockMark(
        seen=max(mark.seen, seen),
        boot_id=boot_id,
        boottime_seconds=boottime_seconds,
        ahead_seconds=ahead,
        lead_seconds=least,
    )


def effective_now(mark: ClockMark, wall: datetime) -> datetime:
    """The time that licenses are checked against: the wall clock, at most 24 h before `seen`."""
    return max(wall, _floor(mark))


def suspect(mark: ClockMark, wall: datetime) -> bool:
    """Whether the wall clock is so far back that it does not count."""
    return wall < _floor(mark)


def _floor(mark: ClockMark) -> datetime:
    earliest = datetime.min.replace(tzinfo=mark.seen.tzinfo)
    return mark.seen - min(CLOCK_SLACK, mark.seen - earliest)
