from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.license.warning_schedule import (
    OVER_LIMIT_SECONDS,
    Notice,
    WarningSchedule,
    signed_days,
)
from kong_mesh_cp.core.license.warnings import LicenseWarning
from support.fakes.licensing import instant

START = instant("2026-11-21")
OVER = LicenseWarning("over-limit", "21 of 20")


def soon(days: int) -> tuple[LicenseWarning, ...]:
    """The warning that holds with `days` left; none at thirty."""
    if days >= 30:
        return ()
    code = "expires-soon" if days >= 0 else "expired"
    return (LicenseWarning(code, f"{days} days"),)


def observe(
    schedule: WarningSchedule,
    *warnings: LicenseWarning,
    days: int = 100,
    seconds: float = 0.0,
) -> tuple[Notice, ...]:
    return schedule.observe(
        warnings,
        days=days,
        now=START + timedelta(seconds=seconds),
        boot_seconds=seconds,
        otherwise="all is well",
    )


def test_whole_days_go_below_zero_after_the_end() -> None:
    end = instant("2026-12-01")

    assert signed_days(end, instant("2026-11-01")) == 30
    assert signed_days(end, instant("2026-11-30T23:59:59")) == 0
    assert signed_days(end, instant("2026-12-01T00:00:00")) == 0
    assert signed_days(end, instant("2026-12-01T00:00:01")) == -1


def test_a_standing_warning_is_said_once() -> None:
    schedule, test_key = WarningSchedule(), LicenseWarning("test-key", "TEST")

    assert observe(schedule, test_key) == (Notice("test-key", "TEST"),)
    assert observe(schedule, test_key, seconds=1e7) == ()


def test_a_standing_warning_in_other_words_is_said_again() -> None:
    schedule = WarningSchedule()
    observe(schedule, LicenseWarning("sources-conflict", "not a"))

    assert observe(schedule, LicenseWarning("sources-conflict", "not a, b")) != ()


def test_what_is_over_is_said_to_be_over_once_and_news_when_it_comes_back() -> None:
    schedule, test_key = WarningSchedule(), LicenseWarning("test-key", "TEST")
    observe(schedule, test_key)

    assert observe(schedule) == (Notice("test-key", "all is well", cleared=True),)
    assert observe(schedule) == ()
    assert observe(schedule, test_key) == (Notice("test-key", "TEST"),)


def test_expired_after_expires_soon_is_worse_and_not_over() -> None:
    schedule = WarningSchedule()
    observe(schedule, *soon(0), days=0)

    assert observe(schedule, *soon(-1), days=-1) == (Notice("expired", "-1 days"),)


def test_a_second_over_the_limit_within_the_hour_stays_unsaid() -> None:
    schedule = WarningSchedule()
    assert observe(schedule, OVER) == (Notice("over-limit", "21 of 20"),)
    assert len(observe(schedule, seconds=10)) == 1

    assert observe(schedule, OVER, seconds=20) == ()
    assert observe(schedule, seconds=30) == ()
    assert observe(schedule, OVER, seconds=OVER_LIMIT_SECONDS) == (
        Notice("over-limit", "21 of 20"),
    )


def test_since_is_when_the_condition_began_this_time() -> None:
    schedule = WarningSchedule()
    observe(schedule, OVER, seconds=1)
    observe(schedule, OVER, seconds=2)
    assert schedule.since("over-limit", START) == START + timedelta(seconds=1)

    observe(schedule, seconds=3)
    observe(schedule, OVER, seconds=4)
    assert schedule.since("over-limit", START) == START + timedelta(seconds=4)


def test_a_new_condition_holds_since_now() -> None:
    assert WarningSchedule().since("expired", START) == START


@given(
    first=st.integers(-40, 60),
    steps=st.lists(st.integers(0, 3), max_size=120),
)
def test_while_days_only_pass_each_that_begins_below_thirty_is_said_exactly_once(
    first: int, steps: list[int]
) -> None:
    schedule, days, told = WarningSchedule(), first, list[str]()
    observed = {first}
    for notice in observe(schedule, *soon(days), days=days):
        told.append(notice.message)
    for step in steps:
        days -= step
        observed.add(days)
        for notice in observe(schedule, *soon(days), days=days):
            told.append(notice.message)

    assert told == [f"{day} days" for day in sorted(observed, reverse=True) if day < 30]


@given(
    swings=st.lists(st.tuples(st.booleans(), st.floats(0, OVER_LIMIT_SECONDS * 1.5)), max_size=60)
)
def test_however_the_count_swings_lines_are_an_hour_apart_and_each_end_has_its_beginning(
    swings: list[tuple[bool, float]],
) -> None:
    schedule, seconds = WarningSchedule(), 0.0
    said: list[tuple[float, bool]] = []
    for over, pause in swings:
        seconds += pause
        notices = observe(schedule, *([OVER] if over else []), seconds=seconds)
        said += [(seconds, notice.cleared) for notice in notices]

    begun = [at for at, cleared in said if not cleared]
    ends = [cleared for _, cleared in said]
    assert all(later - earlier >= OVER_LIMIT_SECONDS for earlier, later in pairwise(begun))
    assert ends[:1] != [True]
    assert (True, True) not in pairwise(ends)
