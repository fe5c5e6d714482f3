"""How many refusals have a line of their own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.identity.refusal_bounds import (
    ADMISSIONS,
    API,
    SOURCES_MAX,
    SOURCES_NAMED_MAX,
    WINDOW_SECONDS,
    Door,
    RefusalBounds,
)

SMALL = Door(name="here", source_lines_max=2, lines_max=5)


def test_the_first_of_a_source_are_logged_and_the_rest_is_counted() -> None:
    bounds = RefusalBounds(SMALL)
    assert [bounds.take("a", at) for at in range(5)] == [True, True, False, False, False]
    assert bounds.take("b", 5.0)  # who is told less is not hidden by who asks more
    untold = bounds.untold(WINDOW_SECONDS)
    assert untold is not None
    assert untold.line() == "audit-refusals-untold: 3 more here within 60 s: 3 from a"


def test_a_source_that_tries_slowly_is_logged_each_time() -> None:
    bounds = RefusalBounds(API)
    seconds = WINDOW_SECONDS / API.source_lines_max
    for attempt in range(100):
        assert bounds.untold(attempt * seconds) is None
        assert bounds.take("a", attempt * seconds)


def test_of_all_sources_no_more_have_a_line_than_the_bound() -> None:
    for door in (API, ADMISSIONS):
        bounds = RefusalBounds(door)
        told = sum(bounds.take(f"10.0.{source % 256}.{source // 256}", 0) for source in range(5000))
        assert told == door.lines_max
        untold = bounds.untold(WINDOW_SECONDS)
        assert untold is not None
        assert untold.count == 5000 - told


def test_a_window_begins_with_its_first_refusal_and_ends_once() -> None:
    bounds = RefusalBounds(SMALL)
    for _ in range(3):
        bounds.take("a", 1000.0)
    assert bounds.untold(1000.0 + WINDOW_SECONDS - 0.1) is None
    assert bounds.untold(1000.0 + WINDOW_SECONDS) is not None
    assert bounds.untold(1000.0 + 2 * WINDOW_SECONDS) is None
    assert bounds.take("a", 1000.0 + 2 * WINDOW_SECONDS)


def test_at_the_end_what_was_left_out_is_logged_at_once() -> None:
    bounds = RefusalBounds(SMALL)
    for _ in range(3):
        bounds.take("a", 0)
    untold = bounds.untold(1.0, at_once=True)
    assert untold is not None
    assert untold.count == 1


def test_sources_with_the_fewest_lines_are_named_and_the_others_counted() -> None:
    bounds = RefusalBounds(SMALL)
    for source in range(9):
        for _ in range(SMALL.source_lines_max + source + 1):
            bounds.take(f"s{source}", 0)
    untold = bounds.untold(WINDOW_SECONDS)
    assert untold is not None
    assert [source for source, _ in untold.most] == ["s8", "s7", "s6", "s5", "s4"]
    others = untold.count - sum(count for _, count in untold.most)
    assert untold.line().endswith(f", {others} from others")


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 40)), max_size=200))
def test_each_refusal_is_logged_or_counted(steps: list[tuple[int, float]]) -> None:
    bounds, now, told, counted, lines = RefusalBounds(SMALL), 0.0, 0, 0, 0
    for source, seconds in steps:
        now += seconds
        untold = bounds.untold(now)
        if untold is not None:
            counted += untold.count
            lines += 1
        told += bounds.take(str(source), now)
    rest = bounds.untold(now, at_once=True)
    assert told + counted + (0 if rest is None else rest.count) == len(steps)
    assert lines <= now / WINDOW_SECONDS


def test_memory_does_not_grow_with_the_sources() -> None:
    bounds = RefusalBounds(SMALL)
    for source in range(3 * SOURCES_MAX):
        bounds.take(str(source), 0)
    untold = bounds.untold(WINDOW_SECONDS)
    assert untold is not None
    assert untold.count == 3 * SOURCES_MAX - SMALL.lines_max
    assert len(untold.most) == SOURCES_NAMED_MAX
