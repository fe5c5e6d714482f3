"""One follower of a store for all: by type, without waiting, and through its failures."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.following.failure_log import FailureLog
from kong_mesh_cp.usecases.following.pending import PENDING_ITEMS_MAX
from kong_mesh_cp.usecases.following.replica import RETRY_SECONDS, Replica
from kong_mesh_cp.usecases.ports.resource_store import (
    Delete,
    FeedItem,
    Put,
    ResourceChange,
    Resync,
)
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.resources import put, take

BROKEN = StateError("the disk is gone", code="state-io", hint="Look for it.")


def failure_log() -> FailureLog:
    return FailureLog(logging.getLogger("x"), "x-not-read", "x-read-again")


@pytest.mark.usefixtures("autojump_clock")
async def test_a_long_outage_of_the_store_is_logged_once_and_its_end_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    store = FakeResourceStore()
    reads = list[float]()

    async def read() -> None:
        await store.revision()
        reads.append(trio.current_time())

    async def take(_: ResourceChange) -> None:
        await trio.lowlevel.checkpoint()

    store.failure = BROKEN
    replica = Replica(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        nursery.start_soon(
            partial(replica.follow, {"T"}, read=read, take=take, outcomes=failure_log())
        )
        await trio.sleep(60 * RETRY_SECONDS)
        assert [record.message for record in caplog.records] == [
            "x-not-read: the disk is gone; trying again. Look for it."
        ]
        assert not reads

        store.failure = None
        await trio.sleep(2 * RETRY_SECONDS)
        assert [record.message.partition(":")[0] for record in caplog.records] == [
            "x-not-read",
            "x-read-again",
        ]
        assert len(reads) == 1
        nursery.cancel_scope.cancel()


def of_type(type_name: str, name: str = "a") -> Put:
    return put(ResourceKey(type_name, "m", name))


@dataclass
class _CountedFeeds(FakeResourceStore):
    """Counts who follows it, and loses its feed while `broken`."""

    feeds: int = 0
    broken: bool = False

    @contextmanager
    def changes(self, since: int | None = None) -> Iterator[AsyncIterator[FeedItem]]:
        if self.broken:
            raise BROKEN
        with super().changes(since) as feed:
            self.feeds += 1
            yield self._told(feed)

    async def _told(self, feed: AsyncIterator[FeedItem]) -> AsyncIterator[FeedItem]:
        async for item in feed:
            if self.broken:
                raise BROKEN
            yield item


@dataclass
class _Subscriber:
    """Writes down what it is told."""

    events: list[str] = field(default_factory=list)
    slow: bool = False

    async def read(self) -> None:
        await trio.lowlevel.checkpoint()
        self.events.append("read")

    async def take(self, change: ResourceChange) -> None:
        await trio.lowlevel.checkpoint()
        self.events.append(f"{change.kind} {change.key.type} {change.key.name}")
        if self.slow:
            await trio.sleep_forever()

    def lost(self) -> None:
        self.events.append("lost")

    async def follow(self, replica: Replica, *types: str) -> None:
        await replica.follow(
            types, read=self.read, take=self.take, outcomes=failure_log(), lost=self.lost
        )


async def test_each_subscriber_gets_the_changes_of_its_types_and_the_store_is_followed_once() -> (
    None
):
    store = _CountedFeeds()
    replica, of_t, of_both = Replica(store), _Subscriber(), _Subscriber()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(of_t.follow, replica, "T")
        nursery.start_soon(of_both.follow, replica, "T", "U")
        await wait_all_tasks_blocked()
        assert of_t.events == []  # nothing is read before changes are told
        nursery.start_soon(replica.run)
        await wait_all_tasks_blocked()
        await store.apply([of_type("T"), of_type("U"), of_type("V")])
        await wait_all_tasks_blocked()
        await store.apply([Delete(key=of_type("U").key), of_type("T")])
        await wait_all_tasks_blocked()

        assert of_t.events == ["read", "created T a", "updated T a"]
        assert of_both.events == [
            "read",
            "created T a",
            "created U a",
            "deleted U a",
            "updated T a",
        ]
        assert store.feeds == 1
        nursery.cancel_scope.cancel()


async def test_a_slow_subscriber_delays_no_other() -> None:
    store = FakeResourceStore()
    replica, slow, quick = Replica(store), _Subscriber(slow=True), _Subscriber()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        nursery.start_soon(slow.follow, replica, "T")
        nursery.start_soon(quick.follow, replica, "T")
        await wait_all_tasks_blocked()
        await store.apply([of_type("T")])
        await wait_all_tasks_blocked()
        await store.apply([of_type("T", "b")])
        await wait_all_tasks_blocked()

        assert slow.events == ["read", "created T a"]
        assert quick.events == ["read", "created T a", "created T b"]
        nursery.cancel_scope.cancel()


async def test_who_is_too_far_behind_reads_anew_and_memory_is_bounded() -> None:
    store = FakeResourceStore()
    replica = Replica(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        async with replica.subscribed({"T"}) as news:
            await wait_all_tasks_blocked()
            many = [of_type("T", str(number)) for number in range(PENDING_ITEMS_MAX + 1)]
            await store.apply(many)
            await wait_all_tasks_blocked()
            assert await take(news, 1) == [Resync(PENDING_ITEMS_MAX + 1)]
            await store.apply([of_type("T", "0")])
            (last,) = await take(news, 1)
            assert isinstance(last, ResourceChange)
            assert last.revision == PENDING_ITEMS_MAX + 2
        nursery.cancel_scope.cancel()


async def test_a_subscriber_gets_the_last_change_of_each_resource_only() -> None:
    store = FakeResourceStore()
    replica = Replica(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        async with replica.subscribed({"T"}) as news:
            for name in "aba":
                await store.apply([of_type("T", name)])
                await wait_all_tasks_blocked()
            told = await take(news, 2)
            changes = [each for each in told if isinstance(each, ResourceChange)]
            assert [(each.key.name, each.revision) for each in changes] == [("b", 2), ("a", 3)]
        nursery.cancel_scope.cancel()


@pytest.mark.usefixtures("autojump_clock")
async def test_when_the_feed_breaks_all_lose_and_read_again_when_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    store = _CountedFeeds()
    replica, one, other = Replica(store), _Subscriber(), _Subscriber()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        nursery.start_soon(one.follow, replica, "T")
        nursery.start_soon(other.follow, replica, "U")
        await wait_all_tasks_blocked()
        store.broken = True
        await store.apply([of_type("T")])
        await trio.sleep(10 * RETRY_SECONDS)
        for subscriber in (one, other):
            assert subscriber.events[0] == "read"
            assert set(subscriber.events[1:]) == {"lost"}
        assert len(caplog.records) == 2  # of each subscriber one
        store.broken = False
        await trio.sleep(3 * RETRY_SECONDS)
        await store.apply([of_type("U")])
        await wait_all_tasks_blocked()

        assert one.events[-1] == "read"
        assert other.events[-2:] == ["read", "created U a"]
        assert [each.message.partition(":")[0] for each in caplog.records] == [
            *["x-not-read"] * 2,
            *["x-read-again"] * 2,
        ]
        assert store.feeds == 2
        nursery.cancel_scope.cancel()


async def test_nothing_is_missed_between_reading_and_the_first_change() -> None:
    store = FakeResourceStore()
    replica, subscriber = Replica(store), _Subscriber()

    async def read() -> None:
        await store.apply([of_type("T")])
        await subscriber.read()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        nursery.start_soon(
            partial(replica.follow, {"T"}, read=read, take=subscriber.take, outcomes=failure_log())
        )
        await wait_all_tasks_blocked()
        assert subscriber.events == ["read", "created T a"]
        nursery.cancel_scope.cancel()
