"""Accepting, counting and turning away."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

import pytest
import trio
import trio.testing

from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.http.server import serve_http
from kong_mesh_cp.shell.listening.acceptor import START_BATCH_MAX, UNSENT_BYTES_MAX
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.listening.places import YOUNG_SECONDS
from support.daemons.http_peers import Client, coded_error, get, serving


async def test_a_unix_peer_is_known_by_its_kernel_credentials(tmp_path: Path) -> None:
    peers: list[Peer] = []

    async def handler(request: Request) -> Response:
        peers.append(request.peer)
        return Response(200)

    async with serving(tmp_path, handler) as server, server.client() as client:
        await client.ask(get())

    [peer] = peers
    assert peer.address is None
    assert peer.credentials is not None
    assert (peer.credentials.pid, peer.credentials.uid, peer.credentials.gid) == (
        os.getpid(),
        os.getuid(),
        os.getgid(),
    )


OF_TCP = [
    socket.TCP_KEEPIDLE,
    socket.TCP_KEEPINTVL,
    socket.TCP_KEEPCNT,
    socket.TCP_NOTSENT_LOWAT,
]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_tcp_peer_is_known_by_its_address_and_is_kept_alive(host: str) -> None:
    peers: list[Peer] = []

    async def handler(request: Request) -> Response:
        peers.append(request.peer)
        keep_alive = request.peer.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        told = [
            keep_alive,
            *(request.peer.socket.getsockopt(socket.IPPROTO_TCP, each) for each in OF_TCP),
        ]
        return Response(200, " ".join(map(str, told)).encode())

    try:
        [listener] = await trio.open_tcp_listeners(0, host=host)
    except OSError:
        pytest.skip(f"no {host} on this machine")
    port = listener.socket.getsockname()[1]
    async with listener, trio.open_nursery() as nursery:
        await nursery.start(
            partial(
                serve_http,
                listener,
                handler,
                limits=Limits(),
                error_body=coded_error,
                wall_clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
                conversations=nursery,
                drain=Drain(),
            )
        )
        async with await trio.open_tcp_stream(host, port) as stream:
            assert (await Client(stream).ask(get())).body == b"1 20 5 4 %d" % UNSENT_BYTES_MAX
            assert peers[0].address == (host, stream.socket.getsockname()[1])
            assert peers[0].credentials is None
        nursery.cancel_scope.cancel()


async def test_the_listener_stays_its_owners(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        server.accepting.cancel()
        await trio.testing.wait_all_tasks_blocked()
        async with server.client() as client:  # it still listens: the kernel queues
            with trio.move_on_after(0) as scope:
                await client.rest()
            assert scope.cancelled_caught


async def test_one_connection_too_many_is_refused_while_all_others_are_busy(tmp_path: Path) -> None:
    answering = Answering()
    async with serving(tmp_path, answering.handle, limits=Limits(connections_max=1)) as server:
        async with server.client() as first:
            await first.send(get())
            await answering.begun(1)
            async with server.client() as second:
                answer = await second.ask(get())
                assert (answer.status, answer.body) == (503, b"busy")
                assert await second.rest() == b""
            answering.go_on.set()
            assert (await first.answer()).status == 200
        await trio.testing.wait_all_tasks_blocked()
        async with server.client() as third:
            assert (await third.ask(get())).status == 200


class Answering:
    """A handler whose answers come when they may."""

    def __init__(self) -> None:
        self.go_on = trio.Event()
        self._asked = 0
        self._changed = trio.Event()

    async def handle(self, _: Request) -> Response:
        self._asked += 1
        self._changed.set()
        self._changed = trio.Event()
        await self.go_on.wait()
        return Response(200)

    async def begun(self, count: int) -> None:
        while self._asked < count:
            await self._changed.wait()


async def test_only_so_many_are_refused_at_once(tmp_path: Path) -> None:
    limits = Limits(connections_max=0, refusals_max=1)
    async with serving(tmp_path, limits=limits) as server, server.client() as told:
        await trio.testing.wait_all_tasks_blocked()
        async with server.client() as closed:
            assert await closed.rest() == b""
        assert (await told.ask(get())).status == 503


async def test_a_refused_connection_makes_room_for_the_next(tmp_path: Path) -> None:
    limits = Limits(connections_max=0, refusals_max=1)
    async with serving(tmp_path, limits=limits) as server:
        for _ in range(3):
            async with server.client() as client:
                assert (await client.ask(get())).status == 503
            await trio.testing.wait_all_tasks_blocked()


@pytest.mark.usefixtures("autojump_clock")
async def test_one_that_is_turned_away_and_says_nothing_does_not_stay(tmp_path: Path) -> None:
    limits = Limits(connections_max=0, linger_seconds=2)
    async with serving(tmp_path, limits=limits) as server, server.client() as silent:
        await trio.sleep(5)

        assert (await silent.answer()).status == 503
        assert not server.conversations.child_tasks


@pytest.mark.usefixtures("autojump_clock")
async def test_a_newcomer_outlives_one_that_has_begun_to_speak_and_fell_silent(
    tmp_path: Path,
) -> None:
    limits = Limits(connections_max=2, reserved_connections=0)
    async with serving(tmp_path, limits=limits) as server, server.client() as halting:
        await halting.send(b"GET / HT")
        await trio.sleep(YOUNG_SECONDS)
        async with server.client() as fresh:
            await trio.testing.wait_all_tasks_blocked()
            async with server.client() as last:
                assert (await last.ask(get())).status == 200
            assert (await fresh.ask(get())).status == 200
        assert (await halting.answer()).status == 503


class CountingGate:
    """Lets in what `refusal` does not refuse, and counts."""

    def __init__(self) -> None:
        self.refusal: Response | None = None
        self.inside = 0

    def enter(self, _: Peer) -> Response | None:
        self.inside += self.refusal is None
        return self.refusal

    def leave(self, _: Peer) -> None:
        self.inside -= 1


async def test_a_gate_decides_on_each_connection_and_learns_of_its_end(tmp_path: Path) -> None:
    gate = CountingGate()
    async with serving(tmp_path, gate=gate) as server:
        async with server.client() as welcome:
            assert (await welcome.ask(get())).status == 200
            assert gate.inside == 1
            gate.refusal = Response(429, b"enough")
            async with server.client() as refused:
                assert (await refused.ask(get())).body == b"enough"
            assert gate.inside == 1
        await trio.testing.wait_all_tasks_blocked()

        assert gate.inside == 0


async def test_a_connection_that_is_cancelled_leaves_the_gate(tmp_path: Path) -> None:
    gate = CountingGate()
    async with serving(tmp_path, gate=gate) as server, server.client() as client:
        await client.ask(get())
        server.conversations.cancel_scope.cancel()

    assert gate.inside == 0


@contextmanager
def no_file_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("autojump_clock")
async def test_running_out_of_file_descriptors_is_said_once_and_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path) as server, server.client() as early:
        await early.ask(get())
        late = trio.socket.socket(socket.AF_UNIX)
        with no_file_descriptor_left():
            await late.connect(str(server.path))
            await trio.sleep(5)
            assert (await early.ask(get())).status == 200
        async with trio.SocketStream(late) as stream:
            assert (await Client(stream).ask(get())).status == 200

    assert [record.message.split(":")[0] for record in caplog.records] == [
        "accept-out-of-resources"
    ]


async def test_who_is_privileged_does_not_wait_until_the_whole_queue_has_been_started(
    tmp_path: Path,
) -> None:
    queue = 4 * START_BATCH_MAX
    accepted = count()
    served: list[str] = []

    async def handler(request: Request) -> Response:
        served.append(request.path)
        return Response(200)

    def last_of_the_queue(_: Peer) -> bool:
        return next(accepted) == queue - 1

    async with (
        serving(
            tmp_path,
            handler,
            limits=Limits(accepted_at_once=queue),
            privileged=last_of_the_queue,
        ) as server,
        AsyncExitStack() as stack,
    ):
        for number in range(queue):
            # Without a checkpoint in between, so that all of them are in the kernel's queue.
            client = socket.socket(socket.AF_UNIX)
            stack.enter_context(closing(client))
            client.connect(str(server.path))
            client.sendall(get(f"/{number}"))
        await trio.testing.wait_all_tasks_blocked()

    assert len(served) == queue
    assert served.index(f"/{queue - 1}") <= START_BATCH_MAX


async def test_who_has_been_accepted_and_not_been_started_at_a_stop_leaves_the_gate(
    tmp_path: Path,
) -> None:
    gate = CountingGate()
    limits = Limits(accepted_at_once=2 * START_BATCH_MAX)
    async with serving(tmp_path, gate=gate, limits=limits) as server:
        clients = [socket.socket(socket.AF_UNIX) for _ in range(2 * START_BATCH_MAX)]
        for client in clients:
            client.connect(str(server.path))
        await trio.lowlevel.checkpoint()
        server.accepting.cancel()
        await trio.testing.wait_all_tasks_blocked()
        for client in clients:
            client.close()
        await trio.testing.wait_all_tasks_blocked()

        assert gate.inside == 0


async def test_many_connections_at_once_are_all_served(tmp_path: Path) -> None:
    served: list[int] = []

    async with serving(tmp_path) as server, trio.open_nursery() as nursery:

        async def visit() -> None:
            async with server.client() as client:
                served.append((await client.ask(get())).status)

        for _ in range(200):
            nursery.start_soon(visit)

    assert served == [200] * 200
