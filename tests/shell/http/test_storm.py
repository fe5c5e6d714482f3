"""Many peers of every kind at once. A failure names its seed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
import trio
import trio.testing

from kong_mesh_cp.shell.http.messages import HeldStream, Request, Response, StreamingResponse
from kong_mesh_cp.shell.listening.limits import Limits
from support.daemons.http_peers import Client, chunked, get, post, serving

LIMITS = Limits(
    header_seconds=2,
    request_seconds=4,
    idle_seconds=8,
    send_seconds=4,
    linger_seconds=1,
    body_bytes_max=100_000,
)
PEERS = 60
SECONDS_MAX = 120  # of the mock clock; every peer is through long before


@dataclass
class World:
    """The handler under the storm, and what it counted."""

    random: Random
    held: int = 0
    released: int = 0
    rightly_answered: int = 0
    wrong: list[str] = field(default_factory=list)

    async def handle(self, request: Request) -> Response | StreamingResponse:
        await trio.sleep(self.random.choice([0, 0, 0.1, 1]))
        if request.path == "/hold":
            self.held += 1
            return StreamingResponse(b"held\n", self._hold, self._release)
        if request.path == "/defect":
            raise RuntimeError("a defect among many peers")
        return Response(200, request.path.encode() + b" " + request.body)

    async def _hold(self, stream: HeldStream) -> None:
        with trio.move_on_after(self.random.uniform(0, 5)):
            await stream.wait_closed()
        stream.send_line(b"bye\n")

    def _release(self) -> None:
        self.released += 1

    async def well_behaved(self, client: Client) -> None:
        for number in range(self.random.randrange(1, 6)):
            path, body = f"/{number}", self.random.randbytes(self.random.randrange(3000))
            request = self.random.choice([post(body, path=path), chunked(body[:9], path=path)])
            for start in range(0, len(request), step := self.random.randrange(50, 4000)):
                await client.send(request[start : start + step])
            answer = await client.answer()
            sent = body if b"Content-Length" in request[:100] else body[:9]
            if answer.body == path.encode() + b" " + sent:
                self.rightly_answered += 1
            else:
                self.wrong.append(f"{path}: {answer}")

    async def pipelining(self, client: Client) -> None:
        await client.send(b"".join(get(f"/{number}") for number in range(20)))
        for number in range(20):
            if (await client.answer()).body != f"/{number} ".encode():
                self.wrong.append(f"pipelined {number}")
        self.rightly_answered += 1

    async def seated(self, client: Client) -> None:
        await client.send(get("/hold"))
        await trio.sleep(self.random.uniform(0, 6))

    async def slow(self, client: Client) -> None:
        for byte in post(b"never whole"):
            await client.send(bytes([byte]))
            await trio.sleep(1)

    async def noisy(self, client: Client) -> None:
        await client.send(self.random.randbytes(self.random.randrange(1, 500)))
        await trio.sleep(self.random.uniform(0, 3))

    async def never_reading(self, client: Client) -> None:
        await client.send(post(b"x" * 90_000) * 50)
        await trio.sleep(20)

    async def leaving(self, client: Client) -> None:
        request = post(b"body")
        await client.send(request[: self.random.randrange(len(request))])

    async def unlucky(self, client: Client) -> None:
        await client.send(get("/defect"))
        if (await client.answer()).status != 500:
            self.wrong.append("a defect without 500")


@pytest.mark.usefixtures("autojump_clock")
@pytest.mark.parametrize("seed", range(5))
async def test_the_good_are_served_the_bad_are_gone_and_nothing_is_left(
    tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    world = World(random)
    kinds: list[Callable[[Client], Awaitable[None]]] = [
        world.well_behaved,
        world.pipelining,
        world.seated,
        world.slow,
        world.noisy,
        world.never_reading,
        world.leaving,
        world.unlucky,
    ]
    async with serving(tmp_path, world.handle, limits=LIMITS) as server:

        async def visit(kind: Callable[[Client], Awaitable[None]]) -> None:
            await trio.sleep(random.uniform(0, 10))
            async with server.client() as client:
                try:
                    await kind(client)
                except trio.BrokenResourceError:
                    if kind in (world.well_behaved, world.pipelining, world.unlucky):
                        raise

        with trio.fail_after(SECONDS_MAX):
            async with trio.open_nursery() as nursery:
                for number in range(PEERS):
                    nursery.start_soon(visit, kinds[number % len(kinds)])
        await trio.sleep(LIMITS.send_seconds + LIMITS.linger_seconds)

        assert not server.conversations.child_tasks
    assert not world.wrong
    assert world.rightly_answered >= PEERS // len(kinds) * 2
    assert world.held == world.released > 0
