"""Requests as handlers see them and responses as they give them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.shell.listening.peer import Peer

if TYPE_CHECKING:
    from kong_mesh_cp.core.errors import StateError
    from kong_mesh_cp.core.identity.audit import Refusal


@dataclass(slots=True)
class Request:
    """One complete request: head and body have arrived within their limits."""

    method: str
    path: str  # percent-decoded, without the query and the base path
    query: Mapping[str, str]  # first value of each name
    headers: Mapping[str, str]  # names in lower case; repeated ones joined by ", "
    body: bytes
    peer: Peer
    captured: Mapping[str, str] = field(default_factory=dict)  # what a route's {name}s stand for
    raw_query: str = ""  # as it was sent: what may have a name twice is read from here
    base_path: str = ""  # what stood before `path`


@dataclass(slots=True)
class Response:
    """A complete answer. Content-Length, Date and Connection are the server's."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"  # "" sends no Content-Type
    headers: tuple[tuple[str, str], ...] = ()
    caching: str = "no-store"  # most are about this moment, and many for one reader alone
    refusal: Refusal | None = None  # the reason of a refusal: for the log, never sent
    failure: StateError | None = None  # of the store: for the log, never sent


class HeldStream(Protocol):
    """An answer that stays open, as its handler sees it."""

    async def wait_closed(self) -> None:
        """Return at EOF or reset of the peer.

        What the peer still sends is discarded; one that sends more than a bound counts as gone.
        """
        ...

    def send_line(self, line: bytes) -> bool:
        """Queue `line`, which ends with a newline; never block.

        False: dropped, because the peer does not read or is gone. A line is sent whole or not
        at all, as long as the connection lives.
        """
        ...

    def peer_gone(self) -> bool:
        """Whether the peer has closed its end by now, also if no read has noticed yet."""
        ...


@dataclass(slots=True)
class StreamingResponse:
    """An answer whose first line is sent at once and which then stays open.

    `hold` is called with the connection's stream after head and `first_line` have been sent; the
    connection ends when it returns. It is cancelled at shutdown. `released` is always called
    exactly once, also when the first line cannot be sent.
    """

    first_line: bytes
    hold: Callable[[HeldStream], Awaitable[None]]
    released: Callable[[], None]
    status: int = 200
    content_type: str = "application/json"


RETRY_AFTER_SECONDS = 1
RETRY_AFTER = ("Retry-After", str(RETRY_AFTER_SECONDS))
"""What a 503 says to a client that would ask again at once."""

Handler = Callable[[Request], Awaitable[Response | StreamingResponse]]

ErrorBody = Callable[[int, str, str], Response]
"""How a listener words its refusals: status, stable code, one sentence without a full stop."""
