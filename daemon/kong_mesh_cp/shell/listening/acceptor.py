"""Accepts connections and starts their conversations."""

from __future__ import annotations

import errno
import logging
import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import NoReturn, Protocol

import trio

from kong_mesh_cp.shell.http.h1.answers import DateLine
from kong_mesh_cp.shell.http.h1.connection import Connection
from kong_mesh_cp.shell.http.h1.service import Service
from kong_mesh_cp.shell.http.messages import ErrorBody, Handler, Response
from kong_mesh_cp.shell.listening.budget import Budgets, is_loopback
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.peer import Credentials, Peer
from kong_mesh_cp.shell.listening.places import Place, Places
from kong_mesh_cp.shell.listening.tls import Tls

log = logging.getLogger(__name__)

START_BATCH_MAX = 64  # conversations started before other tasks run, the privileged ones first
UNSENT_BYTES_MAX = 128 * 1024  # that the kernel takes for a TCP peer that does not read
ACCEPT_PAUSE_SECONDS = 0.1  # when the process or the machine has no file descriptor left
_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
_UCRED = struct.Struct("3i")  # struct ucred of socket(7): pid, uid, gid


class Gate(Protocol):
    """Decides who may connect, before a byte of the connection is read."""

    def enter(self, peer: Peer) -> Response | None:
        """None lets the connection in; `leave` is then called exactly once, at its end."""
        ...

    def leave(self, peer: Peer) -> None: ...


class OpenGate:
    """Lets everybody in."""

    def enter(self, peer: Peer) -> Response | None:  # noqa: ARG002
        return None

    def leave(self, peer: Peer) -> None:
        pass


