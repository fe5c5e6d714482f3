"""What one peer may cost a listener."""

from __future__ import annotations

from dataclasses import replace

from kong_mesh_cp.core.dataclass import dataclass

# From the request to stop until conversations are cut; the owner of their nursery enforces it.
DRAIN_SECONDS = 10.0

# A deadline that only keeps order may come this much late: moving one costs as much as parsing a
# request, so it is not moved for each.
DEADLINE_SLACK = 1 / 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of every connection of one listener. Seconds are of the event loop's clock."""

    header_bytes_max: int = 16 * 1024  # request line, headers and the empty line
    header_count_max: int = 100
    body_bytes_max: int = 1024 * 1024  # after the chunked coding is undone
    handshake_seconds: float = 10.0  # of TLS, from the connection's first moment
    header_seconds: float = 5.0  # from a request's first byte to the end of its head
    request_seconds: float = 30.0  # from a request's first byte to the end of its body
    answer_seconds: float = 30.0  # the handler gets these; cut at `idle_seconds` if that is longer
    idle_seconds: float = 75.0  # until a request's first byte; DEADLINE_SLACK applies
    send_seconds: float = 30.0  # for one whole answer
    linger_seconds: float = 2.0  # for a refused peer to read why, before the connection is closed
    linger_bytes_max: int = 1024 * 1024  # what it may still send meanwhile
    connections_max: int = 1024
    # Of one address (or network of IPv6, see budget.py); None: a gate decides. Loopback has none.
    share_connections_max: int | None = 256
    reserved_connections: int = 64  # of `connections_max`, for peers that are never to be kept out
    handshakes_max: int = 128  # of TLS, under way at once
    accepted_at_once: int = 64  # connections, before other tasks run
    refusals_max: int = 64  # connections that hear that there is no place; others are closed

    def for_part(self, part: float) -> Limits:
        """With `part` of the connections, where the process may not have descriptors for all."""
        if part >= 1:
            return self
        share = self.share_connections_max
        return replace(
            self,
            connections_max=max(1, int(part * self.connections_max)),
            share_connections_max=None if share is None else max(1, int(part * share)),
            refusals_max=max(1, int(part * self.refusals_max)),
            # Whoever gives way to them keeps a descriptor until its turn to end.
            accepted_at_once=max(1, int(part * self.accepted_at_once)),
        )

    @property
    def chunked_wire_bytes_max(self) -> int:
        """Body and framing together: chunk extensions and trailers must not be free."""
        return 2 * self.body_bytes_max + self.header_bytes_max
