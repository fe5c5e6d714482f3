"""Calls and requests served over TLS on a loopback port, and HTTP/2 clients for them.

`Http2Client` speaks h2's client side; `RawHttp2` says frames that no client would.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.settings
import trio
from hyperframe.frame import Frame, GoAwayFrame

from kong_mesh_cp.shell.grpc.calls import Call, Method
from kong_mesh_cp.shell.grpc.messages import Inbox, framed
from kong_mesh_cp.shell.grpc.server import serve_grpc
from kong_mesh_cp.shell.grpc.terms import USUAL, CallTerms
from kong_mesh_cp.shell.http.messages import Handler
from kong_mesh_cp.shell.listening.budget import Budgets
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.tls import Tls
from support.daemons.http_peers import NOON, coded_error, echo
from support.daemons.tls_peers import ServedTls, pair

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


async def echoes(call: Call) -> None:
    """A method that sends back each message."""
    while (message := await call.receive()) is not None:
        await call.send(message)


METHODS: Mapping[str, Method] = {"/test.Service/Echo": echoes}


@asynccontextmanager
async def serving_grpc(
    folder: Path,
    methods: Mapping[str, Method] = METHODS,
    handler: Handler = echo,
    *,
    limits: Limits | None = None,
    budgets: Budgets | None = None,
    terms: CallTerms = USUAL,
    secured: bool = True,
) -> AsyncIterator[ServedTls]:
    """Serve `methods` and `handler`; everything is cut at the end of the block."""
    drain = Drain()
    context = pair().context(folder)
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=4096)
    (listener,) = listeners
    async with listener, trio.open_nursery() as conversations, trio.open_nursery() as accepting:
        await accepting.start(
            partial(
                serve_grpc,
                listener,
                handler,
                methods,
                limits=limits or Limits(),
                error_body=coded_error,
                wall_clock=lambda: NOON,
                conversations=conversations,
                drain=drain,
                budgets=budgets,
                tls=Tls(lambda: context) if secured else None,
                terms=terms,
            )
        )
        port = listener.socket.getsockname()[1]
        yield ServedTls(port, drain, accepting.cancel_scope, conversations)
        accepting.cancel_scope.cancel()
        conversations.cancel_scope.cancel()


def h2_context() -> ssl.SSLContext:
    """Of a client that speaks HTTP/2 only."""
    context = pair().trusting()
    context.set_alpn_protocols(["h2"])
    return context


@dataclass
class Answered:
    """What has come on one stream."""

    headers: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    messages: list[bytes] = field(default_factory=list)
    ended: bool = False
    reset: int | None = None  # the error code
    inbox: Inbox = field(default_factory=Inbox)

    @property
    def status(self) -> int:
        return int(self.headers[":status"])

    @property
    def grpc_status(self) -> int:
        return int((self.headers | self.trailers)["grpc-status"])

    @property
    def grpc_message(self) -> str:
        return (self.headers | self.trailers).get("grpc-message", "")


class _Machine(h2.connection.H2Connection):
    """That goes on after a GOAWAY, as RFC 9113 section 6.8 wants it: h2 takes it for the end."""

    def _receive_goaway_frame(
        self, frame: GoAwayFrame
    ) -> tuple[list[Frame], list[h2.events.Event]]:
        event = h2.events.ConnectionTerminated()
        event.error_code = frame.error_code
        event.last_stream_id = frame.last_stream_id
        return [], [event]


class Http2Client:
    """One connection. The test says when to read: `until` and `answer` do."""

    def __init__(self, stream: trio.SSLStream[trio.SocketStream], *, reads: bool) -> None:
        self.stream = stream
        self.machine = _Machine(
            h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        )
        self.reads = reads  # whether windows are given back
        self.answers: dict[int, Answered] = {}
        self.pongs = 0
        self.goaway: int | None = None  # its error code
        self.closed = False

    async def open(self, window: int | None) -> None:
        self.machine.initiate_connection()
        if window is not None:
            codes = h2.settings.SettingCodes
            self.machine.update_settings({codes.INITIAL_WINDOW_SIZE: window})
        await self.flush()

    async def flush(self) -> None:
        await self.stream.send_all(self.machine.data_to_send())

    async def request(
        self,
        path: str,
        *headers: tuple[str, str],
        method: str = "POST",
        body: bytes | None = None,
        ends: bool = True,
    ) -> int:
        """Begin a stream; its id."""
        stream_id = self.machine.get_next_available_stream_id()
        self.answers[stream_id] = Answered()
        head = [
            (":method", method),
            (":scheme", "https"),
            (":path", path),
            (":authority", "localhost"),
            *headers,
        ]
        self.machine.send_headers(stream_id, head, end_stream=ends and body is None)
        if body is not None:
            self.machine.send_data(stream_id, body, end_stream=ends)
        await self.flush()
        return stream_id

    async def call(
        self,
        path: str = "/test.Service/Echo",
        *metadata: tuple[str, str],
        content_type: str = "application/grpc",
    ) -> int:
        """Begin a call; the id of its stream."""
        fields = (("content-type", content_type), ("te", "trailers"), *metadata)
        return await self.request(path, *fields, ends=False)

    async def say(self, stream_id: int, *messages: bytes, ends: bool = False) -> None:
        data = b"".join(map(framed, messages))
        for at in range(0, len(data), 16_384):
            part = data[at : at + 16_384]
            while self.machine.local_flow_control_window(stream_id) < len(part):
                await self.flush()
                await self.read()
            self.machine.send_data(stream_id, part)
        if ends:
            self.machine.end_stream(stream_id)
        await self.flush()

    async def message(self, stream_id: int) -> bytes:
        """The next message of a call."""
        answer = self.answers[stream_id]
        while not answer.messages:
            assert not answer.ended and answer.reset is None, answer
            await self.read()
        return answer.messages.pop(0)

    async def answer(self, stream_id: int) -> Answered:
        """When the stream has ended, one way or the other."""
        answer = self.answers[stream_id]
        while not answer.ended and answer.reset is None:
            await self.read()
        return answer

    async def ping(self) -> None:
        """Until it is answered."""
        before = self.pongs
        self.machine.ping(b"12345678")
        await self.flush()
        while self.pongs == before:
            await self.read()

    async def rest(self) -> None:
        """Read until the server closes."""
        while not self.closed:
            await self.read(may_end=True)

    async def read(self, *, may_end: bool = False) -> None:
        """What the server says next."""
        try:
            data = await self.stream.receive_some(65_536)
        except trio.BrokenResourceError:
            data = b""
        if not data:
            self.closed = True
            assert may_end, "the server has closed"
            return
        for event in self.machine.receive_data(data):
            self._on(event)
        with_more = self.machine.data_to_send()
        if with_more:
            await self.stream.send_all(with_more)

    def _on(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.PingAckReceived):
            self.pongs += 1
        elif isinstance(event, h2.events.ConnectionTerminated):
            assert event.error_code is not None
            self.goaway = int(event.error_code)
        stream_id = getattr(event, "stream_id", None)
        if not stream_id or stream_id not in self.answers:
            return
        answer = self.answers[stream_id]
        if isinstance(event, h2.events.DataReceived):
            if self.reads:
                size = event.flow_controlled_length
                self.machine.acknowledge_received_data(size, stream_id)
            answer.body += event.data
            if answer.headers.get("content-type") == "application/grpc":
                answer.inbox.feed(event.data)
                while (message := answer.inbox.take()) is not None:
                    answer.messages.append(message)
        elif isinstance(event, h2.events.ResponseReceived):
            answer.headers = _texts(event.headers)
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = _texts(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = int(event.error_code)


def _texts(fields: Sequence[tuple[object, object]]) -> dict[str, str]:
    return {str(name): str(value) for name, value in fields}


@asynccontextmanager
async def http2_client(
    server: ServedTls, *, reads: bool = True, window: int | None = None
) -> AsyncIterator[Http2Client]:
    """`window`: of each stream, in bytes; None: the protocol's own."""
    async with server.client(h2_context()) as client:
        assert isinstance(client.stream, trio.SSLStream)
        made = Http2Client(client.stream, reads=reads)
        await made.open(window)
        yield made
