"""Accepts connections and starts their conversations."""

from __future__ import annotations

import errno
import logging
import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Generic, NoReturn, Protocol

import trio

from kong_mesh_cp.shell.listening.budget import is_loopback
from kong_mesh_cp.shell.listening.conversation import (
    Conversation,
    ConversationFactory,
    Protocols,
    R,
    R_co,
)
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.peer import Credentials, Peer
from kong_mesh_cp.shell.listening.places import Place, Places
from kong_mesh_cp.shell.listening.securing import Handshakes, SecuredConversation
from kong_mesh_cp.shell.listening.tls import Tls

log = logging.getLogger(__name__)

START_BATCH_MAX = 64  # conversations started before other tasks run, the privileged ones first
UNSENT_BYTES_MAX = 128 * 1024  # that the kernel takes for a TCP peer that does not read
# A TCP peer that was silent for so long is asked by the kernel, so often, before it is given up:
# 40 s after a host has gone. Of itself the kernel would wait for two hours.
KEEPALIVE_IDLE_SECONDS = 20
KEEPALIVE_ANSWER_SECONDS = 5
KEEPALIVE_PROBES = 4
ACCEPT_PAUSE_SECONDS = 0.1  # when the process or the machine has no file descriptor left
_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
_UCRED = struct.Struct("3i")  # struct ucred of socket(7): pid, uid, gid


class Gate(Protocol[R_co]):
    """Decides who may connect, before a byte of the connection is read."""

    def enter(self, peer: Peer) -> R_co | None:
        """None lets the connection in; `leave` is then called exactly once, at its end."""
        ...

    def leave(self, peer: Peer) -> None: ...


class OpenGate:
    """Lets everybody in."""

    def enter(self, peer: Peer) -> None:
        pass

    def leave(self, peer: Peer) -> None:
        pass


async def accept(
    listener: trio.SocketListener,
    protocols: Protocols[R],
    *,
    limits: Limits,
    conversations: trio.Nursery,
    drain: Drain,
    gate: Gate[R] | None = None,
    privileged: Callable[[Peer], bool] = is_loopback,
    tls: Tls | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> NoReturn:
    """Start conversations on `listener` until cancelled; started as soon as it accepts.

    Each connection is one task of `conversations`. To stop: cancel this task, call `drain.start()`
    and give `conversations` a deadline of DRAIN_SECONDS. With `tls` (TCP only) all that is inside
    of TLS, where the peer chooses among `protocols`; without, their default is spoken.
    `privileged` peers have the reserved places.

    Resource handling: the caller owns and closes `listener`; connections close themselves.
    Errors: running out of file descriptors is logged and waited for; any other OSError of the
    listener is raised. Nothing that a peer does ends this task or its siblings.
    """
    begin = protocols.named(None)
    if tls is not None:
        begin = partial(SecuredConversation, Handshakes(tls, protocols, limits, drain))
    entrance = _Entrance(
        begin,
        limits,
        Places(limits, privileged),
        conversations,
        gate=OpenGate() if gate is None else gate,
        busy=protocols.busy,
        secured=tls is not None,
    )
    # A descriptor of our own, because trio's sockets cannot accept without waiting.
    with socket.socket(fileno=os.dup(listener.socket.fileno())) as acceptor:
        acceptor.setblocking(False)
        task_status.started()
        try:
            while True:
                await entrance.newcomers(acceptor)
                try:
                    entrance.accept_waiting(acceptor)
                except OSError as error:
                    if error.errno not in _OUT_OF_RESOURCES:
                        raise
                    await entrance.pause(error)
                finally:
                    entrance.start_conversations()
        finally:
            entrance.start_conversations(all_of_them=True)  # a drain lets them ask, too


class _Entrance(Generic[R]):
    """Counts the connections of one listener and turns away what is too many."""

    def __init__(
        self,
        begin: ConversationFactory[R],
        limits: Limits,
        places: Places,
        conversations: trio.Nursery,
        *,
        gate: Gate[R],
        busy: Callable[[str], R],
        secured: bool,
    ) -> None:
        self._begin = begin
        self._limits = limits
        self._places = places
        self._conversations = conversations
        self._gate = gate
        self._busy = busy
        self._secured = secured
        self._refusing = 0
        self._exhausted = False
        # To start one costs ten times as much as to accept it, and the kernel's queue is in order:
        # whoever is privileged must not wait until all that came before have been started.
        self._accepted = deque[tuple[Conversation[R], Peer, Place]]()
        self._privileged = deque[tuple[Conversation[R], Peer, Place]]()

    async def newcomers(self, acceptor: socket.socket) -> None:
        """Wait until there is somebody to accept, or a conversation to start."""
        if self._accepted or self._privileged:
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.wait_readable(acceptor)

    def start_conversations(self, *, all_of_them: bool = False) -> None:
        """With the privileged ones and then those who were accepted first, up to a bound."""
        started = 0
        while line := self._privileged or self._accepted:
            if started == START_BATCH_MAX and not all_of_them:
                return
            self._conversations.start_soon(self._serve, *line.popleft())
            started += 1

    def accept_waiting(self, acceptor: socket.socket) -> None:
        """Give a place to every connection that waits, up to a bound."""
        for _ in range(self._limits.accepted_at_once):
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
        conversation = self._begin(connection, peer, place)
        refusal = self._refusal(peer, place)
        if refusal is None:
            self._places.enter(conversation, place)
            line = self._privileged if place.privileged else self._accepted
            line.append((conversation, peer, place))
        elif self._refusing < self._limits.refusals_max:
            self._refusing += 1
            self._conversations.start_soon(self._refuse, conversation, refusal)
        else:
            connection.close()

    def _refusal(self, peer: Peer, place: Place) -> R | None:
        """The gate comes first: who is refused there anyway must not make others give way."""
        refused = self._gate.enter(peer)
        if refused is not None:
            return refused
        message = self._places.refusal(place)
        if message is None and self._secured:
            self._places.make_room_for_handshake()
        if message is None:
            return None
        self._gate.leave(peer)
        return self._busy(message)

    async def _serve(self, conversation: Conversation[R], peer: Peer, place: Place) -> None:
        try:
            await conversation.converse()
        finally:
            self._places.leave(conversation, place)
            self._gate.leave(peer)

    async def _refuse(self, conversation: Conversation[R], refusal: R) -> None:
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
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_ANSWER_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX)
    host, port = connection.getpeername()[:2]
    return Peer(connection, address=(host.partition("%")[0], port))
