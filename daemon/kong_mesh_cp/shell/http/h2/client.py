"""An HTTP/2 connection to a server, with many requests at once.

One task reads, one writes. What a server sends is kept until it is taken, and more is asked for
then only: the windows bound what waits here.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Final

import trio

from kong_mesh_cp.shell.http.h2.bounds import FRAME_BYTES_MAX
from kong_mesh_cp.shell.http.h2.exchange import Header
from kong_mesh_cp.shell.http.h2.frames import ErrorCode
from kong_mesh_cp.shell.http.h2.machine import events, exceptions, new_client_machine

READ_BYTES: Final = 64 * 1024
# grpc-go cuts off a client that asks more often than its server allows: once in 15 s.
PING_SECONDS: Final = 20.0
PING_ANSWER_SECONDS: Final = 15.0
PING_DATA: Final = b"kongmesh"


class ServerGoneError(Exception):
    """The connection has ended, or could not be made; the text says why, without a full stop."""


class ClientExchange:
    """One request and its answer, both of any length."""

    __slots__ = (
        "_arrived",
        "_connection",
        "_news",
        "_unreturned",
        "ended",
        "head",
        "stream_id",
        "trailers",
        "why",
    )

    def __init__(self, connection: ClientConnection, stream_id: int) -> None:
        self._connection = connection
        self.stream_id = stream_id
        self.head: Sequence[Header] = ()  # of the answer, once it has come
        self.trailers: Sequence[Header] = ()
        self.ended = False  # the server has
        self.why = ""  # it was reset, or the connection is gone: not the end of an answer
        self._arrived: list[bytes] = []
        self._unreturned = 0  # of the windows
        self._news = trio.Event()

    async def receive(self) -> bytes:
        """What has come since the last time; b"" after the end. Raises: ServerGoneError."""
        while not self._arrived:
            if self.why:
                raise ServerGoneError(self.why)
            if self.ended:
                return b""
            await self._news.wait()
        data = b"".join(self._arrived)
        self._arrived.clear()
        returned, self._unreturned = self._unreturned, 0
        self._connection.give_credit(self, returned)
        return data

    async def send(self, data: bytes) -> None:
        """Return when all of it is on its way. Raises: ServerGoneError."""
        await self._connection.send(self, data)

    def finish(self) -> None:
        """Nothing more is sent."""
        self._connection.finish(self)

    def reset(self) -> None:
        """Nothing more of it is of interest."""
        self._connection.reset(self)

    # For the connection.

    def arrived(self, data: bytes, credit: int) -> None:
        self._unreturned += credit
        if data:
            self._arrived.append(data)
        self.notify()

    def end(self, why: str = "") -> None:
        self.ended = True
        self.why = self.why or why
        self.notify()

    def notify(self) -> None:
        self._news.set()
        self._news = trio.Event()


class ClientConnection:
    """Owns `stream`, whose other side is a server of HTTP/2; `run` is its life."""

    def __init__(
        self, stream: trio.SSLStream[trio.SocketStream] | trio.SocketStream, *, silence: bool = True
    ) -> None:
        """`silence`: a server that says nothing for long is asked, and given up."""
        self._stream = stream
        self._asks = silence
        self._machine = new_client_machine()
        self._exchanges: dict[int, ClientExchange] = {}
        self._output = trio.Event()
        self._room = trio.Event()
        self._heard_at = trio.current_time()
        self._over = ""  # why

    async def run(self) -> None:
        """Until the server ends it, or is silent. Raises: ServerGoneError, always."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                if self._asks:
                    nursery.start_soon(self._ask)
                await self._read()
                nursery.cancel_scope.cancel()
        finally:
            self._end("the connection was given up")
            for exchange in list(self._exchanges.values()):
                exchange.end(self._over)
            self._exchanges.clear()
            self._wake()
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                await trio.aclose_forcefully(self._stream)
        raise ServerGoneError(self._over)

    def open(self, headers: Sequence[Header]) -> ClientExchange:
        """Begin a request. Raises: ServerGoneError."""
        self._require()
        try:
            stream_id = self._machine.get_next_available_stream_id()
            self._machine.send_headers(stream_id, list(headers))
        except exceptions.ProtocolError as error:
            raise ServerGoneError(f"there is no room for one more request: {error}") from None
        exchange = ClientExchange(self, stream_id)
        self._exchanges[stream_id] = exchange
        self._wake()
        return exchange

    async def send(self, exchange: ClientExchange, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._require()
            if exchange.why or exchange.ended:
                return  # the answer says why
            window = self._machine.local_flow_control_window(exchange.stream_id)
            size = min(window, FRAME_BYTES_MAX, len(rest))
            if size <= 0:
                await self._room.wait()
                continue
            self._machine.send_data(exchange.stream_id, bytes(rest[:size]))
            rest = rest[size:]
            self._wake()
        await trio.lowlevel.checkpoint()

    def finish(self, exchange: ClientExchange) -> None:
        if not self._over and not exchange.ended:
            self._machine.end_stream(exchange.stream_id)
            self._wake()

    def reset(self, exchange: ClientExchange) -> None:
        if self._exchanges.pop(exchange.stream_id, None) is not None and not self._over:
            if not exchange.ended:
                self._machine.reset_stream(exchange.stream_id, ErrorCode.CANCEL)
                self._wake()
            exchange.end("the call was given up")

    def give_credit(self, exchange: ClientExchange, size: int) -> None:
        if size and not self._over:
            self._machine.acknowledge_received_data(size, exchange.stream_id)
            self._wake()

    def _end(self, why: str) -> None:
        self._over = self._over or why

    def _require(self) -> None:
        if self._over:
            raise ServerGoneError(self._over)

    def _wake(self) -> None:
        self._output.set()

    async def _write(self) -> None:
        try:
            while True:
                self._output = trio.Event()
                if data := self._machine.data_to_send():
                    await self._stream.send_all(data)
                    continue
                await self._output.wait()
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self._end(_why(error))

    async def _read(self) -> None:
        try:
            while not self._over:
                data = await self._stream.receive_some(READ_BYTES)
                if not data:
                    self._end("the server has closed the connection")
                    return
                self._heard_at = trio.current_time()
                for event in self._machine.receive_data(bytes(data)):
                    self._on(event)
                self._wake()
        except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError) as error:
            self._end(_why(error))
        except exceptions.ProtocolError as error:
            self._over = f"the server does not speak HTTP/2: {error}"

    def _on(self, event: events.Event) -> None:
        if isinstance(event, events.ConnectionTerminated):
            self._over = f"the server has ended the connection (code {event.error_code})"
            return
        if isinstance(event, events.WindowUpdated | events.RemoteSettingsChanged):
            self._room.set()
            self._room = trio.Event()
            return
        exchange = self._exchanges.get(getattr(event, "stream_id", 0))
        if isinstance(event, events.DataReceived):
            if exchange is None:
                self._machine.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id
                )
            else:
                exchange.arrived(event.data, event.flow_controlled_length)
        elif exchange is None:
            return
        elif isinstance(event, events.ResponseReceived):
            exchange.head = event.headers
            exchange.notify()
        elif isinstance(event, events.TrailersReceived):
            exchange.trailers = event.headers
        elif isinstance(event, events.StreamEnded | events.StreamReset):
            self._exchanges.pop(event.stream_id, None)
            exchange.end(_why_reset(event) if isinstance(event, events.StreamReset) else "")
            self._room.set()
            self._room = trio.Event()

    async def _ask(self) -> None:
        while True:
            await trio.sleep_until(self._heard_at + PING_SECONDS)
            asked_at = trio.current_time()
            if asked_at < self._heard_at + PING_SECONDS:
                continue
            self._machine.ping(PING_DATA)
            self._wake()
            await trio.sleep(PING_ANSWER_SECONDS)
            if self._heard_at < asked_at:
                self._over = f"the server has not answered for {PING_ANSWER_SECONDS:.0f} s"
                await trio.aclose_forcefully(self._stream)
                return


def _why_reset(event: events.StreamReset) -> str:
    return f"the server has reset the call (code {event.error_code})"


def _why(error: Exception) -> str:
    return str(error.__cause__ or error) or type(error).__name__
