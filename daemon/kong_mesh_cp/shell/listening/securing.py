"""A conversation that begins with a TLS handshake; in it the peer chooses its protocol (ALPN)."""

from __future__ import annotations

import logging
import ssl
from contextlib import suppress
from dataclasses import replace
from typing import Generic

import trio

from kong_mesh_cp.shell.listening.channel import Channel
from kong_mesh_cp.shell.listening.conversation import Conversation, Protocols, R
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.lingering import PeerGoneError, linger
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.listening.places import Place, Reluctance, of_newcomer
from kong_mesh_cp.shell.listening.tls import HandshakeError, Tls, TlsChannel, speaks_tls

log = logging.getLogger(__name__)


class PlainTextError(Exception):
    """The peer has begun to speak without TLS."""


class Handshakes(Generic[R]):
    """What all handshakes of one listener share."""

    def __init__(self, tls: Tls, protocols: Protocols[R], limits: Limits, drain: Drain) -> None:
        self.tls = tls
        self.protocols = protocols
        self.limits = limits
        self.drain = drain
        self._offering: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """For the next connection; it offers the protocols that are spoken here, no others."""
        context = self.tls.context()
        if context is not self._offering:
            context.set_alpn_protocols(list(self.protocols.by_name))
            self._offering = context
        return context


class SecuredConversation(Generic[R]):
    """A `Conversation`: the handshake, and what the peer has chosen in it from then on."""

    __slots__ = ("_channel", "_following", "_handshakes", "_peer", "_place", "_scope", "_since")

    def __init__(
        self, handshakes: Handshakes[R], connection: Channel, peer: Peer, place: Place
    ) -> None:
        self._handshakes = handshakes
        self._channel = connection
        self._peer = peer
        self._place = place
        self._scope = trio.CancelScope()
        self._since = trio.current_time()
        self._following: Conversation[R] | None = None  # what was agreed on

    async def converse(self) -> None:
        shared = self._handshakes
        shared.drain.enter(self)
        try:
            following = await self._agreed()
            shared.drain.leave(self)  # what follows takes part in the drain by itself
            if following is not None:
                self._following = following
                await following.converse()
        except PlainTextError:
            self._following = self._in_plain_text()
            await self._following.converse_refusing(shared.protocols.tls_expected())
        finally:
            shared.drain.leave(self)
            self._channel.close()

    async def converse_refusing(self, refusal: R) -> None:
        following = None
        try:
            with trio.move_on_after(self._handshakes.limits.linger_seconds):
                try:
                    following = await self._agreed()
                except PlainTextError:
                    following = self._in_plain_text()
            if following is not None:
                await following.converse_refusing(refusal)
        finally:
            self._channel.close()

    @property
    def is_securing(self) -> bool:
        return self._following is None

    def reluctance(self) -> Reluctance | None:
        if self._following is None:
            return of_newcomer(self._since, trio.current_time())
        return self._following.reluctance()

    def give_way(self) -> None:
        if self._following is None:
            self._scope.cancel()
        else:
            self._following.give_way()

    def leave_if_unoccupied(self) -> None:
        # Cut at once, a client that connected a moment ago would see a failure.
        moment = trio.current_time() + self._handshakes.limits.linger_seconds
        self._scope.deadline = min(self._scope.deadline, moment)

    async def _agreed(self) -> Conversation[R] | None:
        """Shake hands. None: both sides have not come to terms, or not in time.

        Raises: PlainTextError, and nothing else that the peer could cause.
        """
        limits = self._handshakes.limits
        try:
            with self._scope:
                self._scope.deadline = trio.current_time() + limits.handshake_seconds
                if self._handshakes.drain.started:
                    self.leave_if_unoccupied()
                return await self._shake_hands()
        except PeerGoneError:
            pass
        except HandshakeError as error:
            # Anybody can make one: an operator who looks for a client's reason asks for it.
            log.debug("tls-handshake-failed: %s: %s", self._peer.address, error)
            with suppress(PeerGoneError):
                await linger(self._channel, limits)  # the alert says why; a reset takes it away
        except PlainTextError:
            raise
        except Exception:
            # One conversation must not end the nursery that it shares with all others.
            log.exception("request-failed: a handshake of the control plane has a defect")
        return None

    async def _shake_hands(self) -> Conversation[R]:
        shared, plain = self._handshakes, self._peer.socket
        try:
            if not await speaks_tls(plain):
                raise PlainTextError
            channel = TlsChannel(plain, shared.context())
        except OSError as error:
            raise PeerGoneError from error
        self._channel = channel
        await channel.shake_hands(shared.tls.turns)
        if self._scope.cancel_called:  # in the last step, behind which nothing was waited for
            raise PeerGoneError
        peer = replace(
            self._peer,
            socket=channel.connection,
            secure=True,
            certified=channel.peer_is_certified,
        )
        return shared.protocols.named(channel.protocol)(channel, peer, self._place)

    def _in_plain_text(self) -> Conversation[R]:
        return self._handshakes.protocols.named(None)(self._channel, self._peer, self._place)
