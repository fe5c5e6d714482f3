"""Reading what a peer sends, and the end: with time for it to read, or without."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import Final

import trio

from kong_mesh_cp.shell.listening.channel import Channel
from kong_mesh_cp.shell.listening.limits import Limits

RECEIVE_BYTES = 16 * 1024  # at once
_RESETTING: Final = struct.pack("ii", 1, 0)  # struct linger of socket(7)


class PeerGoneError(Exception):
    """The peer has closed or reset the connection; nobody is left to tell."""


async def receive(channel: Channel, *, at_hand: bool = True) -> bytes:
    """What the peer sends next; b"" at its EOF. Always a checkpoint. Raises: PeerGoneError.

    `at_hand`: it may well be there already, so that is tried first. In vain, that costs as much as
    waiting does.
    """
    if at_hand or _keeps_back(channel):
        await trio.lowlevel.checkpoint()
    else:
        await trio.lowlevel.wait_readable(channel)
    while True:
        try:
            return channel.recv(RECEIVE_BYTES)
        except BlockingIOError:
            await trio.lowlevel.wait_readable(channel)
        except OSError as error:
            raise PeerGoneError from error


def _keeps_back(channel: Channel) -> bool:
    """Whether it has read more than it has given, as TLS may."""
    pending = getattr(channel, "pending", None)
    return pending is not None and pending() > 0


async def linger(channel: Channel, limits: Limits) -> None:
    """Wait for the peer's EOF: closing with bytes unread would reset the connection.

    A reset takes away what the peer has not read yet. Bounded in bytes, and in time by
    `linger_seconds`. Raises: PeerGoneError.
    """
    try:
        channel.shutdown(socket.SHUT_WR)
    except OSError:
        return
    allowed = limits.linger_bytes_max
    with trio.move_on_after(limits.linger_seconds):
        while allowed > 0 and (data := await receive(channel)):
            allowed -= len(data)


def reset_at_close(connection: socket.socket) -> None:
    """Let close(2) send RST: or the kernel would go on keeping what is never read."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETTING)
