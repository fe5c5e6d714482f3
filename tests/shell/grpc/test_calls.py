"""Calls as any client of HTTP/2 sees them."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from kong_mesh_cp.shell.grpc.calls import Call
from kong_mesh_cp.shell.grpc.status import GrpcError, Status
from support.daemons.tls_peers import ServedTls
from support.http2.grpc_peers import http2_client, serving_grpc


async def test_messages_go_both_ways_until_the_client_half_closes(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, http2_client(server) as client:
        call = await client.call()
        for text in (b"one", b"", b"three" * 1000):
            await client.say(call, text)
            assert await client.message(call) == text
        await client.say(call, b"last", ends=True)

        answer = await client.answer(call)

    assert answer.messages == [b"last"]
    assert answer.headers == {
        ":status": "200",
        "content-type": "application/grpc",
        "grpc-accept-encoding": "identity",
    }
    assert answer.trailers == {"grpc-status": "0"}
    assert answer.reset is None


async def test_an_error_before_any_message_is_all_that_is_sent(tmp_path: Path) -> None:
    async def refuses(call: Call) -> None:
        await call.receive()
        raise GrpcError(Status.PERMISSION_DENIED, "naïve: 100 %")

    async with serving_grpc(tmp_path, {"/s/m": refuses}) as server, http2_client(server) as client:
        call = await client.call("/s/m")
        await client.say(call, b"x", ends=True)
        answer = await client.answer(call)

    assert answer.headers[":status"] == "200"
    assert answer.headers["grpc-status"] == "7"
    assert answer.headers["grpc-message"] == "na%C3%AFve: 100 %25"


async def test_an_error_after_messages_comes_in_the_trailers(tmp_path: Path) -> None:
    async def fails(call: Call) -> None:
        await call.send(b"one")
        raise GrpcError(Status.RESOURCE_EXHAUSTED, "no more")

    async with serving_grpc(tmp_path, {"/s/m": fails}) as server, http2_client(server) as client:
        answer = await client.answer(await client.call("/s/m"))

    assert answer.messages == [b"one"]
    assert answer.trailers == {"grpc-status": "8", "grpc-message": "no more"}


async def test_an_error_in_a_nursery_of_the_method_is_what_the_client_hears(tmp_path: Path) -> None:
    async def fails(call: Call) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.receive)
            raise GrpcError(Status.UNAUTHENTICATED, "who?")

    async with serving_grpc(tmp_path, {"/s/m": fails}) as server, http2_client(server) as client:
        answer = await client.answer(await client.call("/s/m"))

    assert (answer.grpc_status, answer.grpc_message) == (Status.UNAUTHENTICATED, "who?")


async def test_a_defect_of_a_method_is_logged_and_tells_the_client_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: Call) -> None:
        raise ZeroDivisionError("secret")

    async with serving_grpc(tmp_path, {"/s/m": broken}) as server, http2_client(server) as client:
        answer = await client.answer(await client.call("/s/m"))

    assert answer.grpc_status == Status.INTERNAL
    assert "secret" not in answer.grpc_message
    assert [each.message.split(":")[0] for each in caplog.records] == ["request-failed"]


async def test_an_unknown_method_is_not_implemented(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, http2_client(server) as client:
        answer = await client.answer(await client.call("/test.Service/Nothing"))

    assert answer.status == 200
    assert answer.grpc_status == Status.UNIMPLEMENTED
    assert answer.grpc_message == "unknown method /test.Service/Nothing"


@pytest.mark.parametrize("content_type", ["application/json", "application/grpcx", "text/plain"])
async def test_to_a_method_comes_what_is_no_call(tmp_path: Path, content_type: str) -> None:
    async with serving_grpc(tmp_path) as server, http2_client(server) as client:
        answer = await client.answer(await client.call(content_type=content_type))

    assert answer.status == 415


@pytest.mark.parametrize(
    "content_type", ["application/grpc+proto", "application/grpc;charset=utf-8", "Application/GRPC"]
)
async def test_every_content_type_of_grpc_is_a_call(tmp_path: Path, content_type: str) -> None:
    async with serving_grpc(tmp_path) as server, http2_client(server) as client:
        call = await client.call(content_type=content_type)
        await client.say(call, ends=True)

        assert (await client.answer(call)).grpc_status == Status.OK


async def test_a_call_that_is_no_post_is_refused(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, http2_client(server) as client:
        content_type = ("content-type", "application/grpc")
        get = await client.request("/test.Service/Echo", content_type, method="GET")
        answer = await client.answer(get)

    assert (answer.status, answer.grpc_status) == (405, Status.INTERNAL)


async def test_a_compressed_message_is_not_taken(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, http2_client(server) as client:
        call = await client.call()
        client.machine.send_data(call, b"\x01\0\0\0\x01x")
        await client.flush()
        answer = await client.answer(call)

    assert answer.grpc_status == Status.UNIMPLEMENTED


async def test_a_message_that_is_too_long_is_refused_by_its_prefix(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, http2_client(server) as client:
        call = await client.call()
        client.machine.send_data(call, b"\0\xff\xff\xff\xff")
        await client.flush()
        answer = await client.answer(call)
        await client.ping()

    assert answer.grpc_status == Status.RESOURCE_EXHAUSTED


async def test_a_stream_that_ends_inside_of_a_message_is_an_error(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, http2_client(server) as client:
        call = await client.call()
        client.machine.send_data(call, b"\0\0\0\0\x05ab", end_stream=True)
        await client.flush()

        assert (await client.answer(call)).grpc_status == Status.INTERNAL


async def test_who_answers_early_tells_the_client_to_stop_sending(tmp_path: Path) -> None:
    async def answers_early(call: Call) -> None:
        await call.send(b"enough")

    methods = {"/s/m": answers_early}
    async with serving_grpc(tmp_path, methods) as server, http2_client(server) as client:
        call = await client.call("/s/m")
        answer = await client.answer(call)
        while answer.reset is None:
            await client.read()

    assert answer.messages == [b"enough"]
    assert (answer.grpc_status, answer.reset) == (Status.OK, 0)


async def test_a_method_sees_the_metadata(tmp_path: Path) -> None:
    seen = []

    async def looks(call: Call) -> None:
        seen.append((call.path, call.metadata["authorization"], call.metadata["key-bin"]))

    async with serving_grpc(tmp_path, {"/s/m": looks}) as server, http2_client(server) as client:
        fields = (("key-bin", "AQI"), ("authorization", "a"), ("key-bin", "Aw=="))
        await client.answer(await client.call("/s/m", *fields))

    assert seen == [("/s/m", ("a",), ("AQI", "Aw=="))]


async def test_a_deadline_ends_the_call_and_cancels_the_method(tmp_path: Path) -> None:
    cancelled = trio.Event()

    async def waits(_: Call) -> None:
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()

    async with serving_grpc(tmp_path, {"/s/m": waits}) as server, http2_client(server) as client:
        answer = await client.answer(await client.call("/s/m", ("grpc-timeout", "10m")))
        await cancelled.wait()

    assert answer.grpc_status == Status.DEADLINE_EXCEEDED


async def test_a_malformed_deadline_is_refused(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, http2_client(server) as client:
        answer = await client.answer(await client.call("/test.Service/Echo", ("grpc-timeout", "1")))

    assert (answer.grpc_status, answer.grpc_message) == (13, "malformed grpc-timeout")


async def _ended(server: ServedTls, ended: trio.Event, *, by_reset: bool) -> None:
    async with http2_client(server) as client:
        call = await client.call("/s/m")
        await client.say(call, b"x")
        assert await client.message(call) == b"x"
        if not by_reset:
            return
        client.machine.reset_stream(call)
        await client.flush()
        await ended.wait()
        await client.ping()


@pytest.mark.parametrize("by_reset", [True, False])
async def test_a_method_is_cancelled_when_its_peer_goes(tmp_path: Path, by_reset: bool) -> None:
    ended = trio.Event()

    async def waits(call: Call) -> None:
        try:
            await call.send(await call.receive() or b"")
            await trio.sleep_forever()  # it does not listen
        finally:
            ended.set()

    async with serving_grpc(tmp_path, {"/s/m": waits}) as server:
        await _ended(server, ended, by_reset=by_reset)
        await ended.wait()


async def test_a_drain_ends_calls_as_unavailable(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, http2_client(server) as client:
        call = await client.call()
        await client.say(call, b"x")
        await client.message(call)

        server.drain.start()
        answer = await client.answer(call)
        await client.rest()

    assert answer.grpc_status == Status.UNAVAILABLE
    assert client.goaway == 0
