from __future__ import annotations

from datetime import datetime, timedelta

from kong_mesh_cp.core.license.clock import ClockMark
from kong_mesh_cp.usecases.license.clock_guard import SAVE_AFTER_SECONDS, ClockGuard
from support.fakes.licensing import instant

DAY = timedelta(days=1)


class Clocks:
    def __init__(self) -> None:
        self.wall = instant("2026-11-21")
        self.boottime_seconds = 100.0

    def read_wall(self) -> datetime:
        return self.wall

    def read_boottime(self) -> float:
        return self.boottime_seconds

    def passes(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.boottime_seconds += seconds


def guard(clocks: Clocks, mark: ClockMark | None = None, boot_id: str = "boot-1") -> ClockGuard:
    return ClockGuard(
        wall=clocks.read_wall, boottime=clocks.read_boottime, boot_id=boot_id, mark=mark
    )


def saved(clock: ClockGuard) -> ClockMark:
    mark = clock.unsaved
    assert mark is not None
    clock.saved(mark)
    return mark


def test_the_first_mark_is_worth_saving_and_then_a_minute_passes() -> None:
    clocks = Clocks()
    clock = guard(clocks)
    saved(clock)
    clocks.passes(SAVE_AFTER_SECONDS - 1)
    clock.observe()
    assert clock.unsaved is None

    clocks.passes(1)
    clock.observe()
    assert clock.unsaved is not None


def test_a_mark_that_could_not_be_saved_stays_due() -> None:
    clock = guard(Clocks())

    assert clock.unsaved is not None
    assert clock.unsaved is not None


def test_another_boot_is_worth_saving() -> None:
    clocks = Clocks()
    mark = saved(guard(clocks))

    assert guard(clocks, mark, boot_id="boot-2").unsaved is not None
    assert guard(clocks, mark).unsaved is None


def test_patience_with_a_clock_that_is_ahead_is_worth_saving() -> None:
    clocks = Clocks()
    clock = guard(clocks)
    saved(clock)
    clocks.wall += 10 * DAY
    clock.observe()
    saved_or_none = clock.unsaved
    clocks.passes(SAVE_AFTER_SECONDS)
    clock.observe()

    assert saved_or_none is None
    assert clock.unsaved is not None


def test_a_clock_set_back_by_less_than_a_day_is_believed() -> None:
    clocks = Clocks()
    clock = guard(clocks)
    clocks.wall -= DAY

    assert clock.now == clocks.wall
    assert not clock.suspect


def test_a_clock_set_back_further_stands_a_day_before_what_was_seen() -> None:
    clocks = Clocks()
    clock = guard(clocks)
    before = clocks.wall
    clocks.wall -= 30 * DAY

    assert clock.now == before - DAY
    assert clock.suspect
    assert clock.latest == before


def test_intervals_do_not_follow_the_wall_clock() -> None:
    clocks = Clocks()
    clock = guard(clocks)
    clocks.wall -= 30 * DAY

    assert clock.boot_seconds == 100.0