async def serve_http(
    listener: trio.SocketListener,
    handler: Handler,
    *,
    limits: Limits,
    error_body: ErrorBody,
    wall_clock: Callable[[], datetime],
    conversations: trio.Nursery,
    drain: Drain,
    gate: Gate | None = None,
    budgets: Budgets | None = None,
    privileged: Callable[[Peer], bool] = is_loopback,
    tls: Tls | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> NoReturn:
    """Serve HTTP/1.1 on `listener` until cancelled; started as soon as it accepts.

    Each connection is one task of `conversations`. To stop: cancel this task, call `drain.start()`
    and give `conversations` a deadline of DRAIN_SECONDS. With `tls` (TCP only) all that is inside
    of TLS. `budgets` are shared with other listeners; `privileged` peers have the reserved places.

    Resource handling: the caller owns and closes `listener`; connections close themselves.
    Errors: running out of file descriptors is logged and waited for; any other OSError of the
    listener is raised. Nothing that a peer or `handler` does ends this task or its siblings.
    """
    service = Service(
        handler=handler,
        limits=limits,
        error_body=error_body,
        date=DateLine(wall_clock),
        drain=drain,
        budgets=budgets if budgets is not None else Budgets(),
        tls=tls,
    )
    places = Places(limits, privileged)
    doorman = _ConnectionGate(
        service, places, conversations, gate if gate is not None else OpenGate()
    )
    # A descriptor of our own, because trio's sockets cannot accept without waiting.
    with socket.socket(fileno=os.dup(listener.socket.fileno())) as acceptor:
        acceptor.setblocking(False)
        task_status.started()
        try:
            while True:
                await doorman.newcomers(acceptor)
                try:
                    doorman.accept_waiting(acceptor)
                except OSError as error:
                    if error.errno not in _OUT_OF_RESOURCES:
                        raise
                    await doorman.pause(error)
                finally:
                    doorman.start_conversations()
        finally:
            doorman.close()


class _ConnectionGate:
    """Counts the connections of one listener and turns away what is too many."""

    def __init__(
        self, service: Service, places: Places, conversations: trio.Nursery, gate: Gate
    ) -> None:
        self._service = service
        self._places = places
        self._conversations = conversations
        self._gate = gate
        self._refusing = 0
        self._exhausted = False
        # To start one costs ten times as much as to accept it, and the kernel's queue is in order:
        # whoever is privileged must not wait until all that came before have been started.
        self._accepted = deque[tuple[Connection, Peer, Place]]()
        self._privileged = deque[tuple[Connection, Peer, Place]]()

    async def newcomers(self, acceptor: socket.socket) -> None:
        """Wait until there is somebody to accept, or a conversation to start."""
        if self._accepted or self._privileged:
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.wait_readable(acceptor)

    def start_conversations(self) -> None:
        """With the privileged ones and then those who were accepted first, up to a bound."""
        for _ in range(START_BATCH_MAX):
            line = self._privileged or self._accepted
            if not line:
                return
            self._conversations.start_soon(self._serve, *line.popleft())

    def close(self) -> None:
        """Nobody is accepted any more, and nothing that has not begun begins."""
        while line := self._privileged or self._accepted:
            conversation, peer, place = line.popleft()
            peer.socket.close()
            self._leave(conversation, peer, place)

    def accept_waiting(self, acceptor: socket.socket) -> None:
        """Give a place to every connection that waits, up to a bound."""
        for _ in range(self._service.limits.accepted_at_once):
            try:
                connection, _ = acceptor.accept()
            except BlockingIOError:
                return
            except ConnectionError:
                continue  # accept(2): the peer gave up while it waited in the queue
            self._exhausted = False
            try:
                connection.setblocking(False)
                peer = peer_of(connection)
            except OSError:
                connection.close()
                continue
            self._admit(connection, peer)

    async def pause(self, error: OSError) -> None:
        """Let connections end, so that descriptors come back. Logged once for each shortage."""
        if not self._exhausted:
            self._exhausted = True
            log.error(
                "accept-out-of-resources: cannot accept connections: %s (%d of this listener open)",
                error.strerror,
                self._places.taken,
            )
        await trio.sleep(ACCEPT_PAUSE_SECONDS)

    def _admit(self, connection: socket.socket, peer: Peer) -> None:
        place = self._places.place_of(peer)
        conversation = Connection(connection, peer, self._service, place)
        refusal = self._refusal(peer, place)
        if refusal is None:
            self._places.enter(conversation, place)
            line = self._privileged if place.privileged else self._accepted
            line.append((conversation, peer, place))
        elif self._refusing < self._service.limits.refusals_max:
            self._refusing += 1
            self._conversations.start_soon(self._refuse, conversation, refusal)
        else:
            connection.close()

    def _refusal(self, peer: Peer, place: Place) -> Response | None:
        """The gate comes first: who is refused there anyway must not make others give way."""
        refused = self._gate.enter(peer)
        if refused is not None:
            return refused
        message = self._places.refusal(place)
        if message is None and self._service.tls is not None:
            self._places.make_room_for_handshake()
        if message is None:
            return None
        self._gate.leave(peer)
        return self._service.error_body(503, "busy", message)

    async def _serve(self, conversation: Connection, peer: Peer, place: Place) -> None:
        try:
            await conversation.converse()
        finally:
            self._leave(conversation, peer, place)

    def _leave(self, conversation: Connection, peer: Peer, place: Place) -> None:
        self._places.leave(conversation, place)
        self._gate.leave(peer)

    async def _refuse(self, conversation: Connection, refusal: Response) -> None:
        try:
            await conversation.converse_refusing(refusal)
        finally:
            self._refusing -= 1


def peer_of(connection: socket.socket) -> Peer:
    """Who is at the other end of an accepted connection. Raises: OSError if it is gone already.

    A TCP connection also gets its options here: small answers go out at once, a peer that vanished
    without a word is noticed by the kernel, and what waits to be sent waits here, where it counts.
    """
    if connection.family == socket.AF_UNIX:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        return Peer(connection, credentials=Credentials(*_UCRED.unpack(raw)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX)
    host, port = connection.getpeername()[:2]
    return Peer(connection, address=(host.partition("%")[0], port))
