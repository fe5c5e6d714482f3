"""A graceful stop: who ends when."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from kong_mesh_cp.shell.http.messages import HeldStream, Request, Response, StreamingResponse
from kong_mesh_cp.shell.listening.limits import DRAIN_SECONDS, Limits
from support.daemons.http_peers import get, post, serving


@pytest.mark.usefixtures("autojump_clock")
async def test_idle_connections_end_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, server.client() as client:
        await client.ask(get())
        await trio.testing.wait_all_tasks_blocked()
        started = trio.current_time()

        server.drain.start()

        assert await client.rest() == b""
        assert trio.current_time() == started


async def test_a_request_in_hand_is_answered_with_a_notice_that_it_was_the_last(
    tmp_path: Path,
) -> None:
    may_answer = trio.Event()

    async def handler(_: Request) -> Response:
        await may_answer.wait()
        return Response(200)

    async with serving(tmp_path, handler) as server, server.client() as client:
        await client.send(get() + get("/never"))
        await trio.testing.wait_all_tasks_blocked()
        server.drain.start()
        may_answer.set()

        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await client.rest() == b""


async def test_a_peer_that_went_on_sending_still_reads_its_last_answer(tmp_path: Path) -> None:
    may_answer = trio.Event()

    async def handler(_: Request) -> Response:
        await may_answer.wait()
        return Response(200, b"the last")

    async with serving(tmp_path, handler) as server, server.client() as client:
        await client.send(get())
        await trio.testing.wait_all_tasks_blocked()
        server.drain.start()
        await client.send(get("/too-late"))
        may_answer.set()

        assert (await client.rest()).endswith(b"the last")


async def test_a_request_that_is_still_coming_is_answered(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, server.client() as client:
        await client.send(post(b"body")[:-2])
        await trio.testing.wait_all_tasks_blocked()
        server.drain.start()
        await client.send(b"dy")

        assert (await client.answer()).body == b"POST / body"
        assert await client.rest() == b""


async def test_the_first_request_of_a_connection_of_a_moment_ago_is_answered(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as server, server.client() as client:
        await trio.testing.wait_all_tasks_blocked()
        server.drain.start()
        await client.send(get())

        assert (await client.answer()).status == 200
        assert await client.rest() == b""


@pytest.mark.usefixtures("autojump_clock")
async def test_a_connection_that_never_asks_is_closed_after_a_moment(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, server.client() as client:
        await trio.testing.wait_all_tasks_blocked()
        server.drain.start()
        started = trio.current_time()

        assert await client.rest() == b""
        assert trio.current_time() - started == pytest.approx(Limits().linger_seconds)


@pytest.mark.usefixtures("autojump_clock")
async def test_a_connection_that_comes_too_late_is_closed(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        server.drain.start()
        async with server.client() as client:
            assert await client.rest() == b""


async def test_held_answers_end_at_once_and_their_holders_hear_of_it(tmp_path: Path) -> None:
    events: list[str] = []

    async def hold(stream: HeldStream) -> None:
        try:
            await stream.wait_closed()
        except trio.Cancelled:
            events.append("cancelled")
            stream.send_line(b"bye\n")
            raise

    async def handler(_: Request) -> StreamingResponse:
        return StreamingResponse(b"hello\n", hold, partial(events.append, "released"))

    async with serving(tmp_path, handler) as server, server.client() as client:
        await client.ask(get())
        server.drain.start()

        assert await client.rest() == b"6\r\nhello\n\r\n4\r\nbye\n\r\n0\r\n\r\n"
    assert events == ["cancelled", "released"]


async def test_an_answer_that_would_be_held_ends_after_its_first_line(tmp_path: Path) -> None:
    may_answer = trio.Event()
    events: list[str] = []

    async def hold(stream: HeldStream) -> None:
        try:
            await stream.wait_closed()
        except trio.Cancelled:
            events.append("cancelled")
            raise

    async def handler(_: Request) -> StreamingResponse:
        await may_answer.wait()
        return StreamingResponse(b"hello\n", hold, partial(events.append, "released"))

    async with serving(tmp_path, handler) as server, server.client() as client:
        await client.send(get())
        await trio.testing.wait_all_tasks_blocked()
        server.drain.start()
        may_answer.set()
        await client.answer()

        assert await client.rest() == b"6\r\nhello\n\r\n0\r\n\r\n"
    assert events == ["cancelled", "released"]


@pytest.mark.usefixtures("autojump_clock")
async def test_the_owner_cuts_what_does_not_end(tmp_path: Path) -> None:
    async def handler(_: Request) -> Response:
        await trio.sleep_forever()
        raise AssertionError

    async with serving(tmp_path, handler) as server, server.client() as client:
        await client.send(get())
        await trio.testing.wait_all_tasks_blocked()
        started_at = trio.current_time()
        server.accepting.cancel()
        server.drain.start()
        server.conversations.cancel_scope.deadline = started_at + DRAIN_SECONDS
        with trio.CancelScope(shield=True):
            assert await client.rest() == b""
            assert trio.current_time() - started_at == DRAIN_SECONDS


async def test_starting_a_drain_twice_changes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, server.client() as client:
        await client.ask(get())
        server.drain.start()
        server.drain.start()

        assert await client.rest() == b""
