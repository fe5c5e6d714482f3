"""One connection from its first byte to its last: requests in, answers out, in order.

One task and one cancel scope for a connection; the scope's deadline is moved, and not more often
than needed, because a scope for each step would cost more than all else here. Sockets are used
directly (`send`, `recv`) and the loop is asked only when they would block; the wait for the next
request is the checkpoint that lets the other connections run.
"""

from __future__ import annotations

import logging
import math
from typing import Final

import trio

from kong_mesh_cp.shell.http.h1.answers import CONTINUE, encode, encode_streaming
from kong_mesh_cp.shell.http.h1.parsing import RequestError, RequestParser
from kong_mesh_cp.shell.http.h1.service import Phase, Service
from kong_mesh_cp.shell.http.h1.streaming import SocketHeldStream
from kong_mesh_cp.shell.http.messages import Response, StreamingResponse
from kong_mesh_cp.shell.listening.channel import Channel
from kong_mesh_cp.shell.listening.kept import Kept
from kong_mesh_cp.shell.listening.limits import DEADLINE_SLACK
from kong_mesh_cp.shell.listening.lingering import PeerGoneError, linger, receive, reset_at_close
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.listening.places import Place, Reluctance, of_newcomer

log = logging.getLogger(__name__)

UNCOUNTED_ANSWER_BYTES = 64 * 1024  # what the kernel takes at once from who reads at all
_NO_ROOM = "too much is kept for slow clients just now; ask again in a moment"


