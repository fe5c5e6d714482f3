"""What is said on a stream after its proxy has joined."""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.admission.socket_messages import StreamRefusal
from kong_mesh_cp.core.discovery.exchanges import Request, Response
from kong_mesh_cp.core.discovery.type_order import CLUSTERS
from kong_mesh_cp.core.formats.prometheus_text import metrics_text
from kong_mesh_cp.usecases.data_plane.stream_ports import NodeTold, Received
from kong_mesh_cp.usecases.data_plane.streams import UNSENT_RESPONSES_MAX
from support.data_plane.proxy_streams import (
    NACK_BACKOFF_SECONDS,
    Plane,
    Proxy,
    clusters,
    joined,
    newcomer,
    node,
    open_plane,
    token,
    turned_away,
)
from support.fakes.admission import seat
from support.fakes.attending import sidecar

pytestmark = pytest.mark.usefixtures("autojump_clock")


def names(response: Response) -> list[str]:
    return [each.name for each in response.resources]


async def refusing(plane: Plane, *bad: str) -> Proxy:
    """A proxy that takes no configuration with one of `bad` in it."""
    proxy = await newcomer(plane)
    proxy.refuses = lambda response: " ".join(sorted({*bad} & {*names(response)}))
    return await plane.dial(proxy)


async def test_a_change_goes_to_the_proxy() -> None:
    async with open_plane() as plane:
        proxy = await joined(plane)

        plane.publishing.publish(clusters("a", "b"))
        await wait_all_tasks_blocked()

        assert [names(each) for each in proxy.got] == [["a"], ["a", "b"]]


async def test_what_comes_while_a_proxy_takes_its_time_is_one_change() -> None:
    async with open_plane() as plane:
        proxy = await newcomer(plane)
        proxy.acknowledges = False
        await plane.dial(proxy)

        for text in "bcde":
            plane.publishing.publish(clusters(text))
            await wait_all_tasks_blocked()
        assert len(proxy.got) == 1
        first = proxy.got[0]
        proxy.say(Request(type_url=CLUSTERS, nonce=first.nonce, version=first.version))
        await wait_all_tasks_blocked()

        assert [names(each) for each in proxy.got] == [["a"], ["e"]]


async def test_a_proxy_that_takes_nothing_holds_up_nobody_else() -> None:
    class Stuck(Proxy):
        async def send(self, response: Response) -> None:  # noqa: ARG002
            await trio.sleep_forever()

    async with open_plane() as plane:
        like = await newcomer(plane, "stuck")
        await plane.dial(Stuck(like.credentials, like.node))
        proxy = await joined(plane, "other")

        plane.publishing.publish(clusters("b"))
        await wait_all_tasks_blocked()

        assert [names(each) for each in proxy.got] == [["a"], ["b"]]


async def test_a_proxy_that_answers_what_it_has_not_read_is_not_heard_further() -> None:
    class Deaf(Proxy):
        times_heard = 0

        async def receive(self) -> Received | None:
            received = await super().receive()
            self.times_heard += 1
            return received

        async def send(self, response: Response) -> None:  # noqa: ARG002
            await trio.sleep_forever()

    async with open_plane() as plane:
        plane.publishing.publish(clusters("a", "b"))
        like = await newcomer(plane)
        proxy = Deaf(like.credentials, like.node)
        await plane.dial(proxy)
        proxy.say(Request(type_url=CLUSTERS, nonce="1", names=("nothing",)))
        for number in range(1, 2 * UNSENT_RESPONSES_MAX):
            asked = ("ab"[number % 2],)
            proxy.say(Request(type_url=CLUSTERS, nonce=str(number), names=asked))
            await wait_all_tasks_blocked()

        assert UNSENT_RESPONSES_MAX < proxy.times_heard < UNSENT_RESPONSES_MAX + 5


async def test_the_node_of_a_stream_stays_the_same() -> None:
    async with open_plane() as plane:
        proxy = await joined(plane)
        proxy.say(Request(type_url=CLUSTERS), node(brings=sidecar()))
        await wait_all_tasks_blocked()
        assert not proxy.over.is_set()

        proxy.say(Request(type_url=CLUSTERS), NodeTold("default.backend-2", {}))
        await proxy.over.wait()

        assert proxy.end is not None
        assert proxy.end.message == (
            "stream was authenticated for ID default.backend-1. Received request is for node with "
            "ID default.backend-2. Node ID cannot be changed after stream is initialized"
        )


async def test_a_proxy_that_has_no_more_to_say_has_left() -> None:
    async with open_plane() as plane:
        proxy = await joined(plane)

        proxy.half_close()
        await proxy.over.wait()

        assert proxy.end is None
        assert plane.desk.seating.active == 0
        assert plane.publishing.watched == []
        assert plane.streams.connected == 0


