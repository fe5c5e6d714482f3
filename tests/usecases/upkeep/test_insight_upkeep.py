"""The insights of meshes follow what changes, at a price that is bounded.

Source: docs/wire/insights.md#meshinsight, docs/wire/insights.md#serviceinsight
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import FeedItem, Put, ResourceChange
from kong_mesh_cp.usecases.resources.reader import mesh_key
from kong_mesh_cp.usecases.upkeep.insight_upkeep import SERVICES_AT_ONCE_MAX
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.observed import INTERVALS, NOON, SOON, Observed, subscription

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_a_mesh_that_is_there_is_counted_at_the_start() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one")
    await observed.seen("one", subscription())
    await observed.proxy("two", "api")
    await observed.put("MeshRetry", "m", "r", {"spec": {}})
    async with observed.kept():
        insight = await observed.read("MeshInsight", "", "m")
        assert insight is not None
        assert insight["dataplanes"] == {"total": 2, "online": 1, "offline": 1}
        assert insight["resources"] == {"Dataplane": {"total": 2}, "MeshRetry": {"total": 1}}
        services = await observed.read("ServiceInsight", "m", "all-services-m")
        assert services is not None
        assert {name: each["status"] for name, each in services["services"].items()} == {
            "web": "online",
            "api": "offline",
        }


async def test_a_new_mesh_has_its_insights_at_once() -> None:
    observed = Observed()
    async with observed.kept():
        await observed.mesh()
        await observed.put("Secret", "m", "s", {"data": "eA=="})
        await trio.sleep(SOON)
        insight = await observed.read("MeshInsight", "", "m")
        assert insight is not None
        assert insight["resources"] == {"Secret": {"total": 1}}
        assert await observed.read("ServiceInsight", "m", "all-services-m") == {}


async def test_every_kind_of_change_is_counted() -> None:
    observed = Observed()
    await observed.mesh()
    async with observed.kept():
        await observed.proxy("one")
        await trio.sleep(1)
        assert await observed.proxies() == {"total": 1, "offline": 1}
        await observed.seen("one", subscription())
        await trio.sleep(1)
        assert await observed.proxies() == {"total": 1, "online": 1}
        await observed.seen("one", subscription(ended=NOON))
        await trio.sleep(1)
        assert await observed.proxies() == {"total": 1, "offline": 1}
        await observed.delete("DataplaneInsight", "m", "one")
        await observed.delete("Dataplane", "m", "one")
        await trio.sleep(1)
        assert await observed.proxies() == {}
        address = {"networking": {"address": "mail.example:25"}}
        await observed.put(
            "ExternalService", "m", "mail", {**address, "tags": {"kuma.io/service": "mail"}}
        )
        await trio.sleep(1)
        services = await observed.read("ServiceInsight", "m", "all-services-m")
        assert services is not None
        assert services["services"]["mail"]["addressPort"] == "mail.example:25"


async def test_what_changes_all_the_time_is_counted_once_a_second() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one")
    async with observed.kept():
        before = await observed.version()
        for step in range(100):
            ended = NOON if step % 2 else None
            await observed.seen("one", subscription(ended=ended, generation=step))
            await observed.proxy(f"more-{step}")
            await trio.sleep(0.1)
        await trio.sleep(1)
        assert await observed.proxies() == {"total": 101, "offline": 101}
        # Ten seconds, and a first and a last time.
        assert await observed.version() - before <= 12


async def test_an_equal_result_is_not_written() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one")
    await observed.seen("one", subscription())
    async with observed.kept():
        before = await observed.store.revision()
        for step in range(1, 4):
            await observed.seen("one", subscription(generation=step))
            await trio.sleep(2 * INTERVALS.full)
        assert await observed.store.revision() == before + 3


async def test_the_insights_go_with_their_mesh_and_come_with_it_again() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one")
    async with observed.kept():
        await observed.delete("Mesh", "", "m")
        assert await observed.version() == 0
        assert await observed.read("ServiceInsight", "m", "all-services-m") is None
        await trio.sleep(2 * INTERVALS.full)
        assert await observed.version() == 0
        await observed.mesh()
        await observed.proxy("one", "api")
        await trio.sleep(2)
        services = await observed.read("ServiceInsight", "m", "all-services-m")
        assert services is not None
        assert list(services["services"]) == ["api"]


async def test_a_mesh_that_is_made_anew_at_once_is_counted_anew() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one")
    async with observed.kept():
        await observed.delete("Mesh", "", "m")
        await observed.mesh()
        await observed.proxy("one", "api")
        await trio.sleep(2)
        services = await observed.read("ServiceInsight", "m", "all-services-m")
        assert services is not None
        assert list(services["services"]) == ["api"]


async def test_meshes_are_counted_apart() -> None:
    observed = Observed()
    for mesh in ("a", "b"):
        await observed.mesh(mesh)
        await observed.proxy("one", mesh=mesh)
    await observed.seen("one", subscription(), mesh="b")
    async with observed.kept():
        assert await observed.proxies("a") == {"total": 1, "offline": 1}
        assert await observed.proxies("b") == {"total": 1, "online": 1}


async def test_of_two_control_planes_neither_undoes_what_the_other_wrote() -> None:
    observed = Observed()
    await observed.mesh()
    async with observed.kept(jobs=2):
        for step in range(10):
            await observed.proxy(f"p{step}")
            await trio.sleep(1.5)
        await trio.sleep(1)
        assert await observed.proxies() == {"total": 10, "offline": 10}
        settled = await observed.version()
        assert settled <= 11
        await trio.sleep(5 * INTERVALS.full)
        assert await observed.version() == settled


async def test_an_insight_that_another_writer_has_spoiled_is_mended(
    caplog: pytest.LogCaptureFixture,
) -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one")
    async with observed.kept():
        await observed.put("MeshInsight", "", "m", {"dataplanes": {"total": 7}})
        await trio.sleep(2)
        assert await observed.proxies() == {"total": 1, "offline": 1}
        await observed.delete("MeshInsight", "", "m")
        await trio.sleep(2)
        assert await observed.proxies() == {"total": 1, "offline": 1}
    assert caplog.records == []


class _Silent(FakeResourceStore):
    """Its feed never says anything."""

    @contextmanager
    def changes(self, since: int | None = None) -> Iterator[AsyncIterator[FeedItem]]:
        del since
        send, receive = trio.open_memory_channel[FeedItem](0)
        with send, receive:
            yield receive


async def test_a_change_the_feed_missed_is_found_by_the_full_sweep() -> None:
    observed = Observed(_Silent())
    await observed.mesh()
    await observed.proxy("one")
    async with observed.kept():
        await observed.proxy("two")
        await observed.put("MeshRetry", "m", "r", {"spec": {}})
        await observed.delete("Dataplane", "m", "one")
        await observed.mesh("n")
        await trio.sleep(5)
        assert await observed.version("n") == 0
        await trio.sleep(INTERVALS.full)
        insight = await observed.read("MeshInsight", "", "m")
        assert insight is not None
        assert insight["resources"] == {"Dataplane": {"total": 1}, "MeshRetry": {"total": 1}}
        assert await observed.version("n") == 1


async def test_many_services_are_counted_as_few_are() -> None:
    observed = Observed()
    await observed.mesh()
    for each in range(SERVICES_AT_ONCE_MAX + 1):
        await observed.proxy(f"p{each}", f"s{each}")
    with observed.store.changes() as feed:
        async with observed.kept():
            # They are made in a thread, for which the clock of the tests does not wait.
            async for item in feed:
                if isinstance(item, ResourceChange) and item.key.type == "ServiceInsight":
                    break
        services = await observed.read("ServiceInsight", "m", "all-services-m")
        assert services is not None
        assert len(services["services"]) == SERVICES_AT_ONCE_MAX + 1


async def test_a_store_that_fails_is_said_once_and_what_happened_is_caught_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = FakeResourceStore()
    observed = Observed(store)
    await observed.mesh()
    with caplog.at_level(logging.INFO):
        async with observed.kept():
            await observed.proxy("one")
            store.failure = StateError("the disk is full", code="state-full", hint="Make room.")
            await trio.sleep(60)
            store.failure = None
            await observed.proxy("two")
            await trio.sleep(10)
            assert await observed.proxies() == {"total": 2, "offline": 2}
    assert [(each.levelname, each.message) for each in caplog.records] == [
        ("ERROR", "insights-not-kept: the disk is full; trying again. Make room."),
        ("INFO", "insights-kept-again: the store answers again"),
    ]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["proxy", "open", "ended", "gone", "policy", "wait"]),
        st.sampled_from(["a", "b", "c"]),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(steps=STEPS)
def test_following_changes_comes_to_what_a_new_start_finds(steps: list[tuple[str, str]]) -> None:
    async def play() -> None:
        observed = Observed()
        await observed.mesh()
        async with observed.kept():
            for step, name in steps:
                await _play(observed, step, name)
            await trio.sleep(3)
        followed = await _insights(observed)
        revision = await observed.store.revision()
        async with observed.kept():
            assert await observed.store.revision() == revision, "an equal result is no write"
        key = ResourceKey("MeshInsight", "", "m")
        await observed.store.apply(
            [Put(key=key, spec="{}", at=observed.now(), owner=mesh_key("m"))]
        )
        async with observed.kept():
            assert await _insights(observed) == followed

    trio.run(play, clock=MockClock(autojump_threshold=0))


async def _play(observed: Observed, step: str, name: str) -> None:
    match step:
        case "proxy":
            await observed.proxy(name, f"service-{name}")
        case "open":
            await observed.seen(name, subscription())
        case "ended":
            await observed.seen(name, subscription(ended=NOON))
        case "policy":
            await observed.put("MeshRetry", "m", name, {"spec": {}})
        case "gone":
            if await observed.read("Dataplane", "m", name) is not None:
                await observed.delete("Dataplane", "m", name)
        case _:
            await trio.sleep(0.7)


async def _insights(observed: Observed) -> tuple[object, object]:
    services = await observed.read("ServiceInsight", "m", "all-services-m")
    return await observed.read("MeshInsight", "", "m"), services
