"""A listener with two protocols: the peer chooses inside of TLS; the rules are those of both."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from kong_mesh_cp.shell.http.h1.answers import DateLine
from kong_mesh_cp.shell.http.h1.service import Service
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.http.server import HTTP_1_1, http_protocols
from kong_mesh_cp.shell.listening.acceptor import Gate, accept
from kong_mesh_cp.shell.listening.budget import Budgets, is_loopback
from kong_mesh_cp.shell.listening.channel import Channel
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import DRAIN_SECONDS, Limits
from kong_mesh_cp.shell.listening.lingering import PeerGoneError, linger, receive
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.listening.places import Place, Reluctance
from kong_mesh_cp.shell.listening.tls import Tls
from support.daemons.http_peers import NOON, Client, coded_error, get
from support.daemons.tls_peers import ServedTls, pair

ECHO = "x-echo/1"
LINE_BYTES_MAX = 4096


class Echo:
    """A `Conversation` of lines: each is sent back, with who sent it; `wait` is answered never."""

    is_securing = False

    def __init__(
        self, drain: Drain, limits: Limits, channel: Channel, peer: Peer, place: Place
    ) -> None:
        self._drain = drain
        self._limits = limits
        self._channel = channel
        self._peer = peer
        self._origin = place.origin
        self._scope = trio.CancelScope()
        self._since = trio.current_time()
        self._waiting = False

    async def converse(self) -> None:
        self._drain.enter(self)
        try:
            with self._scope, suppress(PeerGoneError):
                await self._echo_lines()
        finally:
            self._drain.leave(self)
            self._channel.close()

    async def converse_refusing(self, refusal: Response) -> None:
        try:
            with suppress(PeerGoneError):
                self._channel.send(b"no: %d " % refusal.status + refusal.body + b"\n")
                await linger(self._channel, self._limits)
        finally:
            self._channel.close()

    def reluctance(self) -> Reluctance | None:
        return None if self._waiting else (0, self._since)

    def give_way(self) -> None:
        self._scope.cancel()

    def leave_if_unoccupied(self) -> None:
        if not self._waiting:
            self._channel.send(b"goodbye\n")
            self._scope.cancel()

    async def _echo_lines(self) -> None:
        unread = b""
        while data := await receive(self._channel):
            *lines, unread = (unread + data)[:LINE_BYTES_MAX].split(b"\n")
            for line in lines:
                self._waiting = line == b"wait"
                if not self._waiting:
                    about = f"{self._origin} {self._peer.secure} ".encode()
                    self._channel.send(about + line + b"\n")


@asynccontextmanager
async def serving_both(
    folder: Path,
    *,
    limits: Limits | None = None,
    gate: Gate[Response] | None = None,
    default: str = HTTP_1_1,
    tls: bool = True,
    context: Callable[[], ssl.SSLContext] | None = None,
) -> AsyncIterator[ServedTls]:
    """HTTP/1.1 and lines on one port; everything is cut at the end of the block."""
    limits, drain = limits or Limits(), Drain()
    made = pair().context(folder)

    async def tell_protocol(request: Request) -> Response:
        socket = request.peer.socket
        assert isinstance(socket, ssl.SSLSocket) is tls
        return Response(200, b"in HTTP")

    service = Service(
        handler=tell_protocol,
        limits=limits,
        error_body=coded_error,
        date=DateLine(lambda: NOON),
        drain=drain,
        budgets=Budgets(),
    )
    protocols = http_protocols(service)
    echo = partial(Echo, drain, limits)
    protocols = replace(protocols, by_name={ECHO: echo, **protocols.by_name}, default=default)
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener, trio.open_nursery() as conversations, trio.open_nursery() as accepting:
        await accepting.start(
            partial(
                accept,
                listener,
                protocols,
                limits=limits,
                conversations=conversations,
                drain=drain,
                gate=gate,
                privileged=is_loopback,
                tls=Tls(context or (lambda: made)) if tls else None,
            )
        )
        port = listener.socket.getsockname()[1]
        yield ServedTls(port, drain, accepting.cancel_scope, conversations)
        accepting.cancel_scope.cancel()
        conversations.cancel_scope.cancel()


def offering(*names: str) -> ssl.SSLContext:
    """For a client that speaks these protocols, the dearest first."""
    context = pair().trusting()
    context.set_alpn_protocols(list(names))
    return context


async def line_of(client: Client, line: bytes) -> bytes:
    await client.send(line + b"\n")
    return await client.line()


async def test_the_peer_chooses_its_protocol_in_the_handshake(tmp_path: Path) -> None:
    async with (
        serving_both(tmp_path) as server,
        server.client(offering(ECHO)) as lines,
        server.client(offering(HTTP_1_1)) as http,
    ):
        assert await line_of(lines, b"hello") == b"loopback True hello\n"
        assert (await http.ask(get())).body == b"in HTTP"
        assert await line_of(lines, b"again") == b"loopback True again\n"


async def test_the_listener_prefers_the_first_of_its_own(tmp_path: Path) -> None:
    context = offering(HTTP_1_1, ECHO)
    async with serving_both(tmp_path) as server, server.client(context) as client:
        assert await line_of(client, b"hello") == b"loopback True hello\n"


@pytest.mark.parametrize("names", [(), ("h2",)], ids=["names-none", "names-only-unknown-ones"])
async def test_who_names_no_protocol_of_the_listener_gets_its_default(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    context = offering(*names) if names else pair().trusting()
    async with serving_both(tmp_path) as server, server.client(context) as client:
        assert (await client.ask(get())).body == b"in HTTP"
    lines = tmp_path / "lines"
    lines.mkdir()
    async with serving_both(lines, default=ECHO) as server, server.client(context) as client:
        assert await line_of(client, b"hello") == b"loopback True hello\n"


async def test_without_tls_the_default_is_spoken(tmp_path: Path) -> None:
    async with (
        serving_both(tmp_path, default=ECHO, tls=False) as server,
        server.plain() as stream,
    ):
        assert await line_of(Client(stream), b"hello") == b"loopback False hello\n"


async def test_plain_text_on_a_port_with_tls_is_answered_in_the_default_protocol(
    tmp_path: Path,
) -> None:
    async with serving_both(tmp_path, default=ECHO) as server, server.plain() as stream:
        assert await line_of(Client(stream), b"hello") == b"no: 400 https-expected\n"


async def test_a_refusal_is_said_in_the_protocol_that_the_peer_has_chosen(tmp_path: Path) -> None:
    async with serving_both(tmp_path, limits=Limits(connections_max=0)) as server:
        async with server.client(offering(ECHO)) as lines:
            assert await lines.line() == b"no: 503 busy\n"
            assert await lines.rest() == b""
        async with server.client(offering(HTTP_1_1)) as http:
            answer = await http.ask(get())
            assert (answer.status, answer.body) == (503, b"busy")


class Closed:
    """A gate that nobody passes."""

    def enter(self, _: Peer) -> Response:
        return Response(429, b"enough")

    def leave(self, _: Peer) -> None:
        raise AssertionError("nobody was let in")


async def test_the_gate_decides_before_a_protocol_is_chosen(tmp_path: Path) -> None:
    async with (
        serving_both(tmp_path, gate=Closed()) as server,
        server.client(offering(ECHO)) as lines,
        server.client(offering(HTTP_1_1)) as http,
    ):
        assert await lines.line() == b"no: 429 enough\n"
        assert (await http.ask(get())).body == b"enough"


async def test_the_places_are_those_of_both_protocols_and_the_idle_one_gives_way(
    tmp_path: Path,
) -> None:
    async with (
        serving_both(tmp_path, limits=Limits(connections_max=2)) as server,
        server.client(offering(ECHO)) as busy,
        server.client(offering(ECHO)) as idle,
    ):
        await busy.send(b"wait\n")
        assert await line_of(idle, b"hello") == b"loopback True hello\n"
        async with server.client(offering(HTTP_1_1)) as http:
            assert (await http.ask(get())).body == b"in HTTP"
            assert await idle.rest() == b""
            async with server.client(offering(ECHO)) as newcomer:
                assert await line_of(newcomer, b"in place of HTTP") == (
                    b"loopback True in place of HTTP\n"
                )
                assert await http.rest() == b""
        assert await line_of(busy, b"still here") == b"loopback True still here\n"


async def test_a_drain_ends_both_protocols_each_in_its_own_way(tmp_path: Path) -> None:
    async with (
        serving_both(tmp_path) as server,
        server.client(offering(ECHO)) as lines,
        server.client(offering(ECHO)) as busy,
        server.client(offering(HTTP_1_1)) as http,
    ):
        await line_of(lines, b"hello")
        await busy.send(b"wait\n")
        await http.ask(get())
        await trio.testing.wait_all_tasks_blocked()
        server.drain.start()
        with trio.fail_after(DRAIN_SECONDS):
            assert await lines.rest() == b"goodbye\n"
            assert await http.rest() == b""
        assert len(server.conversations.child_tasks) == 1
        assert await line_of(busy, b"the last") == b"loopback True the last\n"


@pytest.mark.usefixtures("autojump_clock")
async def test_a_handshake_that_stops_takes_no_part_in_any_protocol(tmp_path: Path) -> None:
    async with (
        serving_both(tmp_path, limits=Limits(handshake_seconds=7)) as server,
        server.plain() as stream,
    ):
        started_at = trio.current_time()
        with suppress(trio.BrokenResourceError):
            assert await stream.receive_some() == b""
        assert trio.current_time() - started_at == pytest.approx(7)
        await trio.testing.wait_all_tasks_blocked()
        assert not server.conversations.child_tasks


async def test_a_context_that_cannot_be_had_ends_only_its_own_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    contexts = [pair().context(tmp_path)]
    async with (
        serving_both(tmp_path, context=lambda: contexts[0]) as server,
        server.client(offering(ECHO)) as client,
    ):
        assert await line_of(client, b"hello") == b"loopback True hello\n"
        kept = contexts.pop()
        async with server.plain() as stream:
            with suppress(trio.BrokenResourceError):
                await stream.send_all(b"\x16")
                assert await stream.receive_some() == b""
        contexts.append(kept)
        assert await line_of(client, b"again") == b"loopback True again\n"
    assert [record.message.split(":")[0] for record in caplog.records] == ["request-failed"]


async def test_a_renewed_certificate_comes_with_the_same_protocols(tmp_path: Path) -> None:
    contexts = [pair().context(tmp_path)]
    async with serving_both(tmp_path, context=lambda: contexts[0]) as server:
        for _ in range(2):
            contexts[:] = [pair().context(tmp_path)]
            async with server.client(offering(ECHO)) as client:
                assert await line_of(client, b"hello") == b"loopback True hello\n"
