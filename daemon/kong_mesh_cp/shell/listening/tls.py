"""TLS: the handshake of an accepted connection, and the channel it leads to.

OpenSSL works on the non-blocking socket itself, so that the loop is asked only when it would wait,
as everywhere in this folder, and the only buffers are OpenSSL's own: one record each way.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import field

import trio

from kong_mesh_cp.core.dataclass import dataclass

HANDSHAKE_STEPS_AT_ONCE = 4  # a signature takes a millisecond of the loop: others come between


class HandshakeError(Exception):
    """The peer and this server have not come to terms."""


@dataclass(frozen=True, slots=True)
class Tls:
    """What all TLS connections of one listener share.

    `context` is asked for each connection: a renewed certificate counts from the next one on.
    One that waits for a peer's bytes holds no turn, so slow peers cannot use the turns up.
    """

    context: Callable[[], ssl.SSLContext]
    turns: trio.CapacityLimiter = field(
        default_factory=lambda: trio.CapacityLimiter(HANDSHAKE_STEPS_AT_ONCE)
    )


async def speaks_tls(connection: socket.socket) -> bool:
    """Wait for the first byte and look at it. False: the peer has begun to speak in plain text.

    Raises: OSError if the peer is gone.
    """
    await trio.lowlevel.wait_readable(connection)
    first = connection.recv(1, socket.MSG_PEEK)
    return not first.isalpha()


class TlsChannel:
    """A `Channel` of encrypted bytes. Takes over the socket it is given, and closes it."""

    __slots__ = ("_ended", "_tls")

    def __init__(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        """Raises: OSError if the peer is gone."""
        self._ended = False
        self._tls = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)

    @property
    def connection(self) -> socket.socket:
        return self._tls

    @property
    def peer_is_certified(self) -> bool:
        """After the handshake, which fails for a certificate that cannot be verified."""
        return bool(self._tls.getpeercert())

    @property
    def protocol(self) -> str | None:
        """After the handshake: what was chosen of the names that both sides know (ALPN)."""
        return self._tls.selected_alpn_protocol()

    async def shake_hands(self, turns: trio.CapacityLimiter) -> None:
        """Until both sides agree; the caller bounds the time. Raises: HandshakeError."""
        while True:
            async with turns:
                wait = self._step()
            if wait is None:
                return
            await wait(self._tls)

    def _step(self) -> Callable[[socket.socket], Awaitable[None]] | None:
        """Go as far as the bytes at hand allow; what to wait for then, None at the end."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return trio.lowlevel.wait_readable
        except ssl.SSLWantWriteError:
            return trio.lowlevel.wait_writable
        except (OSError, ValueError) as error:
            raise HandshakeError(str(error)) from error
        return None

    def fileno(self) -> int:
        return self._tls.fileno()

    def pending(self) -> int:
        """How many bytes have been read from the peer, and not yet by `recv`."""
        return self._tls.pending()

    def recv(self, size: int, /) -> bytes:
        """As of a socket. After `shutdown` what comes is still encrypted, good only to be dropped.

        An end without a closing alert is an end, too: protocols say where a message is complete.
        """
        try:
            return self._tls.recv(size)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise BlockingIOError from error

    def send(self, data: bytes | memoryview, /) -> int:
        """As of a socket; one record (16 KiB) at most."""
        try:
            return self._tls.send(data)
        except ssl.SSLWantWriteError as error:
            raise BlockingIOError from error

    def shutdown(self, how: int, /) -> None:
        """Say that nothing follows: in TLS, then in TCP."""
        self._say_goodbye()
        self._tls.shutdown(how)

    def close(self) -> None:
        """End both ways at once. The closing alert goes out if that can be done without waiting."""
        self._say_goodbye()
        self._tls.close()

    def _say_goodbye(self) -> None:
        if self._ended:
            return
        self._ended = True
        # Raises, as a rule: the alert is sent first, and then the peer's own is not there yet.
        with suppress(OSError, ValueError):
            self._tls.unwrap()
