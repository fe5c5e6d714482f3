"""Silent peers, slow peers and drains, under a mock clock: waiting takes no time here."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio

from kong_mesh_cp.shell.grpc.calls import Call
from kong_mesh_cp.shell.grpc.status import Status
from kong_mesh_cp.shell.grpc.terms import FIRST_MESSAGE_SECONDS
from kong_mesh_cp.shell.http.h2.bounds import (
    DRAIN_SLICE_CONNECTIONS,
    DRAIN_SLICE_SECONDS,
    PING_ANSWER_SECONDS,
    PING_SECONDS,
)
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.listening.limits import Limits
from support.http2.grpc_peers import http2_client, serving_grpc
from support.http2.raw_frames import (
    ACK,
    CALL,
    DATA,
    GOAWAY,
    HEADERS,
    PING,
    POST,
    REFUSED_STREAM,
    RST_STREAM,
    data,
    error_code,
    frame,
    headers,
    ping,
    raw_http2,
    settings,
)

pytestmark = pytest.mark.usefixtures("autojump_clock")

LIMITS = Limits(
    header_seconds=5,
    request_seconds=20,
    answer_seconds=30,
    idle_seconds=80,
    send_seconds=10,
    linger_seconds=2,
)
MESSAGE = b"\0\0\0\0\1x"


async def test_a_peer_that_does_not_answer_a_ping_is_dead(tmp_path: Path) -> None:
    ended = trio.Event()

    async def waits(call: Call) -> None:
        await call.receive()
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    methods = {"/test.Service/Echo": waits}
    async with serving_grpc(tmp_path, methods) as server, raw_http2(server) as client:
        began = trio.current_time()
        await client.say(headers(1, CALL, ends=False), data(1, MESSAGE))
        await ended.wait()
        took = trio.current_time() - began

    assert took == pytest.approx(PING_SECONDS + PING_ANSWER_SECONDS, abs=1e-3)


async def test_a_silent_peer_that_answers_pings_stays(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, raw_http2(server) as client:
        await client.say(headers(1, CALL, ends=False), data(1, MESSAGE))
        for _ in range(30):
            asked = await client.until(PING)
            await client.say(ping(asked.payload, flags=ACK))
        assert trio.current_time() >= 29 * PING_SECONDS
        await client.say(data(1, MESSAGE))
        assert (await client.until(DATA)).payload == MESSAGE


async def test_a_connection_without_a_stream_ends_in_time(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path, limits=LIMITS) as server, raw_http2(server) as client:
        await client.say(headers(1))
        await client.until(DATA)
        began = trio.current_time()
        assert error_code(await client.until(GOAWAY)) == 0
        await client.rest()

    assert trio.current_time() - began == pytest.approx(80, abs=2 + 1e-3)


async def test_who_says_nothing_at_all_is_left_early(tmp_path: Path) -> None:
    async with (
        serving_grpc(tmp_path, limits=LIMITS) as server,
        raw_http2(server, opened=False) as client,
    ):
        began = trio.current_time()
        await client.rest()

    assert trio.current_time() - began <= 5 + 2 + 1e-3


async def test_half_a_header_block_holds_nothing_for_long(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path, limits=LIMITS) as server, raw_http2(server) as client:
        await client.say(frame(HEADERS, 0, 1, b"\x82"))
        await client.until(GOAWAY)
        await client.rest()

    assert trio.current_time() <= 80 + 2 + 1


async def test_a_call_without_a_message_is_given_up(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, http2_client(server) as client:
        began = trio.current_time()
        answer = await client.answer(await client.call())

    assert answer.grpc_status == Status.DEADLINE_EXCEEDED
    assert trio.current_time() - began == pytest.approx(FIRST_MESSAGE_SECONDS, abs=1e-3)


async def test_a_deadline_counts_from_the_calls_begin(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, http2_client(server) as client:
        began = trio.current_time()
        call = await client.call("/test.Service/Echo", ("grpc-timeout", "50S"))
        await trio.sleep(20)
        await client.say(call, b"x")
        answer = await client.answer(call)

    assert answer.grpc_status == Status.DEADLINE_EXCEEDED
    assert trio.current_time() - began == pytest.approx(50, abs=1e-3)


async def test_half_a_body_is_refused_in_time(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path, limits=LIMITS) as server, raw_http2(server) as client:
        await client.say(headers(1, POST, ends=False), data(1))
        began = trio.current_time()
        assert (await client.until(DATA)).payload == b"too-slow"

    assert trio.current_time() - began == pytest.approx(20, abs=1e-3)


async def test_a_handler_that_never_answers_is_cut(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(_: Request) -> Response:
        await trio.sleep_forever()
        raise AssertionError

    async with (
        serving_grpc(tmp_path, handler=handler, limits=LIMITS) as server,
        http2_client(server) as client,
    ):
        answer = await client.answer(await client.request("/"))

    assert (answer.status, answer.body) == (500, b"answer-too-slow")
    assert [each.message.split(":")[0] for each in caplog.records] == ["answer-too-slow"]


async def test_an_answer_that_is_never_taken_is_given_up(tmp_path: Path) -> None:
    async def handler(_: Request) -> Response:
        return Response(200, bytes(1000))

    async with (
        serving_grpc(tmp_path, handler=handler, limits=LIMITS) as server,
        raw_http2(server) as client,
    ):
        await client.say(settings((4, 0)), headers(1))
        await client.until(RST_STREAM, stream_id=1)


async def test_a_peer_that_does_not_read_its_socket_is_given_up(tmp_path: Path) -> None:
    gone = trio.Event()

    async def floods(call: Call) -> None:
        try:
            while True:
                await call.send(bytes(100_000))
        finally:
            gone.set()

    methods = {"/test.Service/Echo": floods}
    async with (
        serving_grpc(tmp_path, methods, limits=LIMITS) as server,
        raw_http2(server) as client,
    ):
        most = 2**31 - 1
        await client.say(settings((4, most)), frame(8, 0, 0, (most - 65_535).to_bytes(4, "big")))
        began = trio.current_time()
        await client.say(headers(1, CALL, ends=False))
        await gone.wait()

    assert trio.current_time() - began <= LIMITS.send_seconds + 1


async def test_a_drain_says_goodbye_at_once_and_lets_requests_end(tmp_path: Path) -> None:
    begun = trio.Event()

    async def handler(_: Request) -> Response:
        begun.set()
        await trio.sleep(3)
        return Response(200, b"done")

    async with serving_grpc(tmp_path, handler=handler) as server, raw_http2(server) as client:
        await client.say(headers(1))
        await begun.wait()
        began = trio.current_time()
        server.drain.start()
        assert error_code(await client.until(GOAWAY)) == 0
        assert trio.current_time() == began
        await client.say(headers(3))
        refused = await client.until(RST_STREAM)
        assert (refused.stream_id, error_code(refused)) == (3, REFUSED_STREAM)
        assert (await client.until(DATA)).payload == b"done"
        await client.rest()


async def test_a_drain_ends_a_connection_that_has_just_begun(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, raw_http2(server) as client:
        server.drain.start()
        await client.rest()


async def test_who_connects_during_a_drain_is_sent_away(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server:
        server.drain.start()
        async with raw_http2(server) as client:
            await client.until(GOAWAY)
            await client.rest()


async def test_a_drain_ends_calls_in_slices(tmp_path: Path) -> None:
    connections = 2 * DRAIN_SLICE_CONNECTIONS + 1
    times: dict[float, int] = {}

    async with serving_grpc(tmp_path) as server, AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(http2_client(server)) for _ in range(connections)
        ]
        calls = []
        for client in clients:
            call = await client.call()
            await client.say(call, b"x")
            await client.message(call)
            calls.append(call)

        began = trio.current_time()
        server.drain.start()
        async with trio.open_nursery() as nursery:
            for client, call in zip(clients, calls, strict=True):

                async def end(client: object = client, call: int = call) -> None:
                    answer = await client.answer(call)  # type: ignore[attr-defined]
                    assert answer.grpc_status == Status.UNAVAILABLE
                    moment = round((trio.current_time() - began) / DRAIN_SLICE_SECONDS)
                    times[moment] = times.get(moment, 0) + 1

                nursery.start_soon(end)

    assert times == {0: DRAIN_SLICE_CONNECTIONS, 1: DRAIN_SLICE_CONNECTIONS, 2: 1}
