"""Which proxies may have a stored Dataplane, and when the store is asked because nobody knows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.admission.proxy_directory import ProxyDirectory
from kong_mesh_cp.usecases.following.replica import RETRY_SECONDS, Replica
from kong_mesh_cp.usecases.ports.resource_store import Delete, FeedItem, Page, Selection
from support.fakes.admission import furnished, line_of, open_desk, take
from support.fakes.attending import apply, gateway
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.resources import put

pytestmark = pytest.mark.usefixtures("autojump_clock")


def dataplane(name: str) -> ResourceKey:
    return ResourceKey("Dataplane", "default", name)


@dataclass
class _LosesItsFeed(FakeResourceStore):
    """While `broken` it tells no changes and lists no Dataplanes, but answers other questions."""

    broken: bool = False

    async def list(self, selection: Selection) -> Page:
        if selection.type == "Dataplane":
            self._require_whole()
        return await super().list(selection)

    @contextmanager
    def changes(self, since: int | None = None) -> Iterator[AsyncIterator[FeedItem]]:
        with super().changes(since) as feed:
            yield self._told(feed)

    async def _told(self, feed: AsyncIterator[FeedItem]) -> AsyncIterator[FeedItem]:
        async for item in feed:
            self._require_whole()
            yield item

    def _require_whole(self) -> None:
        if self.broken:
            raise StateError("the connection broke", code="store-unreachable", hint="Start it.")


async def test_a_dataplane_that_is_deleted_is_not_asked_for_any_more() -> None:
    store = FakeResourceStore()
    await store.apply([put(dataplane("a")), put(dataplane("b"))])
    replica = Replica(store)
    directory = ProxyDirectory(replica)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        nursery.start_soon(directory.follow)
        await wait_all_tasks_blocked()
        assert directory.may_hold("default", "a")
        assert not directory.may_hold("default", "c")
        await store.apply([Delete(key=dataplane("a"))])
        await wait_all_tasks_blocked()

        assert not directory.may_hold("default", "a")
        assert directory.may_hold("default", "b")
        nursery.cancel_scope.cancel()


async def test_before_the_names_have_been_read_any_proxy_may_have_a_dataplane() -> None:
    store = _LosesItsFeed(broken=True)
    replica = Replica(store)
    directory = ProxyDirectory(replica)
    assert directory.may_hold("default", "a")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        nursery.start_soon(directory.follow)
        await wait_all_tasks_blocked()
        assert directory.may_hold("default", "a")
        store.broken = False
        await trio.sleep(2 * RETRY_SECONDS)

        assert not directory.may_hold("default", "a")
        nursery.cancel_scope.cancel()


async def test_after_the_feed_broke_any_proxy_may_have_a_dataplane_until_it_is_back() -> None:
    store = _LosesItsFeed()
    replica = Replica(store)
    directory = ProxyDirectory(replica)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        nursery.start_soon(directory.follow)
        await wait_all_tasks_blocked()
        assert not directory.may_hold("default", "b")
        store.broken = True
        await store.apply([put(dataplane("a"))])
        await trio.sleep(3 * RETRY_SECONDS)
        assert directory.may_hold("default", "b")
        store.broken = False
        await trio.sleep(2 * RETRY_SECONDS)

        assert directory.may_hold("default", "a")
        assert not directory.may_hold("default", "b")
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("known_before", [False, True])
async def test_while_names_are_unknown_the_store_decides_what_a_proxy_is(
    known_before: bool,
) -> None:
    there = await furnished()
    store = _LosesItsFeed(there.resources, there.log, broken=not known_before)
    async with open_desk(limit=0, resources=store) as desk:
        store.broken = True
        await apply(desk, gateway())
        await wait_all_tasks_blocked()

        assert line_of(await take(desk))["seat"]["kind"] == "delegated-gateway"
