"""Who is told what, when: changes come in, snapshots come out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from kong_mesh_cp.core.xds.draft import Complaint
from kong_mesh_cp.core.xds.reach import Reached
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy
from kong_mesh_cp.usecases.data_plane.publishing.publishing import (
    REST_SECONDS_MAX,
    SLICE_SECONDS,
    WORK_SECONDS_FREE,
    Publishing,
)
from kong_mesh_cp.usecases.data_plane.publishing.watches import Watch
from support.fakes.publishing import (
    ENDPOINTS,
    WHOLE,
    FakeConfiguration,
    FakeGenerator,
    FakeWorlds,
    connected,
)

pytestmark = pytest.mark.usefixtures("autojump_clock")

EVERYBODY = Reached(everybody=True)


@dataclass
class _Stage:
    """Proxies `a`, `b`, … of one mesh that use services."""

    worlds: FakeWorlds = field(default_factory=FakeWorlds)
    generator: FakeGenerator = field(default_factory=FakeGenerator)
    watches: dict[str, Watch] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.publishing = Publishing[FakeConfiguration, Any](
            self.worlds, lambda _mesh: self.generator
        )

    def change(
        self, text: str, reached: Reached, *, since: float | None = None, **endpoints: str
    ) -> None:
        self.worlds.put(texts=dict.fromkeys(self.watches, text), endpoints=endpoints)
        self.publishing.take("default", reached, trio.current_time() if since is None else since)

    def text(self, name: str) -> str:
        return self.watches[name].snapshot.of_type(WHOLE).resources["whole"].packed.decode()

    def endpoints(self, name: str) -> dict[str, str]:
        found = self.watches[name].snapshot.of_type(ENDPOINTS).resources
        return {service: each.packed.decode() for service, each in found.items()}


@asynccontextmanager
async def staged(*names: str, generator: FakeGenerator | None = None) -> AsyncIterator[_Stage]:
    stage = _Stage(generator=generator or FakeGenerator())
    stage.worlds.put(texts=dict.fromkeys(names, "first"))
    async with trio.open_nursery() as nursery, AsyncExitStack() as stack:
        nursery.start_soon(stage.publishing.run)
        for name in names:
            watching = stage.publishing.watching(connected(name))
            stage.watches[name] = await stack.enter_async_context(watching)
            await stage.watches[name].changed()
        stage.generator.log.clear()
        yield stage
        nursery.cancel_scope.cancel()


async def has_news(watch: Watch) -> bool:
    await wait_all_tasks_blocked()
    with trio.move_on_after(1):
        await watch.changed()
        return True
    return False


async def test_a_proxy_that_joins_is_told_at_once() -> None:
    async with staged("a") as stage:
        assert stage.text("a") == "first"


async def test_a_change_is_told_to_whom_it_touches_and_to_nobody_else() -> None:
    async with staged("a", "b", "c") as stage:
        stage.change("second", Reached(proxies=frozenset({"a", "b", "gone"})))

        assert await has_news(stage.watches["a"])
        assert await has_news(stage.watches["b"])
        assert not await has_news(stage.watches["c"])
        assert (stage.text("a"), stage.text("c")) == ("second", "first")
        assert sorted(stage.generator.log) == ["a", "b"]


async def test_what_says_the_same_as_before_is_told_to_nobody() -> None:
    async with staged("a") as stage:
        stage.change("first", EVERYBODY)

        assert not await has_news(stage.watches["a"])
        assert stage.generator.log == ["a"]


async def test_changes_that_come_together_are_one_pass() -> None:
    async with staged("a", "b") as stage:
        for number in range(10):
            stage.change(str(number), EVERYBODY)

        assert await has_news(stage.watches["a"])
        assert stage.text("a") == "9"
        assert sorted(stage.generator.log) == ["a", "b"]


async def test_endpoints_that_come_and_go_remake_nothing_else() -> None:
    generator = FakeGenerator(uses={"a": {"web"}, "b": {"web", "db"}, "c": {"db"}})
    async with staged("a", "b", "c", generator=generator) as stage:
        stage.change("unseen", Reached(endpoints=frozenset({"web"})), web="10.0.0.1")

        assert await has_news(stage.watches["a"])
        assert await has_news(stage.watches["b"])
        assert not await has_news(stage.watches["c"])
        assert stage.endpoints("b") == {"web": "10.0.0.1", "db": ""}
        assert stage.text("b") == "first"
        assert generator.log == ["endpoints of web"] * 2


async def test_who_is_remade_gets_its_endpoints_with_it() -> None:
    generator = FakeGenerator(uses={"a": {"web"}})
    async with staged("a", generator=generator) as stage:
        reached = Reached(proxies=frozenset({"a"}), endpoints=frozenset({"web"}))
        stage.change("second", reached, web="10.0.0.1")

        assert await has_news(stage.watches["a"])
        assert (stage.text("a"), stage.endpoints("a")) == ("second", {"web": "10.0.0.1"})
        assert generator.log == ["a"]


async def test_who_uses_a_service_is_made_anew_when_more_than_its_endpoints_is_new() -> None:
    generator = FakeGenerator(uses={"a": {"web"}, "b": {"db"}})
    async with staged("a", "b", generator=generator) as stage:
        stage.change("second", Reached(callers_of=frozenset({"web"})))

        assert await has_news(stage.watches["a"])
        assert generator.log == ["a"]


async def test_a_proxy_that_a_change_touches_while_it_is_made_is_made_once_more() -> None:
    async with staged("a") as stage:
        changes = iter(["third"])

        def happens(_proxy: ConnectedProxy) -> None:
            for text in changes:
                stage.change(text, EVERYBODY)

        stage.generator.happens = happens
        stage.change("second", EVERYBODY)
        await wait_all_tasks_blocked()

        assert stage.text("a") == "third"
        assert stage.generator.log == ["a", "a"]


async def test_a_change_for_few_does_not_wait_behind_one_for_many() -> None:
    crowd = [f"p{number}" for number in range(50)]
    async with staged(*crowd) as stage:
        stage.change("second", EVERYBODY)
        stage.change("third", Reached(proxies=frozenset({"p48", "p49"})))
        await wait_all_tasks_blocked()

        assert set(stage.generator.log[:2]) == {"p48", "p49"}
        assert sorted(stage.generator.log) == sorted(crowd)


async def test_a_pass_for_many_leaves_the_loop_to_others_after_each_slice(
    autojump_clock: MockClock,
) -> None:
    crowd = [f"p{number}" for number in range(100)]
    async with staged(*crowd) as stage:
        stage.generator.happens = lambda _proxy: autojump_clock.jump(SLICE_SECONDS / 4)
        turns = list[int]()

        async def another() -> None:
            while len(stage.generator.log) < len(crowd):
                turns.append(len(stage.generator.log))
                await trio.lowlevel.checkpoint()

        stage.change("second", EVERYBODY)
        await another()

        # Of two tasks that are both ready trio may take either first: two slices, and one more made.
        made = [after - before for before, after in pairwise(turns)]
        assert max(made) <= 2 * (4 + 1)


async def test_in_a_storm_of_changes_half_of_the_time_is_left_to_others(
    autojump_clock: MockClock,
) -> None:
    crowd = [f"p{number}" for number in range(100)]
    async with staged(*crowd) as stage:
        stage.generator.happens = lambda _proxy: autojump_clock.jump(0.01)
        began, changes = trio.current_time(), 0
        while trio.current_time() < began + 20:
            changes += 1
            stage.change(str(changes), EVERYBODY)
            await trio.sleep(0.05)
        stage.generator.happens = lambda _proxy: None
        await trio.sleep(REST_SECONDS_MAX)

        made = len(stage.generator.log)
        assert 0.01 * made < 0.7 * 20  # of the loop's time
        assert {stage.text(name) for name in crowd} == {str(changes)}
        assert stage.publishing.waiting == 0


async def test_a_little_work_is_followed_by_no_rest(autojump_clock: MockClock) -> None:
    async with staged("a", "b") as stage:
        stage.generator.happens = lambda _proxy: autojump_clock.jump(WORK_SECONDS_FREE / 4)
        for number in range(5):
            await trio.sleep(1)
            before = trio.current_time()
            stage.change(str(number), EVERYBODY)
            await stage.watches["a"].changed()
            await stage.watches["b"].changed()
            assert trio.current_time() - before < WORK_SECONDS_FREE


async def test_one_proxy_that_cannot_be_made_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with staged("a", "b") as stage:

        def happens(proxy: ConnectedProxy) -> None:
            if proxy.name == "a":
                raise ZeroDivisionError("made for this test")

        stage.generator.happens = happens
        stage.change("second", EVERYBODY)
        stage.change("second", EVERYBODY)
        assert await has_news(stage.watches["b"])
        stage.change("third", EVERYBODY)
        await wait_all_tasks_blocked()

        assert (stage.text("a"), stage.text("b")) == ("first", "third")
        assert [each.message.partition(":")[0] for each in caplog.records] == ["xds-not-made"]
        assert stage.publishing.counts.faults == 2
        stage.generator.happens = lambda _proxy: None
        stage.change("fourth", Reached(proxies=frozenset({"a"})))
        await wait_all_tasks_blocked()
        assert stage.text("a") == "fourth"


async def test_what_is_left_out_is_told_to_the_stream_and_logged_once_for_each_content(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with staged("a", "b") as stage:
        complaint = Complaint("outbound:1", "no good")
        stage.generator.complaints = {"a": (complaint,), "b": (complaint,)}
        for text in ("second", "third"):
            stage.change(text, EVERYBODY)
            await wait_all_tasks_blocked()

        assert stage.watches["a"].complaints == (complaint,)
        assert len(stage.publishing.left_out) == 2
        [line] = [each.message for each in caplog.records]
        assert line.startswith("xds-part-left-out: ")
        assert '"outbound:1" was not made: "no good"' in line

        stage.generator.complaints = {}
        stage.change("fourth", EVERYBODY)
        await wait_all_tasks_blocked()
        assert len(stage.publishing.left_out) == 0
        stage.generator.complaints = {"b": (complaint,)}
        stage.change("fifth", EVERYBODY)
        await wait_all_tasks_blocked()
        assert len(caplog.records) == 2


async def test_a_proxy_waits_for_what_is_prepared_for_it_and_the_others_do_not_wait() -> None:
    ready, begun = trio.Event(), list[str]()

    async def prepare() -> None:
        begun.append("a")
        await ready.wait()
        del generator.preparations["a"]

    generator = FakeGenerator(preparations={"a": prepare})
    stage = _Stage(generator=generator)
    stage.worlds.put(texts={"a": "first", "b": "first"})

    async def join(name: str) -> None:
        async with stage.publishing.watching(connected(name)) as watch:
            stage.watches[name] = watch
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.publishing.run)
        nursery.start_soon(join, "a")
        nursery.start_soon(join, "b")
        await wait_all_tasks_blocked()
        assert [*stage.watches] == ["b"]
        stage.worlds.put(texts={"a": "second", "b": "second"})
        stage.publishing.take("default", EVERYBODY, trio.current_time())
        await wait_all_tasks_blocked()
        assert begun == ["a"]

        ready.set()
        await wait_all_tasks_blocked()
        assert stage.text("a") == "second"
        nursery.cancel_scope.cancel()


async def test_a_proxy_whose_dataplane_or_mesh_is_gone_keeps_what_it_has() -> None:
    async with staged("a") as stage:
        stage.worlds.put(texts={})
        stage.publishing.take("default", EVERYBODY, trio.current_time())
        assert not await has_news(stage.watches["a"])
        stage.worlds.worlds.clear()
        stage.publishing.touch("default")
        assert not await has_news(stage.watches["a"])
        assert stage.text("a") == "first"


async def test_a_proxy_is_made_anew_when_something_beside_its_world_is_new() -> None:
    async with staged("a", "b") as stage:
        stage.worlds.put(texts={"a": "second", "b": "second"})
        stage.publishing.touch("default", "a")
        assert await has_news(stage.watches["a"])
        assert not await has_news(stage.watches["b"])
        stage.publishing.touch("default")
        assert await has_news(stage.watches["b"])


async def test_two_streams_of_one_proxy_are_both_told() -> None:
    async with staged("a") as stage, stage.publishing.watching(connected("a")) as other:
        await other.changed()
        stage.change("second", Reached(proxies=frozenset({"a"})))
        assert await has_news(stage.watches["a"])
        assert await has_news(other)


async def test_nothing_stays_of_proxies_that_have_left() -> None:
    async with staged() as stage:
        stage.worlds.put(texts={"a": "first"})
        async with stage.publishing.watching(connected("a")):
            assert [*stage.publishing.meshes()] == ["default"]
            stage.publishing.touch("default")
        await wait_all_tasks_blocked()
        assert [*stage.publishing.meshes()] == []
        assert (stage.worlds.holders, stage.publishing.waiting) == (0, 0)


async def test_the_time_from_a_change_to_its_snapshot_is_counted(
    autojump_clock: MockClock,
) -> None:
    async with staged("a") as stage:
        before = stage.publishing.counts.published_total
        stage.generator.happens = lambda _proxy: autojump_clock.jump(0.002)
        stage.change("second", EVERYBODY, since=trio.current_time() - 0.5)
        await wait_all_tasks_blocked()
        counts = stage.publishing.counts
        assert counts.published_total == before + 1
        assert counts.publish_seconds == pytest.approx(0.502, abs=1e-3)
        assert counts.pass_seconds == pytest.approx(0.002, abs=1e-3)
