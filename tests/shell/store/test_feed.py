"""The feed keeps order, keeps within its bounds, and never hides that something was missed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.shell.store.feed import HISTORY_ITEMS_MAX, ChangeFeed
from kong_mesh_cp.usecases.following.pending import PENDING_ITEMS_MAX
from kong_mesh_cp.usecases.ports.resource_store import ChangeKind, FeedItem, ResourceChange, Resync
from support.fakes.resources import policy


def change(revision: int, name: str = "a") -> ResourceChange:
    return ResourceChange(policy(name), ChangeKind.UPDATED, revision, revision)


async def all_that_is_there(feed: AsyncIterator[FeedItem]) -> list[FeedItem]:
    items: list[FeedItem] = []
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def read() -> None:
                while True:
                    items.append(await anext(feed))

            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    return items


async def test_a_reader_that_is_too_slow_has_to_read_anew_and_then_gets_what_follows() -> None:
    feed = ChangeFeed(0)
    with feed.reading(None) as reader:
        for revision in range(1, PENDING_ITEMS_MAX + 2):
            feed.publish([change(revision, f"{revision}")])
        last = PENDING_ITEMS_MAX + 2
        feed.publish([change(last)])

        assert await all_that_is_there(reader) == [Resync(last - 1), change(last)]


async def test_one_resource_may_change_for_ever_without_a_reader_falling_behind() -> None:
    feed = ChangeFeed(0)
    last = PENDING_ITEMS_MAX * 3
    with feed.reading(None) as reader:
        for revision in range(1, last + 1):
            feed.publish([change(revision)])

        assert await all_that_is_there(reader) == [change(last)]


async def test_a_gap_is_reported() -> None:
    feed = ChangeFeed(5)
    with feed.reading(None) as reader:
        feed.publish([change(6)])
        feed.publish([change(8), change(9)])
        feed.publish([change(10)])

        assert await all_that_is_there(reader) == [Resync(9), change(10)]


async def test_a_known_change_is_not_reported_again() -> None:
    feed = ChangeFeed(5)
    with feed.reading(None) as reader:
        feed.publish([change(4), change(5)])
        feed.publish([change(5), change(6, "b")])
        feed.publish([])

        assert await all_that_is_there(reader) == [change(6, "b")]


async def test_a_past_that_is_not_kept_has_to_be_read_anew() -> None:
    feed = ChangeFeed(0)
    for revision in range(1, HISTORY_ITEMS_MAX + 3):
        feed.publish([change(revision, f"{revision}")])
    last = HISTORY_ITEMS_MAX + 2

    for since, first in [(0, Resync(last)), (1, Resync(last)), (2, change(3, "3"))]:
        with feed.reading(since) as reader:
            assert (await all_that_is_there(reader))[0] == first
    with feed.reading(last) as reader:
        assert await all_that_is_there(reader) == []


async def test_a_reader_that_has_left_is_not_kept() -> None:
    feed = ChangeFeed(0)
    with feed.reading(None) as reader:
        pass
    feed.publish([change(1)])

    assert await all_that_is_there(reader) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30))
def test_a_late_reader_has_the_last_change_of_each_resource(
    steps: list[tuple[str, bool]],
) -> None:
    async def play() -> None:
        feed = ChangeFeed(0)
        last: dict[str, int] = {}
        seen: list[FeedItem] = []
        with feed.reading(None) as reader:
            for revision, (name, reads) in enumerate(steps, start=1):
                feed.publish([change(revision, name)])
                last[name] = revision
                if reads:
                    seen += await all_that_is_there(reader)
            seen += await all_that_is_there(reader)
        assert [one.revision for one in seen] == sorted({one.revision for one in seen})
        newest = {one.key.name: one.revision for one in seen if isinstance(one, ResourceChange)}
        assert newest == last

    trio.run(play)
