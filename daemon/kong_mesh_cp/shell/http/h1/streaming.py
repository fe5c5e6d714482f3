"""The lines of an answer that stays open."""

from __future__ import annotations

import trio

from kong_mesh_cp.shell.http.h1.answers import LAST_CHUNK, encode_chunk
from kong_mesh_cp.shell.listening.channel import Channel

HELD_BACKLOG_BYTES_MAX = 16 * 1024  # lines queued for a peer that does not read
HELD_DISCARD_BYTES_MAX = (
    64 * 1024
)  # what a peer may still send after its request; it has nothing to say
DISCARD_BYTES = 4096  # read at once from a peer whose words do not matter


class SocketHeldStream:
    """A `HeldStream` on a connection's channel, which it does not own.

    At rest it costs its slots and one waiting task: no buffers, no nursery.
    """

    __slots__ = ("_backlog", "_channel", "_chunked", "_discarded_bytes", "_gone", "_waiting")

    def __init__(self, channel: Channel, *, chunked: bool) -> None:
        self._channel = channel
        self._chunked = chunked
        self._backlog = b""
        self._discarded_bytes = 0
        self._gone = False
        self._waiting = False

    async def wait_closed(self) -> None:
        while not self._gone:
            if self._backlog:
                await self._wait_closed_or_flushed()
            else:
                await self._wait_readable_or_backlog()
                self._discard()

    def send_line(self, line: bytes) -> bool:
        self._flush()
        data = encode_chunk(line) if self._chunked else line
        if self._gone or len(self._backlog) + len(data) > HELD_BACKLOG_BYTES_MAX:
            return False
        self._backlog += data
        self._flush()
        if self._backlog:
            self._wake()  # its task watches for EOF only; now also for room to write
        return not self._gone

    def peer_gone(self) -> bool:
        self._discard()
        return self._gone

    def finish(self) -> None:
        """End the body if that can be done without waiting; the caller then closes the socket."""
        self._flush()
        if self._chunked and not self._backlog and not self._gone:
            self._backlog = LAST_CHUNK
            self._flush()

    async def _wait_readable_or_backlog(self) -> None:
        self._waiting = True
        try:
            await trio.lowlevel.wait_readable(self._channel)
        except trio.ClosedResourceError:
            pass  # see _wake
        finally:
            self._waiting = False

    async def _wait_closed_or_flushed(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._discard_until_gone, nursery.cancel_scope)
            while self._backlog and not self._gone:
                await trio.lowlevel.wait_writable(self._channel)
                self._flush()
            nursery.cancel_scope.cancel()

    async def _discard_until_gone(self, scope: trio.CancelScope) -> None:
        while not self._gone:
            await trio.lowlevel.wait_readable(self._channel)
            self._discard()
        scope.cancel()

    def _flush(self) -> None:
        while self._backlog and not self._gone:
            try:
                sent = self._channel.send(self._backlog)
            except BlockingIOError:
                return
            except OSError:
                self._gone = True
                return
            self._backlog = self._backlog[sent:]

    def _discard(self) -> None:
        while not self._gone:
            try:
                data = self._channel.recv(DISCARD_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            self._discarded_bytes += len(data)
            if not data or self._discarded_bytes > HELD_DISCARD_BYTES_MAX:
                self._gone = True
                self._wake()

    def _wake(self) -> None:
        # Ends the wait in `_wait_readable_or_backlog` without a cancel scope for each seat.
        if self._waiting:
            trio.lowlevel.notify_closing(self._channel)