class Connection:
    """A `Conversation` in HTTP/1.1. Owns `channel`, and closes it at the end."""

    is_securing: Final = False

    __slots__ = (
        "_channel",
        "_gave_way",
        "_kept",
        "_peer",
        "_phase",
        "_scope",
        "_service",
        "_since",
    )

    def __init__(self, service: Service, channel: Channel, peer: Peer, place: Place) -> None:
        self._channel = channel
        self._peer = peer
        self._service = service
        self._scope = trio.CancelScope()
        self._phase = Phase.FRESH
        self._since = trio.current_time()  # when it began to be idle, or its request last arrived
        self._kept = Kept(service.budgets, place.origin, privileged=place.privileged)
        self._gave_way = False

    async def converse(self) -> None:
        """Serve the peer until one side has had enough. Raises nothing but Cancelled."""
        self._service.drain.enter(self)
        try:
            refusal = await self._serve()
            if refusal is not None:
                await self._refuse(refusal)
        finally:
            self._service.drain.leave(self)
            self._channel.close()

    async def converse_refusing(self, refusal: Response) -> None:
        """Answer the first request with `refusal`, unread, and close."""
        try:
            with trio.move_on_after(self._service.limits.linger_seconds):
                await trio.lowlevel.wait_readable(self._channel)
            await self._refuse(refusal)
        finally:
            self._channel.close()

    def reluctance(self) -> Reluctance | None:
        """Who gives way first has the least: how bad it is, and since when. None: never.

        Idle ones lose nothing but time. A request that is being answered, or a held answer, which
        may be the seat of a proxy, is never cut for a newcomer.
        """
        match self._phase:
            case Phase.FRESH:
                return of_newcomer(self._since, trio.current_time())
            case Phase.IDLE:
                return 0, self._since
            case Phase.READING:
                return 1, self._since
            case Phase.SENDING:
                since = self._kept.slow_since(trio.current_time())
                return None if since is None else (2, since)
            case _:
                return None

    def give_way(self) -> None:
        """End now: another connection needs the place, or the memory."""
        self._gave_way = True
        self._scope.cancel()

    def leave_if_unoccupied(self) -> None:
        """A drain has begun: end now if no request is in hand and none is on its way."""
        if self._phase in {Phase.IDLE, Phase.HELD}:
            self._scope.cancel()
        elif self._phase is Phase.FRESH:
            # Cut at once, a client that connected a moment ago would see a failure.
            moment = trio.current_time() + self._service.limits.linger_seconds
            self._scope.deadline = min(self._scope.deadline, moment)

    async def _serve(self) -> Response | None:
        """The refusal to send before closing, if there is one."""
        try:
            with self._scope:
                held = await self._answer_requests()
                if held is not None:
                    await self._hold(*held)
                return None
        except RequestError as fault:
            return self._service.error_body(fault.status, fault.code, fault.message)
        except PeerGoneError:
            return None
        except Exception:
            # One conversation must not end the nursery that it shares with all others.
            log.exception("request-failed: a handler of the control plane has a defect")
            if self._phase is not Phase.ANSWERING:
                return None
            message = "the control plane failed on this request; its log says why"
            return self._service.error_body(500, "internal-error", message)
        return self._out_of_time()

    def _out_of_time(self) -> Response | None:
        match self._phase:
            case Phase.READING if self._gave_way:
                return self._service.error_body(503, "busy", _NO_ROOM)
            case Phase.READING:
                message = "the request did not arrive in time"
                return self._service.error_body(408, "too-slow", message)
            case Phase.ANSWERING if self._gave_way:  # its request came at the same moment
                return self._service.error_body(503, "busy", _NO_ROOM)
            case Phase.ANSWERING:
                seconds = self._service.limits.answer_seconds
                log.error("answer-too-slow: a request had no answer after %.0f s", seconds)
                message = f"there was no answer within {seconds:.0f} s"
                return self._service.error_body(500, "answer-too-slow", message)
            case Phase.SENDING:
                reset_at_close(self._peer.socket)
                return None
            case _:
                return None

    async def _answer_requests(self) -> tuple[StreamingResponse, bool] | None:
        """Until the connection is to be closed (None) or held (the answer; is it HTTP/1.0?)."""
        service = self._service
        parser = RequestParser(service.limits)
        unread = b""
        try:
            while True:
                if unread:
                    await trio.lowlevel.checkpoint()  # a peer that pipelines takes turns, too
                following = await self._read_request(parser, unread)
                if following is None:
                    return None
                unread = following
                self._phase = Phase.ANSWERING
                now = trio.current_time()
                self._allow_answer(now)
                answer = await service.handler(parser.request(self._peer))
                self._kept.forget_request()
                if isinstance(answer, StreamingResponse):
                    return answer, parser.http_1_0
                close = service.drain.started or not parser.keep_alive
                data = encode(
                    answer,
                    date_line=service.date.at(now),
                    http_1_0=parser.http_1_0,
                    close=close,
                    head_only=parser.method == "HEAD",
                )
                del answer  # its body would be kept a second time for as long as the peer takes
                if len(data) > UNCOUNTED_ANSWER_BYTES and not self._kept.may_leave(
                    len(data), now, self.give_way
                ):
                    raise RequestError(503, "busy", _NO_ROOM)
                await self._send(data)
                if close:
                    if parser.keep_alive or unread:
                        await linger(self._channel, self._service.limits)
                    return None
                parser.restart()
        finally:
            parser.close()
            self._kept.forget_request()

    async def _read_request(self, parser: RequestParser, unread: bytes) -> bytes | None:
        """Feed `parser` to the end of a request; what followed it. None: there is no more."""
        if unread:
            unread = parser.feed(unread)
        if not parser.started:
            if self._phase is not Phase.FRESH:
                self._phase = Phase.IDLE
                if self._service.drain.started:
                    return None
            self._allow_idling()
            if self._service.drain.started:
                self.leave_if_unoccupied()
            while not parser.started:
                data = await receive(self._channel)
                if not data:
                    return None
                unread = parser.feed(data)
        if parser.complete:
            return unread
        return await self._read_rest(parser)

    async def _read_rest(self, parser: RequestParser) -> bytes | None:
        limits = self._service.limits
        self._phase = Phase.READING
        self._since = started_at = trio.current_time()
        self._scope.deadline = started_at + min(limits.header_seconds, limits.request_seconds)
        body_awaited = False
        unread = b""
        while not parser.complete:
            if parser.head_complete and not body_awaited:
                body_awaited = True
                self._scope.deadline = started_at + limits.request_seconds
                if parser.expects_continue and not parser.body_started:
                    await self._send_rest(CONTINUE)
            data = await receive(self._channel)
            if not data:
                return None
            self._since = now = trio.current_time()
            if not self._kept.arrived(len(data), now, self.give_way):
                raise RequestError(503, "busy", _NO_ROOM)
            unread = parser.feed(data)
        self._kept.complete()
        return unread

    def _allow_idling(self) -> None:
        now, seconds = trio.current_time(), self._service.limits.idle_seconds
        self._since = now
        latest = now + seconds * (1 + DEADLINE_SLACK)
        if not now + seconds <= self._scope.deadline <= latest:
            self._scope.deadline = latest

    def _allow_answer(self, now: float) -> None:
        # What is left of the time to idle mostly is enough, and then nothing needs to be moved.
        earliest = now + self._service.limits.answer_seconds
        if self._scope.deadline < earliest:  # noqa: PLR1730 (not to set it is the point)
            self._scope.deadline = earliest

    async def _hold(self, held: StreamingResponse, http_1_0: bool) -> None:  # noqa: FBT001
        try:
            date_line = self._service.date.at(trio.current_time())
            await self._send(encode_streaming(held, date_line=date_line, http_1_0=http_1_0))
            stream = SocketHeldStream(self._channel, chunked=not http_1_0)
            self._phase = Phase.HELD
            self._scope.deadline = math.inf
            try:
                if self._service.drain.started:
                    self._scope.cancel()  # `hold` is called nevertheless, to learn just that
                await held.hold(stream)
            finally:
                stream.finish()
        finally:
            held.released()

    async def _refuse(self, refusal: Response) -> None:
        """Send a last answer and give the peer a moment to read it."""
        data = encode(
            refusal,
            date_line=self._service.date.at(trio.current_time()),
            http_1_0=False,
            close=True,
            head_only=False,
        )
        # Who has given way is sent what goes at once: it must not keep its place for longer.
        seconds = 0 if self._gave_way else self._service.limits.linger_seconds
        with trio.move_on_after(seconds):
            try:
                await self._send_rest(data)
                await linger(self._channel, self._service.limits)
            except PeerGoneError:
                pass

    async def _send(self, data: bytes) -> None:
        """Send all of an answer. Not a checkpoint when the kernel takes it at once."""
        self._phase = Phase.SENDING
        try:
            sent = self._channel.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise PeerGoneError from error
        try:
            if sent < len(data):
                now = trio.current_time()
                self._scope.deadline = now + self._service.limits.send_seconds
                if not self._kept.leaves and not self._kept.may_leave(
                    len(data) - sent, now, self.give_way
                ):
                    reset_at_close(self._peer.socket)
                    raise PeerGoneError
                await self._send_rest(memoryview(data)[sent:])
        finally:
            self._kept.gone()

    async def _send_rest(self, rest: bytes | memoryview) -> None:
        rest = memoryview(rest)
        while rest:
            try:
                sent = self._channel.send(rest)
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._channel)
            except OSError as error:
                raise PeerGoneError from error
            else:
                rest = rest[sent:]
                self._kept.left(sent)
