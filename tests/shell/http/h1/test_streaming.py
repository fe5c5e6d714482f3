"""Answers that stay open."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
import trio
import trio.testing

from kong_mesh_cp.shell.http.h1.streaming import (
    HELD_BACKLOG_BYTES_MAX,
    HELD_DISCARD_BYTES_MAX,
    SocketHeldStream,
)
from kong_mesh_cp.shell.http.messages import HeldStream, Request, StreamingResponse
from kong_mesh_cp.shell.listening.limits import Limits
from support.daemons.http_peers import Client, get, serving

FIRST = b'{"first":1}\n'
LINE = b'{"event":"x"}\n'


@dataclass
class Seats:
    """A handler whose answers are held until the peer goes; remembers what happened."""

    streams: list[HeldStream] = field(default_factory=list)
    released: int = 0
    cancelled: int = 0
    first_line: bytes = FIRST

    async def __call__(self, _: Request) -> StreamingResponse:
        return StreamingResponse(self.first_line, self._hold, self._release)

    async def _hold(self, stream: HeldStream) -> None:
        self.streams.append(stream)
        try:
            await stream.wait_closed()
        except trio.Cancelled:
            self.cancelled += 1
            raise

    def _release(self) -> None:
        self.released += 1


async def chunk(client: Client) -> bytes:
    size = int(await client.line(), 16)
    data = await client.line()
    assert len(data) == size
    assert await client.line() == b"\r\n"
    return data


async def test_the_first_line_comes_at_once_and_later_ones_follow(tmp_path: Path) -> None:
    seats = Seats()
    async with serving(tmp_path, seats) as server, server.client() as client:
        answer = await client.ask(get())
        assert answer.headers["transfer-encoding"] == "chunked"
        assert await chunk(client) == FIRST

        assert seats.streams[0].send_line(LINE)
        assert await chunk(client) == LINE
        assert seats.released == 0


@pytest.mark.usefixtures("autojump_clock")
async def test_a_held_answer_outlives_every_deadline(tmp_path: Path) -> None:
    seats = Seats()
    async with serving(tmp_path, seats) as server, server.client() as client:
        await client.ask(get())
        await trio.sleep(30 * 24 * 3600)

        assert seats.released == 0
        seats.streams[0].send_line(LINE)
        assert await chunk(client) == FIRST
        assert await chunk(client) == LINE


async def test_for_http_1_0_the_lines_are_bare(tmp_path: Path) -> None:
    seats = Seats()
    async with serving(tmp_path, seats) as server, server.client() as client:
        answer = await client.ask(get(version="1.0"))
        assert answer.headers["connection"] == "close"
        assert "transfer-encoding" not in answer.headers
        assert await client.line() == FIRST

        seats.streams[0].send_line(LINE)
        assert await client.line() == LINE

        server.drain.start()
        assert await client.rest() == b""


def _close(client: Client) -> None:
    client.stream.socket.close()


def _half_close(client: Client) -> None:
    client.stream.socket.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("leave", [_close, _half_close])
async def test_the_seat_is_free_when_the_peer_goes(
    tmp_path: Path, leave: Callable[[Client], None]
) -> None:
    seats = Seats()
    async with serving(tmp_path, seats) as server, server.client() as client:
        await client.ask(get())
        leave(client)
        await trio.testing.wait_all_tasks_blocked()

        assert (seats.released, seats.cancelled) == (1, 0)
        assert not server.conversations.child_tasks


async def test_a_peer_that_goes_before_the_first_line_is_released_once(tmp_path: Path) -> None:
    may_answer = trio.Event()
    seats = Seats()

    async def handler(request: Request) -> StreamingResponse:
        await may_answer.wait()
        return await seats(request)

    async with serving(tmp_path, handler) as server:
        async with server.client() as client:
            await client.send(get())
            await trio.testing.wait_all_tasks_blocked()
        may_answer.set()
        await trio.testing.wait_all_tasks_blocked()

        assert (seats.released, seats.streams) == (1, [])


@pytest.mark.usefixtures("autojump_clock")
async def test_a_peer_that_does_not_take_the_first_line_is_released_once(tmp_path: Path) -> None:
    seats = Seats(first_line=b"x" * 10_000_000 + b"\n")
    limits = Limits(send_seconds=10)
    async with serving(tmp_path, seats, limits=limits) as server, server.client() as client:
        await client.send(get())
        await trio.sleep(9)
        assert seats.released == 0
        await trio.sleep(2)

        assert (seats.released, seats.streams) == (1, [])


async def test_a_hold_that_fails_is_released_and_closed_without_another_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seats = Seats()

    async def hold(_: HeldStream) -> None:
        raise RuntimeError("a defect")

    async def handler(_: Request) -> StreamingResponse:
        return StreamingResponse(FIRST, hold, seats._release)

    async with serving(tmp_path, handler) as server, server.client() as client:
        await client.ask(get())
        assert await client.rest() == b"c\r\n" + FIRST + b"\r\n0\r\n\r\n"

    assert seats.released == 1
    assert len(caplog.records) == 1


async def test_what_a_held_peer_sends_is_discarded_up_to_a_bound(tmp_path: Path) -> None:
    seats = Seats()
    async with serving(tmp_path, seats) as server, server.client() as client:
        await client.ask(get())
        await client.send(b"x" * HELD_DISCARD_BYTES_MAX)
        await trio.testing.wait_all_tasks_blocked()
        assert seats.released == 0

        await client.send(b"x")
        await trio.testing.wait_all_tasks_blocked()
        assert seats.released == 1


async def test_a_pipelined_request_behind_a_held_answer_is_not_answered(tmp_path: Path) -> None:
    seats = Seats()
    async with serving(tmp_path, seats) as server, server.client() as client:
        await client.ask(get() + get())
        await trio.testing.wait_all_tasks_blocked()

        assert len(seats.streams) == 1


async def test_cancelling_everything_ends_the_body_properly(tmp_path: Path) -> None:
    seats = Seats()
    async with serving(tmp_path, seats) as server, server.client() as client:
        await client.ask(get())
        server.conversations.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            assert (await client.rest()).endswith(b"\r\n0\r\n\r\n")

    assert (seats.released, seats.cancelled) == (1, 1)


class Pair:
    """A held stream and the plain socket of its peer."""

    def __init__(self) -> None:
        ours, self.peer = socket.socketpair()
        ours.setblocking(False)
        self.peer.setblocking(False)
        self.ours = ours
        self.stream = SocketHeldStream(ours, chunked=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ours.close()
        self.peer.close()

    def fill(self) -> list[bytes]:
        """Send lines until one is dropped; those that were taken."""
        taken: list[bytes] = []
        while self.stream.send_line(line := b"%06d\n" % len(taken) * 100):
            taken.append(line)
        return taken

    async def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            await trio.lowlevel.wait_readable(self.peer)
            data += self.peer.recv(size - len(data))
        return data


async def test_lines_for_a_peer_that_does_not_read_are_bounded_and_whole() -> None:
    with Pair() as pair:
        taken = pair.fill()
        assert not pair.stream.send_line(b"x" * HELD_BACKLOG_BYTES_MAX + b"\n")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(pair.stream.wait_closed)
            expected = b"".join(taken)
            assert await pair.read(len(expected)) == expected

            assert pair.stream.send_line(LINE)
            assert await pair.read(len(LINE)) == LINE
            pair.peer.close()


async def test_a_waiting_stream_notices_a_backlog_that_comes_later() -> None:
    with Pair() as pair:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pair.stream.wait_closed)
            await trio.testing.wait_all_tasks_blocked()
            expected = b"".join(pair.fill())
            await trio.testing.wait_all_tasks_blocked()

            assert await pair.read(len(expected)) == expected
            pair.peer.close()


async def test_a_stalled_peer_that_goes_is_noticed() -> None:
    with Pair() as pair:
        pair.fill()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pair.stream.wait_closed)
            await trio.testing.wait_all_tasks_blocked()
            pair.peer.close()

        assert not pair.stream.send_line(LINE)


async def test_whether_the_peer_is_gone_is_known_before_the_handler_waits() -> None:
    with Pair() as pair:
        assert not pair.stream.peer_gone()
        pair.peer.send(b"words that nobody reads")
        assert not pair.stream.peer_gone()
        pair.peer.send(b"and more")
        pair.peer.close()

        assert pair.stream.peer_gone()
        await pair.stream.wait_closed()


async def test_a_waiting_task_ends_when_another_finds_the_peer_too_talkative() -> None:
    with Pair() as pair:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pair.stream.wait_closed)
            await trio.testing.wait_all_tasks_blocked()
            pair.peer.setblocking(True)
            for _ in range(HELD_DISCARD_BYTES_MAX // 1024 + 1):
                assert not pair.stream.peer_gone()
                pair.peer.send(b"x" * 1024)
            assert pair.stream.peer_gone()


async def test_a_body_is_not_ended_in_the_middle_of_a_line() -> None:
    with Pair() as pair:
        pair.stream = SocketHeldStream(pair.ours, chunked=True)
        pair.fill()
        pair.stream.finish()
        pair.ours.close()
        data = b""
        while more := pair.peer.recv(65536):
            data += more

        assert not data.endswith(b"0\r\n\r\n")