async def test_a_stream_on_which_nothing_was_said_leaves_no_trace() -> None:
    async with open_plane() as plane:
        proxy = Proxy([])
        proxy.half_close()

        await plane.streams.serve(proxy)

        assert plane.metrics.opened == 0
        assert plane.desk.seating.active == 0


# Refusals.


async def test_a_refusal_is_kept_and_told_once_with_its_cause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_plane(cause=lambda _seat, _refusal: "MeshProxyPatch broken") as plane:
        with caplog.at_level(logging.WARNING):
            await refusing(plane, "b")
            plane.publishing.publish(clusters("a", "b"))
            await wait_all_tasks_blocked()
            for _ in range(5):  # what is said again has the same content
                plane.publishing.publish(clusters("a", "b"))
                await trio.sleep(2 * NACK_BACKOFF_SECONDS)

        assert [each.getMessage() for each in caplog.records] == [
            (
                "configuration-refused: default/default/backend-1 has not taken its Cluster and "
                "goes on with those of before: b (from MeshProxyPatch broken)"
            )
        ]
        assert plane.metrics.refused == {CLUSTERS: 1}
        assert plane.streams.refused(seat("backend-1")) == StreamRefusal("Cluster", "b")


async def test_a_refusal_is_over_when_another_content_is_taken() -> None:
    async with open_plane() as plane:
        proxy = await refusing(plane, "b")
        plane.publishing.publish(clusters("b"))
        await wait_all_tasks_blocked()

        plane.publishing.publish(clusters("c"))
        await wait_all_tasks_blocked()

        assert names(proxy.got[-1]) == ["c"]
        assert plane.streams.refused(seat("backend-1")) is None


async def test_the_remedy_is_sent_at_once() -> None:
    async with open_plane() as plane:
        proxy = await refusing(plane, "b")
        plane.publishing.publish(clusters("b"))
        await wait_all_tasks_blocked()
        before = trio.current_time()

        plane.publishing.publish(clusters("c"))
        await wait_all_tasks_blocked()

        assert names(proxy.got[-1]) == ["c"]
        assert trio.current_time() == before


async def test_what_changes_and_is_refused_again_and_again_is_sent_in_a_while() -> None:
    async with open_plane() as plane:
        proxy = await newcomer(plane)
        proxy.refuses = lambda _: "no"
        await plane.dial(proxy)
        began = trio.current_time()

        for number in range(1000):
            plane.publishing.publish(clusters(f"b{number}"))
            await trio.sleep(0.05)

        rounds = (trio.current_time() - began) / NACK_BACKOFF_SECONDS
        assert len(proxy.got) <= rounds + 3
        await trio.sleep(NACK_BACKOFF_SECONDS)
        assert names(proxy.got[-1]) == ["b999"]


async def test_a_text_from_outside_does_not_break_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_plane() as plane:
        proxy = await newcomer(plane)
        proxy.refuses = lambda _: "broken\nERROR forged line" + "x" * 10_000
        await plane.dial(proxy)

        line = caplog.records[-1].getMessage()
        assert "\n" not in line
        assert len(line) < 1000


async def test_a_token_that_does_not_fit_is_told_with_what_to_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        async with open_plane() as plane:
            await turned_away(plane, Proxy(["no token"], node(brings=sidecar())))

    (line,) = (said for said in caplog.messages if said.startswith("stream-ended: "))
    assert line.startswith("stream-ended: not-authenticated: default.backend-1 at ")
    assert "kumactl generate dataplane-token" in line


# What is counted.


async def test_streams_are_counted_for_prometheus() -> None:
    async with open_plane(limit=1) as plane:
        await joined(plane, "a")
        plane.publishing.publish(clusters("b"))
        await wait_all_tasks_blocked()
        await turned_away(plane, await newcomer(plane, "b"))
        await turned_away(plane, Proxy([await token(plane.desk)], node("nobody")))

        lines = metrics_text(plane.metrics.families(plane.streams.connected)).splitlines()

        assert "kong_mesh_proxies_connected 1" in lines
        assert "kong_mesh_streams_open 1" in lines
        assert 'kong_mesh_streams_ended_total{code="license-limit"} 1' in lines
        assert 'kong_mesh_streams_ended_total{code="dataplane-not-found"} 1' in lines
        assert 'kong_mesh_responses_sent_total{type="Cluster"} 2' in lines
        assert 'kong_mesh_change_to_sent_seconds_bucket{le="+Inf"} 2' in lines
        assert "kong_mesh_change_to_sent_seconds_count 2" in lines
