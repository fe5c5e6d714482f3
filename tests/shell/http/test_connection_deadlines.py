"""Slow peers, under a mock clock: waiting takes no time here."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.listening.limits import DEADLINE_SLACK, Limits
from support.daemons.http_peers import Client, get, post, serving

pytestmark = pytest.mark.usefixtures("autojump_clock")

LIMITS = Limits(
    header_seconds=5,
    request_seconds=20,
    answer_seconds=30,
    idle_seconds=80,
    send_seconds=10,
    linger_seconds=2,
)
WHOLE_REQUEST = Limits(header_seconds=2, request_seconds=2)


@asynccontextmanager
async def took(seconds: float, *, slack: float = 0) -> AsyncIterator[None]:
    """The block takes this long by the mock clock."""
    started_at = trio.current_time()
    yield
    assert seconds <= trio.current_time() - started_at <= seconds + slack + 1e-6


async def send_until_cut(client: Client, data: bytes, *, pause_seconds: float) -> None:
    with suppress(trio.BrokenResourceError):
        while True:
            await client.send(data)
            await trio.sleep(pause_seconds)


async def test_half_a_head_is_refused_in_time(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=LIMITS) as server, server.client() as client:
        async with took(5):
            answer = await client.ask(b"GET / HTTP/1.1\r\nHost: ")

        assert (answer.status, answer.body) == (408, b"too-slow")


async def test_half_a_body_is_refused_in_time(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=LIMITS) as server, server.client() as client, took(20):
        assert (await client.ask(post(b"body")[:-1])).status == 408


async def test_a_byte_a_second_does_not_move_the_deadline(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=WHOLE_REQUEST) as server, server.client() as client:

        async def drip() -> None:
            for byte in post(b"x" * 1000):
                await client.send(bytes([byte]))
                await trio.sleep(0.3)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drip)
            async with took(2):
                assert (await client.answer()).status == 408
            nursery.cancel_scope.cancel()


async def test_a_slow_peer_hurts_no_other(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, limits=LIMITS) as server,
        server.client() as slow,
        server.client() as quick,
    ):
        await slow.send(b"GET")
        async with took(0):
            for _ in range(20):
                assert (await quick.ask(get())).status == 200


@pytest.mark.parametrize("before", [b"", get(), b"\r\n\r\n"])
async def test_an_idle_connection_is_closed_without_a_word(tmp_path: Path, before: bytes) -> None:
    async with serving(tmp_path, limits=LIMITS) as server, server.client() as client:
        await client.send(before)
        if before.strip():
            await client.answer()
        async with took(80, slack=80 * DEADLINE_SLACK):
            assert await client.rest() == b""


async def test_a_connection_that_is_used_now_and_then_stays(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=LIMITS) as server, server.client() as client:
        for _ in range(10):
            assert (await client.ask(get())).status == 200
            await trio.sleep(LIMITS.idle_seconds - 1)


@pytest.mark.parametrize("idle_seconds", [0, 79])
async def test_a_handler_has_its_time_however_long_the_connection_was_idle(
    tmp_path: Path, idle_seconds: float
) -> None:
    async def handler(_: Request) -> Response:
        await trio.sleep(LIMITS.answer_seconds - 1)
        return Response(200)

    async with serving(tmp_path, handler, limits=LIMITS) as server, server.client() as client:
        await trio.sleep(idle_seconds)
        assert (await client.ask(get())).status == 200


async def test_a_handler_that_never_answers_is_cut(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(_: Request) -> Response:
        await trio.sleep_forever()
        raise AssertionError

    async with serving(tmp_path, handler, limits=LIMITS) as server, server.client() as client:
        answer = await client.ask(get())

    assert (answer.status, answer.body) == (500, b"answer-too-slow")
    assert [record.message.split(":")[0] for record in caplog.records] == ["answer-too-slow"]


async def test_a_peer_that_never_reads_is_given_up(tmp_path: Path) -> None:
    async def handler(_: Request) -> Response:
        return Response(200, b"x" * 10_000_000)

    async with serving(tmp_path, handler, limits=LIMITS) as server, server.client() as client:
        await client.send(get())
        await trio.sleep(11)

        received = await client.rest()
        assert 0 < len(received) < 10_000_000


async def test_a_refused_peer_that_goes_on_sending_is_cut(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=LIMITS) as server, server.client() as client:
        await client.send(b"\x00")
        async with took(2, slack=1):
            await send_until_cut(client, b"more", pause_seconds=0.5)


async def test_a_refused_peer_may_not_send_without_end(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=LIMITS) as server, server.client() as client:
        await client.send(b"\x00")
        async with took(0):
            await send_until_cut(client, b"z" * 65536, pause_seconds=0)


async def test_a_refused_peer_that_hangs_up_is_let_go_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=LIMITS) as server:
        async with server.client() as client:
            client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            async with took(0):
                assert (await client.ask(b"\x00")).status == 400
        async with took(0):
            await trio.testing.wait_all_tasks_blocked()
            assert not server.conversations.child_tasks
