"""What a connection needs of the bytes below it; a non-blocking socket is one as it stands."""

from __future__ import annotations

from typing import Protocol


class Channel(Protocol):
    """Bytes in order, both ways, without ever waiting.

    `recv` and `send` raise BlockingIOError where they would wait, and the caller then waits for
    the channel (its `fileno`) to be readable or writable; any other OSError means that the peer is
    gone. What `send` has refused that way is offered to it again, with nothing in front of it.
    One that may have read more than it has given out says so by a method `pending`, in bytes.
    """

    def fileno(self) -> int: ...

    def recv(self, size: int, /) -> bytes:
        """At most `size` bytes; b"" is the peer's end."""
        ...

    def send(self, data: bytes | memoryview, /) -> int:
        """How many of the bytes are on their way."""
        ...

    def shutdown(self, how: int, /) -> None: ...

    def close(self) -> None: ...
