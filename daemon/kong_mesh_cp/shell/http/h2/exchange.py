"""One stream of an HTTP/2 connection: a request, and the answer to it, both of any length."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn, Protocol

import trio

from kong_mesh_cp.shell.http.h2.bounds import SEND_AHEAD_BYTES
from kong_mesh_cp.shell.listening.lingering import PeerGoneError
from kong_mesh_cp.shell.listening.peer import Peer

Header = tuple[bytes, bytes]


class Carrier(Protocol):
    """The connection, as its exchanges use it. Nothing here waits."""

    peer: Peer

    def respond(self, exchange: Exchange, headers: Sequence[Header], *, ends: bool) -> None:
        """Send the head of the answer, or all of it."""
        ...

    def has_output(self, exchange: Exchange, size: int) -> None:
        """There are `size` bytes more in `exchange.output`, or it is to end."""
        ...

    def kept(self, change: int) -> None:
        """So many bytes more, or less, are kept of what has come."""
        ...

    def give_credit(self, exchange: Exchange) -> None:
        """More of the stream's window is due."""
        ...

    def reset(self, exchange: Exchange, code: int) -> None:
        """End the stream without a word to its handler."""
        ...


class Exchange:
    """A stream as its handler sees it.

    The handler works inside of `scope`, which is cancelled when the peer resets the stream or is
    gone (`closed`) and, for what would go on for ever, in a drain (`draining`). What is to be said
    then is said by `respond`, `queue` and `finish`, which never wait and do nothing once `closed`.
    """

    __slots__ = (
        "_arrived",
        "_carrier",
        "_credit",
        "_kept",
        "_news",
        "_offset",
        "_room",
        "admitted",
        "closed",
        "credit_due",
        "draining",
        "ends",
        "finished_at",
        "head",
        "held_by_drain",
        "method",
        "output",
        "path",
        "peer_ended",
        "responded",
        "scope",
        "stream_id",
        "trailers",
        "unsent",
    )

    def __init__(
        self, carrier: Carrier, stream_id: int, head: Sequence[Header], *, peer_ended: bool
    ) -> None:
        """`head`: all fields, the pseudo ones first, as h2 has checked them."""
        self._carrier = carrier
        self.stream_id = stream_id
        self.head = head
        self.method = self.path = ""
        for name, value in head:
            if name == b":method":
                self.method = value.decode("latin-1")
            elif name == b":path":
                self.path = value.decode("latin-1")
        self.scope = trio.CancelScope()
        self.closed = False  # nobody is there any more
        self.admitted = False  # what the handler needs to begin has come
        self.credit_due = 0  # of the stream's window: read, and not yet given back
        self.draining = False  # the scope was cancelled because the server stops
        self.held_by_drain = False  # a drain ends it; otherwise it waits for it
        self.peer_ended = peer_ended
        self.responded = False
        self.output: list[bytes] = []  # not yet framed
        self.unsent = 0  # bytes of it
        self.ends = False  # after the output, and these, if any:
        self.trailers: Sequence[Header] | None = None
        self.finished_at = 0.0
        self._arrived: list[bytes] = []
        self._credit = 0
        self._kept = 0  # bytes that the handler has taken, and still keeps
        self._offset = 0  # what of the first output has been framed
        self._news: trio.Event | None = None
        self._room: trio.Event | None = None

    @property
    def peer(self) -> Peer:
        return self._carrier.peer

    async def receive(self, *, kept: int = 0) -> bytes:
        """What has come since the last time, all of it; b"" after the peer's end.

        `kept`: how many bytes of what it was given before its caller still keeps.
        """
        if kept != self._kept:
            self._carrier.kept(kept - self._kept)
            self._kept = kept
        while not self._arrived:
            if self.closed:
                await _gone()
            if self.peer_ended:
                return b""
            if self._news is None:
                self._news = trio.Event()
            await self._news.wait()
        data = self._arrived[0] if len(self._arrived) == 1 else b"".join(self._arrived)
        self._arrived.clear()
        self._kept += len(data)  # until the next time
        self._carrier.kept(len(data) - self._credit)
        self._return_credit()
        return data

    def respond(self, headers: Sequence[Header], *, ends: bool = False) -> None:
        """Send the head of the answer; `ends`: it has nothing else."""
        if not self.closed:
            self.responded = True
            self.ends = ends
            self._carrier.respond(self, headers, ends=ends)

    def ask_for_body(self) -> None:
        """100 Continue: the client waits for it before it sends the body (RFC 9110 10.1.1)."""
        if not self.closed and not self.peer_ended:
            self._carrier.respond(self, [(b":status", b"100")], ends=False)

    def queue(self, data: bytes) -> None:
        """Send `data` when the peer's windows allow it."""
        if not self.closed and data:
            self.output.append(data)
            self.unsent += len(data)
            self._carrier.has_output(self, len(data))

    async def send(self, data: bytes) -> None:
        """Queue `data`, and wait while there is much that the peer does not take.

        Not a checkpoint as long as it takes all.
        """
        self.queue(data)
        while self.unsent > SEND_AHEAD_BYTES:
            if self._room is None:
                self._room = trio.Event()
            await self._room.wait()
        if self.closed:
            await _gone()

    def finish(self, trailers: Sequence[Header] | None = None) -> None:
        """End the answer, after what is queued."""
        if not self.closed and not self.ends:
            self.ends = True
            self.trailers = trailers
            self.finished_at = trio.current_time()
            self._carrier.has_output(self, 0)

    def reset(self, code: int) -> None:
        if not self.closed:
            self._carrier.reset(self, code)

    def end_by_drain(self) -> None:
        """The server stops: end what would not end by itself."""
        if self.held_by_drain and not self.ends:
            self.draining = True
            self.scope.cancel()

    # For the connection.

    def arrived(self, data: bytes, credit: int) -> None:
        self._credit += credit
        self._carrier.kept(credit)
        if data and not self.ends:
            self._arrived.append(data)
            self.notify()
        elif not self._arrived:
            self._carrier.kept(-self._credit)
            self._return_credit()

    def next_output(self, size_max: int) -> bytes:
        """Take what is framed next; b"" where nothing fits."""
        first = self.output[0]
        if len(first) - self._offset <= size_max:
            taken = first[self._offset :] if self._offset else first
            self.output.pop(0)
            self._offset = 0
        elif size_max <= 0:
            return b""
        else:
            taken = first[self._offset : self._offset + size_max]
            self._offset += size_max
        self.unsent -= len(taken)
        if self._room is not None and self.unsent <= SEND_AHEAD_BYTES:
            self._wake_senders()
        return taken

    def end_of_peer(self) -> None:
        self.peer_ended = True
        self.notify()

    def notify(self) -> None:
        if self._news is not None:
            self._news.set()
            self._news = None

    def close(self) -> None:
        """The peer is gone, or nothing is left to say to it."""
        self.closed = True
        self.output.clear()
        self.unsent = 0
        self._arrived.clear()
        self._carrier.kept(-self._kept - self._credit)
        self._kept = self._credit = 0
        self.scope.cancel()
        self.notify()  # whoever waits in a scope that shields from that one
        self._wake_senders()

    def _return_credit(self) -> None:
        credit, self._credit = self._credit, 0
        if credit and not self.closed:
            self.credit_due += credit
            self._carrier.give_credit(self)

    def _wake_senders(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None


ExchangeHandler = Callable[[Exchange], Awaitable[None]]
"""Answers one exchange to its end. Raises nothing but Cancelled that the peer could cause."""


async def _gone() -> NoReturn:
    """The scope of whoever asks is cancelled; in a shielded one there is nothing to wait for."""
    await trio.lowlevel.checkpoint()
    raise PeerGoneError
