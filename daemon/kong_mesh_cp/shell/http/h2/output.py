"""The sending half of a connection: exchanges' output to frames, in turns; frames to the kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kong_mesh_cp.shell.http.h2 import bounds
from kong_mesh_cp.shell.http.h2.exchange import Exchange
from kong_mesh_cp.shell.http.h2.frames import ErrorCode
from kong_mesh_cp.shell.http.h2.machine import exceptions
from kong_mesh_cp.shell.listening.channel import Channel
from kong_mesh_cp.shell.listening.lingering import PeerGoneError

if TYPE_CHECKING:
    from kong_mesh_cp.shell.http.h2.machine import connection


class Output:
    """One connection's. Nothing here waits."""

    __slots__ = ("_bytes", "_channel", "_complete", "_machine", "_ready", "queued")

    def __init__(
        self,
        channel: Channel,
        machine: connection.H2Connection,
        complete: Callable[[Exchange], None],
    ) -> None:
        """`complete` is called when the end of an answer has been framed."""
        self._channel = channel
        self._machine = machine
        self._complete = complete
        self._bytes = bytearray()  # framed, not yet taken by the kernel
        self._ready: dict[int, Exchange] = {}  # with output, in the order of their turns
        self.queued = 0  # bytes of exchanges, not yet framed

    @property
    def unsent(self) -> int:
        """Bytes that wait, here and in the exchanges."""
        return len(self._bytes) + self.queued

    def ready(self, exchange: Exchange) -> None:
        """Whether it had no output before, or no window: now it may have both."""
        if exchange.output or exchange.ends:
            self._ready[exchange.stream_id] = exchange

    def forget(self, exchange: Exchange) -> None:
        self._ready.pop(exchange.stream_id, None)
        self.queued -= exchange.unsent

    def add_frame(self, frame: bytes) -> None:
        """A whole frame that h2 knows nothing of, behind those that it has made."""
        self._bytes += self._machine.data_to_send()
        self._bytes += frame

    def clear(self) -> None:
        self._bytes.clear()

    def write(self) -> bool:
        """As much as can be. Whether nothing waits for the kernel now.

        Raises: PeerGoneError; also for a peer that makes this side say much and hears nothing.
        """
        held = self._bytes
        while True:
            self._frame()
            if not held:
                return True
            if len(held) > bounds.OUTPUT_BYTES_MAX:
                raise PeerGoneError
            try:
                with memoryview(held) as view:
                    sent = self._channel.send(view)
            except BlockingIOError:
                return False
            except OSError as error:
                raise PeerGoneError from error
            del held[:sent]

    def _frame(self) -> None:
        """Take turns as far as the peer's windows and the bound go."""
        held, machine, ready = self._bytes, self._machine, self._ready
        held += machine.data_to_send()
        while ready and len(held) < bounds.PUMPED_BYTES_MAX:
            stream_id = next(iter(ready))
            exchange = ready.pop(stream_id)
            if self._frame_some(exchange):
                ready[stream_id] = exchange
            held += machine.data_to_send()

    def _frame_some(self, exchange: Exchange) -> bool:
        """One frame of DATA, or the end. Whether there is more, and room for it."""
        machine, stream_id = self._machine, exchange.stream_id
        try:
            if exchange.output:
                window = machine.local_flow_control_window(stream_id)
                data = exchange.next_output(min(window, bounds.FRAME_BYTES_MAX))
                if not data:
                    return False  # until the peer gives more
                self.queued -= len(data)
                ends = exchange.ends and not exchange.output and exchange.trailers is None
                machine.send_data(stream_id, data, end_stream=ends)
                if not ends:
                    return bool(exchange.output) or exchange.ends
            elif not exchange.ends:
                return False
            elif exchange.trailers is not None:
                machine.send_headers(stream_id, exchange.trailers, end_stream=True)
            else:
                machine.end_stream(stream_id)
            self.finish(exchange)
        except exceptions.ProtocolError:  # the stream has ended by itself
            self._complete(exchange)
        return False

    def finish(self, exchange: Exchange) -> None:
        """The end of the answer has been framed."""
        if not exchange.peer_ended:
            # RFC 9113 section 8.1: the answer is complete, and the rest of the request is not read.
            self._machine.reset_stream(exchange.stream_id, ErrorCode.NO_ERROR)
        self._complete(exchange)
