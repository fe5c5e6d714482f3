"""Whole conversations over real sockets."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import trio
import trio.testing

from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.listening.limits import Limits
from support.daemons.http_peers import chunked, get, post, serving

SMALL = Limits(header_bytes_max=500, body_bytes_max=1000)


async def test_a_request_is_answered_and_the_connection_kept(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, server.client() as client:
        first = await client.ask(post(b"one"))
        second = await client.ask(get("/two"))

    assert (first.status, first.body) == (200, b"POST / one")
    assert first.headers == {
        "content-type": "application/json",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
        "date": "Sat, 21 Nov 2026 12:00:00 GMT",
        "content-length": "10",
    }
    assert second.body == b"GET /two "


async def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, server.client() as client:
        await client.send(get("/1") + post(b"2", path="/2") + chunked(b"3", path="/3") + get("/4"))

        bodies = [(await client.answer()).body for _ in range(4)]

    assert bodies == [b"GET /1 ", b"POST /2 2", b"POST /3 3", b"GET /4 "]


async def test_a_request_may_arrive_byte_by_byte(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, server.client() as client:
        for byte in post(b"slowly"):
            await client.send(bytes([byte]))
            await trio.testing.wait_all_tasks_blocked()

        assert (await client.answer()).body == b"POST / slowly"


async def test_a_peer_that_pipelines_lets_others_take_turns(tmp_path: Path) -> None:
    asked: list[str] = []

    async def handler(request: Request) -> Response:
        asked.append(request.path)
        return Response(200)

    async with (
        serving(tmp_path, handler) as server,
        server.client() as flood,
        server.client() as other,
    ):
        await other.ask(get())
        await flood.send(get("/flood") * 300)
        await other.ask(get("/other"))
        for _ in range(300):
            await flood.answer()

    assert asked.index("/other") < 30


async def test_head_is_answered_like_get_without_the_body(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, server.client() as client:
        await client.send(b"HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n" + get("/b"))
        head = await client.answer(head_only=True)

        assert head.headers["content-length"] == str(len(b"HEAD /a "))
        assert (await client.answer()).body == b"GET /b "


@pytest.mark.parametrize("request_", [get("/", "Connection: close"), get(version="1.0")])
async def test_a_peer_that_wants_one_answer_gets_one(tmp_path: Path, request_: bytes) -> None:
    async with serving(tmp_path) as server, server.client() as client:
        answer = await client.ask(request_)

        assert answer.headers["connection"] == "close"
        assert await client.rest() == b""


async def test_http_1_0_keeps_the_connection_when_asked(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, server.client() as client:
        answer = await client.ask(get("/", "Connection: keep-alive", version="1.0"))

        assert answer.headers["connection"] == "keep-alive"
        assert (await client.ask(get("/again"))).body == b"GET /again "


async def test_a_peer_that_waits_for_100_continue_gets_it(tmp_path: Path) -> None:
    request = post(b"body", "Expect: 100-continue")
    async with serving(tmp_path) as server, server.client() as client:
        interim = await client.ask(request.removesuffix(b"body"))
        final = await client.ask(b"body")

    assert interim.status == 100
    assert final.body == b"POST / body"


async def test_100_continue_is_not_sent_when_the_body_is_there_or_too_large(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=SMALL) as server:
        async with server.client() as client:
            assert (await client.ask(post(b"body", "Expect: 100-continue"))).status == 200
        async with server.client() as client:
            await client.send(post(b"body", "Expect: 100-continue")[:-1])
            await trio.testing.wait_all_tasks_blocked()
            assert (await client.ask(b"y")).status == 200
        async with server.client() as client:
            head = post(b"b" * 1001, "Expect: 100-continue").removesuffix(b"b" * 1001)
            assert (await client.ask(head)).status == 413


async def test_a_refused_peer_reads_why_though_it_has_sent_far_more(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=SMALL) as server, server.client() as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, post(b"z" * 300_000))
            answer = await client.answer()

        assert (answer.status, answer.body) == (413, b"too-large")
        assert answer.headers["connection"] == "close"
        assert await client.rest() == b""


async def test_a_huge_head_in_one_packet_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, server.client() as client:
        answer = await client.ask(get("/", "A: " + "a" * 20_000))

    assert answer.status == 431


async def test_a_chunked_body_is_refused_as_soon_as_it_is_too_large(tmp_path: Path) -> None:
    endless = chunked(b"x" * 600, b"x" * 600).removesuffix(b"0\r\n\r\n")
    async with serving(tmp_path, limits=SMALL) as server, server.client() as client:
        assert (await client.ask(endless)).status == 413


async def test_requests_before_a_bad_one_are_answered(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, server.client() as client:
        await client.send(get("/good") + b"\x00garbage")

        assert (await client.answer()).body == b"GET /good "
        assert (await client.answer()).status == 400
        assert await client.rest() == b""


@pytest.mark.parametrize("sent", [len(post(b"body")) * part // 8 for part in range(9)])
async def test_a_peer_may_leave_at_any_point(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sent: int
) -> None:
    async with serving(tmp_path) as server:
        async with server.client() as client:
            await client.send(post(b"body")[:sent])
        async with server.client() as client:
            assert (await client.ask(get())).status == 200
        await trio.testing.wait_all_tasks_blocked()

        assert not server.conversations.child_tasks
    assert not caplog.records


async def test_a_peer_that_half_closes_is_still_answered(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, server.client() as client:
        await client.send(get("/last"))
        await client.stream.send_eof()

        assert (await client.answer()).body == b"GET /last "
        assert await client.rest() == b""


async def test_a_defect_of_a_handler_costs_one_connection_and_leaves_one_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(request: Request) -> Response:
        if request.path == "/defect":
            raise RuntimeError("the defect")
        return Response(200)

    async with serving(tmp_path, handler) as server, server.client() as other:
        async with server.client() as client:
            answer = await client.ask(get("/defect"))
            assert (answer.status, answer.body) == (500, b"internal-error")
            assert await client.rest() == b""

        assert (await other.ask(get())).status == 200
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.message.startswith("request-failed: ")
    assert record.exc_info is not None


async def test_several_defects_at_once_are_one_failure(tmp_path: Path) -> None:
    async def handler(_: Request) -> Response:
        async def fail() -> None:
            raise RuntimeError("one of two")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            nursery.start_soon(fail)
        return Response(200)

    async with serving(tmp_path, handler) as server, server.client() as client:
        assert (await client.ask(get())).status == 500


async def test_a_response_cannot_be_split_by_its_headers(tmp_path: Path) -> None:
    async def handler(_: Request) -> Response:
        return Response(200, headers=(("X-Name", "a\r\nX-Forged: b"),))

    async with serving(tmp_path, handler) as server, server.client() as client:
        await client.send(get())
        assert b"X-Forged" not in await client.rest()


async def test_an_answer_larger_than_the_socket_takes_arrives_whole(tmp_path: Path) -> None:
    large = bytes(range(256)) * 8192

    async def handler(_: Request) -> Response:
        return Response(200, large)

    async with serving(tmp_path, handler) as server, server.client() as client:
        assert (await client.ask(get())).body == large
        assert (await client.ask(get())).body == large
