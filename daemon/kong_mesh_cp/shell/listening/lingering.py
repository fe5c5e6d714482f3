"""Reading what a peer sends, and giving it time to read before the end."""

from __future__ import annotations

import socket

import trio

from kong_mesh_cp.shell.listening.channel import Channel
from kong_mesh_cp.shell.listening.limits import Limits

RECEIVE_BYTES = 16 * 1024  # at once


class PeerGoneError(Exception):
    """The peer has closed or reset the connection; nobody is left to tell."""


async def receive(channel: Channel) -> bytes:
    """What the peer sends next; b"" at its EOF. Always a checkpoint. Raises: PeerGoneError."""
    await trio.lowlevel.checkpoint()
    while True:
        try:
            return channel.recv(RECEIVE_BYTES)
        except BlockingIOError:
            await trio.lowlevel.wait_readable(channel)
        except OSError as error:
            raise PeerGoneError from error


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
