from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.license.clock import (
    AHEAD_BELIEVED_SECONDS,
    ClockMark,
    effective_now,
    observe,
    suspect,
)
from support.licenses.licenses import at

NOON = at("2026-11-21T12:00:00")
HOUR = 3600.0
DAY = 24 * HOUR


class Machine:
    """A machine whose wall clock, uptime and boots a test moves by hand."""

    def __init__(self, wall: datetime = NOON) -> None:
        self.wall = wall
        self.boot = 1
        self.uptime = 100.0
        self.mark: ClockMark | None = None
        self.look()

    def look(self) -> ClockMark:
        self.mark = observe(
            self.mark, wall=self.wall, boottime_seconds=self.uptime, boot_id=str(self.boot)
        )
        return self.mark

    def run(self, seconds: float, *, step: float = HOUR) -> ClockMark:
        """Both clocks go on together; the control plane looks every `step`."""
        mark = self.look()
        while seconds > 0:
            part = min(step, seconds)
            self.wall += timedelta(seconds=part)
            self.uptime += part
            seconds -= part
            mark = self.look()
        return mark

    def jump(self, seconds: float) -> ClockMark:
        self.wall += timedelta(seconds=seconds)
        return self.look()

    def reboot(self, off_seconds: float = 60.0) -> ClockMark:
        self.wall += timedelta(seconds=off_seconds)
        self.boot += 1
        self.uptime = 10.0
        return self.look()


def test_the_first_look_believes_the_wall_clock() -> None:
    mark = Machine().look()
    assert mark.seen == NOON
    assert not suspect(mark, NOON)
    assert effective_now(mark, NOON) == NOON


def test_seen_follows_the_wall_clock_while_boottime_confirms_it() -> None:
    machine = Machine()
    assert machine.run(10 * DAY).seen == machine.wall


def test_setting_the_clock_back_does_not_revive_a_license() -> None:
    machine = Machine()
    machine.run(10 * DAY)
    end = machine.wall
    mark = machine.jump(-9 * DAY)

    assert mark.seen == end
    assert suspect(mark, machine.wall)
    assert effective_now(mark, machine.wall) == end - timedelta(hours=24)


def test_a_clock_set_back_by_a_day_is_taken_as_it_is() -> None:
    machine = Machine()
    mark = machine.jump(-DAY)
    assert not suspect(mark, machine.wall)
    assert effective_now(mark, machine.wall) == machine.wall
    assert suspect(mark, machine.wall - timedelta(seconds=1))


def test_one_forward_jump_does_not_poison_the_clock() -> None:
    machine = Machine()
    machine.jump(3650 * DAY)
    machine.run(23 * HOUR)
    mark = machine.jump(-3650 * DAY)

    assert mark.seen == machine.wall
    assert not suspect(mark, machine.wall)
    assert mark.ahead_seconds == 0


def test_while_it_is_ahead_the_wall_clock_itself_is_what_counts() -> None:
    machine = Machine()
    mark = machine.jump(3650 * DAY)
    assert effective_now(mark, machine.wall) == machine.wall


def test_a_clock_that_stays_ahead_for_a_confirmed_day_is_believed() -> None:
    machine = Machine()
    machine.jump(40 * DAY)
    before = machine.run(AHEAD_BELIEVED_SECONDS - 1)
    assert before.seen < machine.wall - timedelta(days=39)

    mark = machine.run(1)
    assert mark.seen == machine.wall
    assert mark.ahead_seconds == 0


def test_a_jump_at_the_end_of_the_wait_is_not_believed_with_it() -> None:
    machine = Machine()
    machine.jump(1)  # what a time server may do any day
    machine.run(AHEAD_BELIEVED_SECONDS - HOUR)
    machine.jump(3650 * DAY)
    mark = machine.run(HOUR)

    assert mark.seen < machine.wall - timedelta(days=3649)
    machine.jump(-3650 * DAY)
    assert not suspect(machine.look(), machine.wall)


def test_evidence_adds_up_over_restarts_and_reboots() -> None:
    machine = Machine()
    machine.reboot(off_seconds=3 * DAY)
    for _ in range(9):
        machine.run(3 * HOUR)
        machine.reboot()
    mark = machine.run(HOUR)

    assert machine.wall - mark.seen < timedelta(hours=1)
    assert not suspect(mark, machine.wall)


def test_a_reboot_alone_confirms_no_time() -> None:
    machine = Machine()
    mark = machine.reboot(off_seconds=300)
    assert mark.seen == NOON
    assert mark.lead_seconds == 300


def test_a_process_restart_in_the_same_boot_goes_on_counting() -> None:
    machine = Machine()
    machine.wall += timedelta(hours=5)
    machine.uptime += 5 * HOUR
    assert machine.look().seen == machine.wall


def test_a_clock_that_was_believed_wrongly_heals_when_time_has_caught_up() -> None:
    machine = Machine()
    machine.jump(5 * DAY)
    machine.run(25 * HOUR)
    machine.jump(-5 * DAY)
    assert suspect(machine.look(), machine.wall)
    machine.run(4 * DAY)
    assert not suspect(machine.look(), machine.wall)


def test_clocks_at_the_ends_of_the_calendar_do_no_harm() -> None:
    for wall in (at("0001-01-01"), at("9999-12-31T23:59:59")):
        mark = observe(None, wall=wall, boottime_seconds=0, boot_id="1")
        assert effective_now(mark, wall) == wall
        later = observe(mark, wall=NOON, boottime_seconds=1e6, boot_id="1")
        assert effective_now(later, NOON) >= NOON


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.floats(0, 3 * DAY)),
        st.tuples(st.just("jump"), st.floats(-100 * DAY, 100 * DAY)),
        st.tuples(st.just("reboot"), st.floats(0, 10 * DAY)),
    ),
    max_size=25,
)


@given(MOVES)
def test_belief_never_goes_back_and_never_beyond_what_a_wall_clock_showed(
    moves: list[tuple[str, float]],
) -> None:
    machine = Machine()
    seen, largest = machine.look().seen, machine.wall
    for move, seconds in moves:
        match move:
            case "run":
                mark = machine.run(seconds, step=6 * HOUR)
            case "jump":
                mark = machine.jump(seconds)
            case _:
                mark = machine.reboot(seconds)
        largest = max(largest, machine.wall)
        assert seen <= mark.seen <= largest
        assert effective_now(mark, machine.wall) >= machine.wall
        assert effective_now(mark, machine.wall) >= mark.seen - timedelta(hours=24)
        assert 0 <= mark.ahead_seconds < AHEAD_BELIEVED_SECONDS
        seen = mark.seen


@given(st.floats(DAY, 1000 * DAY), st.floats(0, 23 * HOUR), st.integers(1, 20))
def test_a_jump_shorter_than_a_day_leaves_no_trace(jump: float, length: float, looks: int) -> None:
    machine = Machine()
    machine.jump(jump)
    machine.run(length, step=max(60.0, length / looks))
    machine.jump(-jump)
    mark = machine.run(HOUR)
    assert abs(mark.seen - machine.wall) < timedelta(seconds=1)
