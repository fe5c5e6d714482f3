"""Requests over HTTP/2 get what they would get over HTTP/1.1."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from kong_mesh_cp.shell.http.messages import HeldStream, Request, Response, StreamingResponse
from kong_mesh_cp.shell.listening.limits import Limits
from support.daemons.http_peers import get, post
from support.http2.grpc_peers import http2_client, serving_grpc
from support.http2.raw_frames import (
    DATA,
    GET,
    GOAWAY,
    HEADERS,
    POST,
    PROTOCOL_ERROR,
    data,
    error_code,
    frame,
    headers,
    raw_http2,
)


async def test_the_handler_sees_the_request_as_it_was_sent(tmp_path: Path) -> None:
    seen: list[Request] = []

    async def handler(request: Request) -> Response:
        seen.append(request)
        return Response(201, b"made", "text/plain", headers=(("X-Mesh", "a"),))

    async with (
        serving_grpc(tmp_path, handler=handler) as server,
        http2_client(server) as client,
    ):
        fields = (("content-type", "application/json"), ("accept", "a"), ("accept", "b"))
        sent = await client.request("/boot%20strap?a=1&a=2", *fields, body=b"{}")
        answer = await client.answer(sent)

    (request,) = seen
    assert (request.method, request.path, request.body) == ("POST", "/boot strap", b"{}")
    assert (request.query, request.raw_query) == ({"a": "1"}, "a=1&a=2")
    assert request.headers == {
        "host": "localhost",
        "content-type": "application/json",
        "accept": "a, b",
    }
    assert request.peer.secure
    assert answer.body == b"made"
    assert answer.headers == {
        ":status": "201",
        "content-type": "text/plain",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
        "date": "Sat, 21 Nov 2026 12:00:00 GMT",
        "x-mesh": "a",
        "content-length": "4",
    }


async def test_both_versions_are_served_by_one_handler_on_one_port(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server:
        async with http2_client(server) as client:
            answer = await client.answer(await client.request("/bootstrap", body=b"x"))
        async with server.client() as old:
            assert (await old.ask(post(b"x", path="/bootstrap"))).body == answer.body

    assert answer.body == b"POST /bootstrap x"


async def test_a_client_without_alpn_is_served_http_1_1(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, server.client() as client:
        assert (await client.ask(get("/a"))).body == b"GET /a "


async def test_http_2_in_plain_text_is_refused_with_a_text(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, server.plain() as stream:
        await stream.send_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4))
        said = b"".join([piece async for piece in stream])

    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.endswith(b"https-expected")


async def test_a_head_is_answered_without_a_body(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, http2_client(server) as client:
        answer = await client.answer(await client.request("/", method="HEAD"))

    assert (answer.body, answer.headers["content-length"]) == (b"", "7")


async def test_a_status_without_a_body_has_none(tmp_path: Path) -> None:
    async def handler(_: Request) -> Response:
        return Response(204, content_type="")

    async with serving_grpc(tmp_path, handler=handler) as server, http2_client(server) as client:
        answer = await client.answer(await client.request("/"))

    assert (answer.status, answer.body) == (204, b"")
    assert not {"content-length", "content-type"} & answer.headers.keys()


async def test_a_long_answer_waits_for_the_windows_of_its_reader(tmp_path: Path) -> None:
    body = bytes(range(256)) * 4096

    async def handler(_: Request) -> Response:
        return Response(200, body)

    async with serving_grpc(tmp_path, handler=handler) as server, http2_client(server) as client:
        assert (await client.answer(await client.request("/"))).body == body


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_that_is_too_large_is_refused_before_it_has_come(
    tmp_path: Path,
    announced: bool,
) -> None:
    limits = Limits(body_bytes_max=1000)
    async with serving_grpc(tmp_path, limits=limits) as server, http2_client(server) as client:
        length = (("content-length", "10000"),) if announced else ()
        sent = await client.request("/", *length, body=bytes(5000), ends=False)
        answer = await client.answer(sent)
        while answer.reset is None:
            await client.read()
        await client.ping()

    assert (answer.status, answer.body, answer.reset) == (413, b"too-large", 0)


@pytest.mark.parametrize(
    ("path", "code"), [("/%ff", "malformed-request"), ("/a#b", "malformed-request")]
)
async def test_a_target_that_cannot_be_read_is_refused(
    tmp_path: Path, path: str, code: str
) -> None:
    async with serving_grpc(tmp_path) as server, http2_client(server) as client:
        answer = await client.answer(await client.request(path, method="GET"))

    assert (answer.status, answer.body) == (400, code.encode())


@pytest.mark.parametrize("path", ["/", "/test.Service/Echo"])
async def test_too_many_fields_are_refused(tmp_path: Path, path: str) -> None:
    async with serving_grpc(tmp_path) as server, http2_client(server) as client:
        fields = [(f"x-{each}", "y") for each in range(100)]
        sent = await client.request(path, ("content-type", "application/grpc"), *fields)
        answer = await client.answer(sent)

    assert (answer.status, answer.body) == (431, b"headers-too-large")


async def test_a_request_without_a_host_is_refused(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, raw_http2(server) as client:
        await client.say(headers(1, GET[:3]))
        assert error_code(await client.until(GOAWAY)) == PROTOCOL_ERROR


async def test_a_connect_is_refused(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, raw_http2(server) as client:
        await client.say(headers(1, ((":method", "CONNECT"), (":authority", "localhost"))))
        assert (await client.until(DATA)).payload == b"no-upgrade"


async def test_a_handler_with_a_defect_hurts_only_its_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(request: Request) -> Response:
        if request.path == "/broken":
            raise ZeroDivisionError
        return Response(200)

    async with serving_grpc(tmp_path, handler=handler) as server, http2_client(server) as client:
        broken = await client.answer(await client.request("/broken"))
        sound = await client.answer(await client.request("/"))

    assert (broken.status, broken.body, sound.status) == (500, b"internal-error", 200)
    assert [each.message.split(":")[0] for each in caplog.records] == ["request-failed"]


async def test_an_answer_that_would_break_its_head_is_a_defect(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(_: Request) -> Response:
        return Response(200, headers=(("x", "a\r\nb"),))

    async with serving_grpc(tmp_path, handler=handler) as server, http2_client(server) as client:
        broken = await client.answer(await client.request("/"))

    assert broken.status == 500
    assert len(caplog.records) == 1


async def test_an_answer_that_stays_open_is_not_for_http_2(tmp_path: Path) -> None:
    released = []

    async def hold(_: HeldStream) -> None:
        raise AssertionError

    async def handler(_: Request) -> StreamingResponse:
        return StreamingResponse(b"first\n", hold, lambda: released.append(True))

    async with serving_grpc(tmp_path, handler=handler) as server, http2_client(server) as client:
        answer = await client.answer(await client.request("/"))

    assert (answer.status, answer.body, released) == (505, b"http-version", [True])


async def test_a_handler_is_cancelled_when_its_request_is_reset(tmp_path: Path) -> None:
    begun, ended = trio.Event(), trio.Event()

    async def handler(_: Request) -> Response:
        begun.set()
        try:
            await trio.sleep_forever()
        finally:
            ended.set()
        raise AssertionError

    async with serving_grpc(tmp_path, handler=handler) as server, http2_client(server) as client:
        sent = await client.request("/")
        await begun.wait()
        client.machine.reset_stream(sent)
        await client.flush()
        await ended.wait()
        await client.ping()


async def test_data_after_an_early_answer_hurts_nobody(tmp_path: Path) -> None:
    limits = Limits(body_bytes_max=10)
    async with serving_grpc(tmp_path, limits=limits) as server, raw_http2(server) as client:
        await client.say(headers(1, POST, ends=False), data(1, bytes(100)))
        await client.until(3, stream_id=1)
        # Not more than the window of the connection, which comes back for all of that.
        for _ in range(40):
            await client.say(*(data(1, bytes(16_000)) for _ in range(4)))
        await client.say(headers(3))
        await client.until(0, stream_id=3)


async def test_who_waits_to_be_asked_for_the_body_is_asked(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, raw_http2(server) as client:
        await client.say(headers(1, (*POST, ("expect", "100-continue")), ends=False))
        await client.until(HEADERS, stream_id=1)
        await client.say(data(1, b"body", ends=True))
        await client.until(HEADERS, stream_id=1)
        assert (await client.until(DATA, stream_id=1)).payload == b"POST / body"
