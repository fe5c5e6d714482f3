"""What one HTTP/2 connection may cost, beyond the `Limits` that all connections have.

Each is generous for Envoy, grpcio and grpc-go, which were watched at work; all together bound the
memory and the time of the loop that one peer can make this process spend.
"""

from __future__ import annotations

from typing import Final

STREAMS_MAX: Final = 100  # open at once; RFC 9113 section 6.5.2 asks for no fewer
FRAME_BYTES_MAX: Final = 16_384  # both ways: RFC 9113's least, so that frames interleave
SETTINGS_BYTES_MAX: Final = 64 * 6  # of one frame; RFC 9113 knows six settings of six bytes
CONTINUATIONS_MAX: Final = 16  # of one header block, whose bytes `Limits.header_bytes_max` bounds
CLOSED_STREAMS_KEPT: Final = 256  # of which late frames are told from wrong ones
HEADER_TABLE_BYTES_MAX: Final = 4096  # of HPACK, both ways, whatever the peer allows

STREAM_WINDOW_BYTES: Final = 65_535  # RFC 9113's own: what a stream may send before it is read
CONNECTION_WINDOW_BYTES: Final = 1024 * 1024  # given back on arrival: a stream holds up no other
# As a client, of a server that was chosen: what it may send before it is read.
CLIENT_STREAM_WINDOW_BYTES: Final = 1024 * 1024
CLIENT_CONNECTION_WINDOW_BYTES: Final = 4 * 1024 * 1024
CLIENT_HEADER_BYTES_MAX: Final = 64 * 1024
UNCOUNTED_BYTES: Final = 64 * 1024  # unread, or not sent, by one connection: not in the budgets
SEND_AHEAD_BYTES: Final = 64 * 1024  # of a stream: whoever sends more waits for the peer
PUMPED_BYTES_MAX: Final = 64 * 1024  # of all streams at once: framed, not yet taken by the kernel
OUTPUT_BYTES_MAX: Final = 256 * 1024  # the same with answers to control frames; then it is cut
EAGER_BYTES: Final = 32 * 1024  # of a connection: written at once, and not in the next turn

FRAMES_AT_ONCE: Final = 16  # of one connection, before other tasks run
FLUSHES_AT_ONCE: Final = 64  # connections whose output is written before other tasks run

# A connection with open streams that was silent for so long is asked. The kernel notices earlier,
# and at no cost, that a host is gone (`KEEPALIVE_IDLE_SECONDS` of the acceptor): this is for a
# process that hangs, and for what is behind a proxy of another kind.
PING_SECONDS: Final = 60.0
PING_ANSWER_SECONDS: Final = 15.0  # then it is taken for dead

# Frames that cost the peer next to nothing: (at once, per second). Beyond: ENHANCE_YOUR_CALM.
RESETS: Final = (200, 20.0)  # streams reset by the peer, refused, or broken
PINGS: Final = (100, 20.0)  # and their answers; grpc measures a connection by them
SETTINGS: Final = (20, 2.0)
WINDOW_UPDATES: Final = (5000, 2000.0)  # clients of grpc may send two for each DATA
EMPTY_FRAMES: Final = (200, 50.0)  # DATA without data or end, PRIORITY, unknown types

DRAIN_SLICE_CONNECTIONS: Final = 32  # end their calls at once in a drain: who comes back elsewhere
DRAIN_SLICE_SECONDS: Final = 0.1  # costs that one some milliseconds each
DRAIN_SPREAD_SECONDS: Final = 5.0  # after the drain's begin all calls have ended
