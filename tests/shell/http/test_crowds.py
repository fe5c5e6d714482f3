"""Peers that would take all places, or all memory, of a listener."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio
import trio.testing

from kong_mesh_cp.shell.http.h1.connection import UNCOUNTED_ANSWER_BYTES
from kong_mesh_cp.shell.http.messages import HeldStream, Request, Response, StreamingResponse
from kong_mesh_cp.shell.listening.budget import SLOW_SECONDS, Budgets
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.peer import Peer
from support.daemons.http_peers import Client, Served, get, post, serving

MIB = 1024 * 1024
LARGE = 4 * MIB  # more than the kernel takes from one who does not read


async def joined(stack: AsyncExitStack, server: Served) -> Client:
    return await stack.enter_async_context(server.client())


async def large(_: Request) -> Response:
    return Response(200, bytes(LARGE))


async def test_an_idle_connection_gives_way_to_a_new_one(tmp_path: Path) -> None:
    limits = Limits(connections_max=2, reserved_connections=0)
    async with serving(tmp_path, limits=limits) as server, AsyncExitStack() as stack:
        longest, shorter = await joined(stack, server), await joined(stack, server)
        await longest.ask(get())
        await shorter.ask(get())

        third = await joined(stack, server)
        assert (await third.ask(get())).status == 200
        assert await longest.rest() == b""
        assert (await shorter.ask(get())).status == 200


async def test_a_crowd_that_says_nothing_keeps_no_client_out(tmp_path: Path) -> None:
    limits = Limits(connections_max=8)
    async with serving(tmp_path, limits=limits) as server, AsyncExitStack() as stack:
        crowd = [await joined(stack, server) for _ in range(50)]
        late = await joined(stack, server)
        assert (await late.ask(get())).status == 200
        assert await crowd[0].rest() == b""


async def test_a_request_that_does_not_end_gives_way_when_none_is_idle(tmp_path: Path) -> None:
    limits = Limits(connections_max=1)
    async with serving(tmp_path, limits=limits) as server, AsyncExitStack() as stack:
        endless = await joined(stack, server)
        await endless.send(b"GET / HT")
        await trio.testing.wait_all_tasks_blocked()

        another = await joined(stack, server)
        assert (await another.ask(get())).status == 200
        assert (await endless.answer()).status == 503


async def test_a_held_answer_never_gives_way(tmp_path: Path) -> None:
    async def hold(stream: HeldStream) -> None:
        await stream.wait_closed()

    async def handler(_: Request) -> StreamingResponse:
        return StreamingResponse(b"seat\n", hold, lambda: None)

    limits = Limits(connections_max=2)
    async with serving(tmp_path, handler, limits=limits) as server, AsyncExitStack() as stack:
        for _ in range(2):
            seated = await joined(stack, server)
            await seated.send(get())
            assert "200" in (await seated.line()).decode()
        assert (await (await joined(stack, server)).answer()).status == 503
        server.conversations.cancel_scope.cancel()


async def test_reserved_places_are_for_whom_they_are_kept(tmp_path: Path) -> None:
    privileged = False

    def is_privileged(_: Peer) -> bool:
        return privileged

    async def handler(_: Request) -> Response:
        await trio.sleep_forever()

    limits = Limits(connections_max=4, reserved_connections=1)
    async with (
        serving(tmp_path, handler, limits=limits, privileged=is_privileged) as server,
        AsyncExitStack() as stack,
    ):
        for _ in range(3):
            await (await joined(stack, server)).send(get())
            await trio.testing.wait_all_tasks_blocked()
        assert (await (await joined(stack, server)).ask(get())).status == 503
        privileged = True
        welcome = await joined(stack, server)
        await welcome.send(get())
        await trio.testing.wait_all_tasks_blocked()
        assert (await (await joined(stack, server)).ask(get())).status == 503
        server.conversations.cancel_scope.cancel()


async def test_answers_that_are_not_read_are_kept_up_to_a_bound(tmp_path: Path) -> None:
    budgets = Budgets(answers=4 * LARGE)
    async with (
        serving(tmp_path, large, budgets=budgets) as server,
        AsyncExitStack() as stack,
    ):
        for _ in range(2):
            deaf = await joined(stack, server)
            await deaf.send(get())
            await trio.testing.wait_all_tasks_blocked(0.01)
        refused = await (await joined(stack, server)).ask(get())

        assert (refused.status, refused.body) == (503, b"busy")
        assert 0 < budgets.answers.held <= 4 * LARGE


async def test_a_slow_reader_gives_way_to_a_new_one(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    budgets = Budgets(answers=2 * LARGE + MIB)
    async with (
        serving(tmp_path, large, budgets=budgets) as server,
        AsyncExitStack() as stack,
    ):
        deaf = await joined(stack, server)
        await deaf.send(get())
        await trio.sleep(SLOW_SECONDS)
        answer = await (await joined(stack, server)).ask(get())

        assert (answer.status, len(answer.body)) == (200, LARGE)
        with pytest.raises((AssertionError, trio.BrokenResourceError)):
            await deaf.answer()
        await trio.testing.wait_all_tasks_blocked()
        assert budgets.answers.held == 0
    assert autojump_clock.current_time() < 30


@pytest.mark.usefixtures("autojump_clock")
async def test_bytes_are_given_back_however_an_answer_ends(tmp_path: Path) -> None:
    budgets = Budgets()
    async with serving(tmp_path, large, budgets=budgets) as server:
        async with server.client() as reading:
            assert (await reading.ask(get())).status == 200
        async with server.client() as leaving:
            await leaving.send(get())
            await trio.testing.wait_all_tasks_blocked()
            assert budgets.answers.held > UNCOUNTED_ANSWER_BYTES
        await trio.testing.wait_all_tasks_blocked()
        assert budgets.answers.held == 0
        async with server.client() as late:
            await late.send(get())
            await trio.sleep(Limits().send_seconds + 1)
            assert budgets.answers.held == 0


async def test_bodies_that_do_not_end_are_kept_up_to_a_bound(tmp_path: Path) -> None:
    budgets = Budgets(bodies=MIB)
    statuses: list[int] = []

    async def ask(client: Client) -> None:
        statuses.append((await client.ask(post(bytes(MIB // 4))[:-1])).status)

    async with (
        serving(tmp_path, budgets=budgets) as server,
        AsyncExitStack() as stack,
        trio.open_nursery() as nursery,
    ):
        for _ in range(8):
            nursery.start_soon(ask, await joined(stack, server))
            await trio.testing.wait_all_tasks_blocked()
        assert len(statuses) >= 6
        assert set(statuses) == {503}
        assert 0 < budgets.bodies.held <= MIB // 2
        small = await joined(stack, server)
        assert (await small.ask(post(b"small"))).status == 200
        nursery.cancel_scope.cancel()


async def test_a_body_is_given_back_with_its_answer(tmp_path: Path) -> None:
    budgets, kept = Budgets(), list[int]()

    async def handler(_: Request) -> Response:
        kept.append(budgets.bodies.held)
        return Response(200)

    async with serving(tmp_path, handler, budgets=budgets) as server, server.client() as client:
        assert (await client.ask(post(bytes(MIB)))).status == 200
        assert kept[0] >= MIB - 64 * 1024
        assert budgets.bodies.held == 0
