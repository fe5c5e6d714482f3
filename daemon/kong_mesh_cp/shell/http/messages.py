"""Requests as handlers see them and responses as they give them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import trio


@dataclass(frozen=True, slots=True)
class Credentials:
    """SO_PEERCRED: who connected to a Unix socket, as the kernel knows it."""

    pid: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end. Exactly one of `address` (TCP) and `credentials` (Unix) is set."""

    socket: trio.socket.SocketType = field(repr=False)
    address: tuple[str, int] | None = None  # IP without zone id, port
    credentials: Credentials | None = None


@dataclass(slots=True)
class Request:
    """One complete request: head and body have arrived within their limits."""

    method: str
    path: str  # percent-decoded, without the query
    query: Mapping[str, str]  # first value of each name
    headers: Mapping[str, str]  # names in lower case; repeated ones joined by ", "
    body: bytes
    peer: Peer


@dataclass(slots=True)
class Response:
    """A complete answer. Content-Length, Date and Connection are the server's."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class HeldResponse:
    """An answer whose first line is sent at once and which then stays open.

    `hold` is called with the connection's stream after head and `first_line` have been sent; the
    connection ends when it returns. It is cancelled at shutdown.
    """

    first_line: bytes
    hold: Callable[[HeldStream], Awaitable[None]]
    released: Callable[[], None]  # always called exactly once, also when the first line cannot be sent
    status: int = 200
    content_type: str = "application/json"


class HeldStream:
    """Placeholder for the type that the server hands to `HeldResponse.hold`."""


Handler = Callable[[Request], Awaitable[Response | HeldResponse]]
