"""One HTTP/2 connection from its first byte to its last: many exchanges at once.

One task reads; each exchange has one; nothing else waits but, when the kernel takes no more, one
that waits for room. h2 keeps the protocol's state and makes all frames but GOAWAY, which it would
take for the end of everything. What is to be sent is written once a turn of the loop.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import trio

from kong_mesh_cp.shell.http.defects import DefectsLogged
from kong_mesh_cp.shell.http.h2 import bounds, plain_requests
from kong_mesh_cp.shell.http.h2.exchange import Exchange, Header
from kong_mesh_cp.shell.http.h2.frames import ErrorCode, FrameError, FrameGate, goaway
from kong_mesh_cp.shell.http.h2.keeping import Keeping
from kong_mesh_cp.shell.http.h2.machine import events, exceptions, new_machine
from kong_mesh_cp.shell.http.h2.output import Output
from kong_mesh_cp.shell.http.h2.service import H2Service
from kong_mesh_cp.shell.http.h2.silence import Silence
from kong_mesh_cp.shell.http.messages import Response
from kong_mesh_cp.shell.listening.channel import Channel
from kong_mesh_cp.shell.listening.lingering import PeerGoneError, linger, receive, reset_at_close
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.listening.places import Place, Reluctance, of_newcomer

log = logging.getLogger(__name__)

PING_DATA: Final = b"kongmesh"


class Connection:
    """A `Conversation` in HTTP/2, and the `Carrier` of its exchanges. Owns `channel`."""

    is_securing: Final = False

    __slots__ = (
        "_blocked",
        "_channel",
        "_credit",
        "_exchanges",
        "_gate",
        "_gone",
        "_leaving",
        "_limits",
        "_machine",
        "_nursery",
        "_output",
        "_over",
        "_refusal",
        "_scope",
        "_service",
        "_silence",
        "_unread",
        "_unread_kept",
        "_unsent_kept",
        "_waiting",
        "peer",
    )

    def __init__(self, service: H2Service, channel: Channel, peer: Peer, place: Place) -> None:
        self.peer = peer
        self._channel = channel
        self._service = service
        self._limits = service.http.limits
        self._scope = trio.CancelScope()  # of everything
        self._waiting = trio.CancelScope()  # of the reader, until its next look at the clock
        now = trio.current_time()
        self._silence = Silence(service, now)
        self._gate = FrameGate(header_bytes_max=self._limits.header_bytes_max, now=now)
        self._machine = new_machine(self._limits.header_bytes_max)
        self._output = Output(channel, self._machine, self._forget)
        self._exchanges: dict[int, Exchange] = {}
        self._unread = 0  # bytes that exchanges keep of what has come
        self._unread_kept = Keeping(service.http.budgets.bodies, place)
        self._unsent_kept = Keeping(service.http.budgets.answers, place)
        self._credit = 0  # of the connection's window, not yet given back
        self._blocked = False  # a task waits for the kernel to take more
        self._leaving = False  # GOAWAY has been sent: no new exchanges
        self._over = False  # nothing more is read
        self._gone = False  # nothing can be sent any more
        self._refusal: Response | None = None  # the answer to everything
        self._nursery: trio.Nursery

    async def converse(self) -> None:
        """Serve the peer until one side has had enough. Raises nothing but Cancelled."""
        drain = self._service.http.drain
        drain.enter(self)
        try:
            # One conversation must not end the nursery that it shares with all others.
            with DefectsLogged("a connection of the control plane"), self._scope:
                async with trio.open_nursery() as self._nursery:
                    if drain.started:
                        self.leave_if_unoccupied()
                    await self._read()
                    self._forget_all()
                    self._nursery.cancel_scope.cancel()
                if not self._gone:
                    await self._farewell()
        finally:
            self._over = self._gone = True
            self._forget_all()
            drain.leave(self)
            self._unread_kept.forget()
            self._unsent_kept.forget()
            self._channel.close()

    async def converse_refusing(self, refusal: Response) -> None:
        """Answer all requests of a moment with `refusal`, unread, and close."""
        self._refusal = refusal
        with trio.move_on_after(self._limits.linger_seconds):
            await self.converse()

    def reluctance(self) -> Reluctance | None:
        """As of HTTP/1.1. A call may be the configuration of a proxy: it is not cut for others,
        from its first message on.
        """
        if not self._exchanges:
            return of_newcomer(self._silence.idle_since, trio.current_time())
        if not any(each.admitted for each in self._exchanges.values()):
            return 1, self._silence.idle_since
        since = self._unsent_kept.slow_since(trio.current_time())
        return None if since is None else (2, since)

    def give_way(self) -> None:
        """End now: another connection needs the place, or the memory."""
        self._lose(reset=True)
        self._scope.cancel()

    def leave_if_unoccupied(self) -> None:
        """A drain has begun: say so, and end the calls when it is this connection's turn."""
        self._leave()
        if not self._over:
            self._nursery.start_soon(self._end_calls, self._service.departures.next_delay())

    def flush(self) -> None:
        """Write what can be without waiting."""
        if self._blocked or self._gone:
            return
        try:
            done = self._output.write()
        except PeerGoneError:
            self._lose(reset=True)
            return
        unsent, now = self._output.unsent, trio.current_time()
        if not self._unsent_kept.count(unsent, now, self.give_way) and not self._carries_calls():
            self._lose(reset=True)  # there is no room for what it does not read
        elif not done:
            self._blocked = True
            if not self._over:
                self._nursery.start_soon(self._flush_when_writable)
        elif (self._leaving or self._gate.peer_leaves) and not self._exchanges:
            self._end()

    # What exchanges ask for.

    def respond(self, exchange: Exchange, headers: Sequence[Header], *, ends: bool) -> None:
        self._machine.send_headers(exchange.stream_id, headers, end_stream=ends)
        if ends:
            self._output.finish(exchange)
        self._service.flushing.soon(self)

    def has_output(self, exchange: Exchange, size: int) -> None:
        self._output.queued += size
        self._output.ready(exchange)
        if self._output.queued >= bounds.EAGER_BYTES:
            self.flush()  # or all that a push makes for all peers would be there at once
        else:
            self._service.flushing.soon(self)

    def kept(self, change: int) -> None:
        self._unread += change
        if not self._unread_kept.count(self._unread, trio.current_time(), self.give_way):
            self._fail(ErrorCode.ENHANCE_YOUR_CALM, "there is no room for what it sends")

    def give_credit(self, exchange: Exchange) -> None:
        if exchange.credit_due >= bounds.STREAM_WINDOW_BYTES // 2 and not exchange.peer_ended:
            self._machine.increment_flow_control_window(exchange.credit_due, exchange.stream_id)
            exchange.credit_due = 0
            self._service.flushing.soon(self)

    def reset(self, exchange: Exchange, code: int) -> None:
        self._forget(exchange)
        with suppress(exceptions.ProtocolError):  # it has ended by itself
            self._machine.reset_stream(exchange.stream_id, code)
        self._service.flushing.soon(self)

    # Reading.

    async def _read(self) -> None:
        """Until the connection is to end, for whatever reason."""
        self._service.flushing.soon(self)  # the server's SETTINGS
        try:
            while not self._over:
                with trio.CancelScope(deadline=self._next_look()) as self._waiting:
                    while not self._over:
                        await self._take(await receive(self._channel, at_hand=False))
                if not self._over:
                    self._look()
        except PeerGoneError:
            self._lose()
        finally:
            self._over = True  # also when it is cancelled: the nursery takes no more tasks

    async def _take(self, data: bytes) -> None:
        if not data:
            self._lose()
            return
        now = trio.current_time()
        asked = self._silence.is_asked
        self._silence.broken(now)
        if asked:  # or the reader would be woken when the answer that has come was due
            self._waiting.deadline = self._next_look()
        try:
            first = True
            for piece in self._gate.pieces(data, now):
                if not first:
                    await trio.lowlevel.cancel_shielded_checkpoint()  # or the rest would be lost
                    if self._over:
                        return
                first = False
                for event in self._machine.receive_data(piece):
                    self._on(event, now)
        except FrameError as fault:
            self._fail(fault.code, str(fault))
        except exceptions.ProtocolError as error:
            log.debug("http2-error: %s: %s", self.peer.address, error)
            self._end()  # h2 has made a GOAWAY
        self._service.flushing.soon(self)

    def _on(self, event: events.Event, now: float) -> None:
        if isinstance(event, events.DataReceived):
            self._on_data(event, now)
        elif isinstance(event, events.WindowUpdated):
            if event.stream_id == 0:
                self._ready_all()
            elif (exchange := self._exchanges.get(event.stream_id)) is not None:
                self._output.ready(exchange)
        elif isinstance(event, events.RequestReceived):
            self._begin(event, now)
        elif isinstance(event, events.StreamEnded):
            if (exchange := self._exchanges.get(event.stream_id)) is not None:
                exchange.end_of_peer()
        elif isinstance(event, events.StreamReset):
            if not event.remote_reset:
                self._gate.resets.spend(now)
            if (exchange := self._exchanges.get(event.stream_id)) is not None:
                self._forget(exchange)
        elif isinstance(event, events.RemoteSettingsChanged):
            encoder, most = self._machine.encoder, bounds.HEADER_TABLE_BYTES_MAX
            encoder.header_table_size = min(encoder.header_table_size, most)
            self._ready_all()

    def _on_data(self, event: events.DataReceived, now: float) -> None:
        size = event.flow_controlled_length
        if size and not event.data:
            self._gate.empty_data(now)
        self._credit += size
        if self._credit >= bounds.CONNECTION_WINDOW_BYTES // 2:
            self._machine.increment_flow_control_window(self._credit)
            self._credit = 0
        exchange = self._exchanges.get(event.stream_id)
        if exchange is not None:
            exchange.arrived(event.data, size)

    def _begin(self, event: events.RequestReceived, now: float) -> None:
        if self._leaving or len(self._exchanges) >= bounds.STREAMS_MAX:
            self._gate.resets.spend(now)
            self._machine.reset_stream(event.stream_id, ErrorCode.REFUSED_STREAM)
            return
        if not self._exchanges:
            soon = now + self._service.ping_seconds
            self._waiting.deadline = min(self._waiting.deadline, soon)
        ended = event.stream_ended is not None
        exchange = Exchange(self, event.stream_id, event.headers, peer_ended=ended)
        self._exchanges[event.stream_id] = exchange
        self._nursery.start_soon(self._serve, exchange)

    async def _serve(self, exchange: Exchange) -> None:
        if exchange.closed:
            return  # opened and reset in one breath
        service = self._service
        with DefectsLogged("a handler of the control plane"), suppress(PeerGoneError):
            if self._refusal is not None:
                plain_requests.respond(exchange, service.http, self._refusal)
                self._leave()
            elif len(exchange.head) > self._limits.header_count_max:
                plain_requests.refuse_headers(exchange, service.http)
            elif (handler := service.special(exchange)) is not None:
                await handler(exchange)
            else:
                await plain_requests.answer(exchange, service.http)
        if not exchange.ends:
            exchange.reset(ErrorCode.INTERNAL_ERROR)

    def _carries_calls(self) -> bool:
        """Cut, a proxy would come back and be sent the same: its senders wait, that is enough."""
        return any(each.admitted and each.held_by_drain for each in self._exchanges.values())

    def _ready_all(self) -> None:
        for exchange in self._exchanges.values():
            self._output.ready(exchange)

    # The clock.

    def _next_look(self) -> float:
        return self._silence.next_look(opened=self._gate.opened, busy=bool(self._exchanges))

    def _look(self) -> None:
        now, silence = trio.current_time(), self._silence
        if now < self._next_look():
            return
        silence.looked(now)
        if not self._exchanges:
            self._leave()
            self._end()
        elif silence.is_death(now):
            self._lose(reset=True)
        else:
            for exchange in list(self._exchanges.values()):
                if exchange.ends and now - exchange.finished_at > self._limits.send_seconds:
                    exchange.reset(ErrorCode.CANCEL)
            if not silence.is_asked:
                silence.asked(now)
                self._machine.ping(PING_DATA)
                self._service.flushing.soon(self)

    # The end.

    def _leave(self) -> None:
        """Say that no more requests are taken; those in hand go on."""
        if not self._leaving and not self._over:
            self._leaving = True
            self._say_goodbye(ErrorCode.NO_ERROR)

    def _fail(self, code: ErrorCode, message: str) -> None:
        """The peer has broken the protocol, or the peace."""
        if not self._over:
            log.debug("http2-error: %s: %s", self.peer.address, message)
            self._say_goodbye(code)
            self._end()

    def _say_goodbye(self, code: ErrorCode) -> None:
        self._output.add_frame(goaway(self._machine.highest_inbound_stream_id, code))
        self._service.flushing.soon(self)

    def _end(self) -> None:
        self._over = True
        self._waiting.cancel()

    def _lose(self, *, reset: bool = False) -> None:
        """The peer is gone, or taken for gone: nothing can be said any more."""
        self._gone = True
        self._output.clear()
        if reset:
            reset_at_close(self.peer.socket)
        self._end()

    async def _farewell(self) -> None:
        """Write what is left, and give the peer a moment to read it."""
        with trio.move_on_after(self._limits.linger_seconds):
            self._blocked = False
            self.flush()
            while self._blocked and not self._gone:
                await trio.lowlevel.wait_writable(self._channel)
                self._blocked = False
                self.flush()
        if not self._gone:
            with suppress(PeerGoneError):
                await linger(self._channel, self._limits)

    async def _end_calls(self, delay: float) -> None:
        await trio.sleep(delay)
        for exchange in list(self._exchanges.values()):
            exchange.end_by_drain()

    def _forget(self, exchange: Exchange) -> None:
        if self._exchanges.pop(exchange.stream_id, None) is not None:
            self._output.forget(exchange)
            exchange.close()
            if not self._exchanges:
                self._silence.idle_since = trio.current_time()

    def _forget_all(self) -> None:
        for exchange in list(self._exchanges.values()):
            self._forget(exchange)

    async def _flush_when_writable(self) -> None:
        with trio.move_on_after(self._limits.send_seconds):
            await trio.lowlevel.wait_writable(self._channel)
            self._blocked = False
            self.flush()
            return
        self._lose(reset=True)
