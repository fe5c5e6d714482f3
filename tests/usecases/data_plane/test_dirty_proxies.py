"""The order in which proxies are told anew."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.usecases.data_plane.publishing.dirty_proxies import (
    PROXY_SECONDS,
    DirtyProxies,
)


def drained(dirty: DirtyProxies[str], now: float) -> list[str]:
    found = []
    while (taken := dirty.take(now)) is not None:
        found.append(taken[0])
    return found


def crowd(size: int) -> list[str]:
    return [f"crowd-{number}" for number in range(size)]


def test_a_change_for_few_is_done_before_one_for_many_that_came_with_it() -> None:
    dirty = DirtyProxies[str]()
    dirty.add(crowd(1000), 0.0)
    dirty.add(["a", "b", "c", "d"], 0.0)

    assert drained(dirty, 0.0)[:4] == ["a", "b", "c", "d"]


def test_of_many_the_few_that_another_change_touches_come_forward_and_are_done_once() -> None:
    dirty = DirtyProxies[str]()
    dirty.add(crowd(1000), 0.0)
    dirty.add(["crowd-998", "crowd-999"], 0.0)

    order = drained(dirty, 0.0)

    assert order[:2] == ["crowd-998", "crowd-999"]
    assert sorted(order) == sorted(crowd(1000))


def test_a_change_for_many_does_not_wait_for_ever_behind_changes_for_few() -> None:
    dirty = DirtyProxies[str]()
    dirty.add(crowd(1000), 0.0)
    now, turns = 0.0, 0
    while True:
        now += PROXY_SECONDS
        dirty.add([f"few-{turns}"], now)
        taken = dirty.take(now)
        assert taken is not None
        if taken[0].startswith("crowd"):
            break
        turns += 1

    assert turns <= 1000


def test_who_has_just_been_made_rests_without_keeping_others() -> None:
    dirty = DirtyProxies[str]()
    dirty.rest("a", 5.0)
    dirty.add(["a", "b"], 0.0)

    assert drained(dirty, 0.0) == ["b"]
    assert "a" in dirty
    assert dirty.next_due(0.0) == 5.0
    assert drained(dirty, 4.9) == []
    assert drained(dirty, 5.0) == ["a"]
    assert dirty.next_due(5.0) == math.inf


def test_it_tells_since_when_a_proxy_has_waited() -> None:
    dirty = DirtyProxies[str]()
    dirty.add(["a"], 2.0, since=1.0)
    dirty.add(["a"], 3.0)

    assert dirty.take(9.0) == ("a", 1.0)


def test_who_has_gone_is_not_taken() -> None:
    dirty = DirtyProxies[str]()
    dirty.rest("b", 1.0)
    dirty.add(["a", "b"], 0.0)
    assert dirty.take(0.0) == ("a", 0.0)
    dirty.discard("b")

    assert drained(dirty, 2.0) == []
    assert len(dirty) == 0


STEP = st.one_of(
    st.tuples(st.just("add"), st.sets(st.sampled_from("abcdef"), min_size=1)),
    st.tuples(st.just("rest"), st.sampled_from("abcdef")),
    st.tuples(st.just("take"), st.none()),
    st.tuples(st.just("discard"), st.sampled_from("abcdef")),
)


@given(steps=st.lists(STEP, max_size=60))
def test_whoever_was_touched_is_taken_once_and_nobody_else(steps: list[tuple[str, object]]) -> None:
    dirty, waiting, now = DirtyProxies[str](), set[str](), 0.0
    for step, what in steps:
        now += PROXY_SECONDS / 3
        if step == "add":
            assert isinstance(what, set)
            dirty.add(what, now)
            waiting |= what
        elif step == "rest":
            dirty.rest(str(what), now + 0.01)
        elif step == "discard":
            dirty.discard(str(what))
            waiting.discard(str(what))
        elif (taken := dirty.take(now)) is not None:
            waiting.remove(taken[0])
        assert len(dirty) == len(waiting)
    assert set(drained(dirty, now + 1.0)) == waiting
