"""What proxies are to have: how it is watched, in `Publishing` and in the fake of streams' tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.discovery.snapshots import Snapshot
from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy
from kong_mesh_cp.usecases.data_plane.publishing.publishing import Publishing
from kong_mesh_cp.usecases.data_plane.stream_ports import Configuring, Watching
from support.data_plane.proxy_streams import FakePublishing, clusters

pytestmark = pytest.mark.usefixtures("autojump_clock")

PROXY = ConnectedProxy(mesh="default", name="backend-1", metadata=ProxyMetadata())


@dataclass
class Made:
    """A `Configuration`."""

    snapshot: Snapshot
    left_out: tuple[Any, ...] = ()
    services: Collection[str] = ()


class OneWorld:
    """`LiveWorlds` with one mesh, and a `MeshGenerator` that makes what it is told."""

    def __init__(self) -> None:
        self.snapshot = clusters("a")

    @asynccontextmanager
    async def held(self, mesh: str) -> AsyncIterator[None]:  # noqa: ARG002
        await trio.lowlevel.checkpoint()
        yield

    def world(self, mesh: str) -> Any:
        return mesh

    def preparation(
        self, proxy: ConnectedProxy, world: object
    ) -> Callable[[], Awaitable[object]] | None:
        pass

    def generate(self, proxy: ConnectedProxy, world: object) -> Made:  # noqa: ARG002
        return Made(self.snapshot)

    def with_endpoints(self, made: Made, services: object, world: object) -> Made:  # noqa: ARG002
        return made

    def turn(self) -> None:
        pass


@dataclass
class Subject:
    configuring: Configuring
    publish: Callable[[Snapshot], None]


@asynccontextmanager
async def published(world: OneWorld) -> AsyncIterator[Subject]:
    publishing: Publishing[Made, Any] = Publishing(world, lambda _mesh: world)

    def publish(snapshot: Snapshot) -> None:
        world.snapshot = snapshot
        publishing.touch("default")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(publishing.run)
        yield Subject(publishing, publish)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def fake() -> AsyncIterator[Subject]:
    publishing = FakePublishing()
    yield Subject(publishing, publishing.publish)


Opening = Callable[[], AbstractAsyncContextManager[Subject]]


@pytest.fixture(params=[lambda: published(OneWorld()), fake], ids=["publishing", "fake"])
def opened(request: pytest.FixtureRequest) -> Opening:
    opening: Opening = request.param
    return opening


async def returns_at_once(watch: Watching) -> bool:
    with trio.move_on_after(1) as scope:
        await watch.changed()
    return not scope.cancelled_caught


async def test_there_is_something_to_have_from_the_beginning(opened: Opening) -> None:
    async with opened() as subject, subject.configuring.watching(PROXY) as watch:
        assert watch.snapshot == clusters("a")
        assert await returns_at_once(watch)
        assert not await returns_at_once(watch)


async def test_a_change_is_told_once(opened: Opening) -> None:
    async with opened() as subject, subject.configuring.watching(PROXY) as watch:
        await watch.changed()

        subject.publish(clusters("b"))
        await wait_all_tasks_blocked()

        assert await returns_at_once(watch)
        assert watch.snapshot == clusters("b")
        assert not await returns_at_once(watch)


async def test_what_changes_several_times_meanwhile_is_one_change(opened: Opening) -> None:
    async with opened() as subject, subject.configuring.watching(PROXY) as watch:
        await watch.changed()

        for text in "bcd":
            subject.publish(clusters(text))
            await wait_all_tasks_blocked()

        assert await returns_at_once(watch)
        assert watch.snapshot == clusters("d")
        assert not await returns_at_once(watch)


async def test_two_who_watch_are_told_both(opened: Opening) -> None:
    async with (
        opened() as subject,
        subject.configuring.watching(PROXY) as one,
        subject.configuring.watching(PROXY) as other,
    ):
        await one.changed()
        await other.changed()

        subject.publish(clusters("b"))
        await wait_all_tasks_blocked()

        assert await returns_at_once(one)
        assert await returns_at_once(other)
