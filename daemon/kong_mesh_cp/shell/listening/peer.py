"""The other end of a connection, as the kernel and TLS know it."""

from __future__ import annotations

import socket
from dataclasses import field

from kong_mesh_cp.core.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Credentials:
    """SO_PEERCRED: who connected to a Unix socket, as the kernel knows it."""

    pid: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end. Exactly one of `address` (TCP) and `credentials` (Unix) is set.

    `socket` is the connection itself, for getsockopt only (SO_PEERPIDFD): the server reads,
    writes and closes it.
    """

    socket: socket.socket = field(repr=False)
    address: tuple[str, int] | None = None  # IP without zone id, port
    credentials: Credentials | None = None
    secure: bool = False  # whether TLS lies beneath
    certified: bool = False  # whether its certificate was verified against the authorities
