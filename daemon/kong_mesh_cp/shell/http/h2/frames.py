"""Bytes of a peer to frames that h2 may see. No I/O, no clock.

h2 reads a frame when it is there as a whole, whatever length it claims, works off all that it is
given in one go, and takes a GOAWAY for the end of everything. So each frame is looked at here as
soon as its nine bytes of head have come: what is too long, too often or out of place ends the
connection before it is kept or parsed. What is right about its content stays h2's to decide.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

from kong_mesh_cp.shell.http.h2.bounds import (
    CONTINUATIONS_MAX,
    EMPTY_FRAMES,
    FRAME_BYTES_MAX,
    FRAMES_AT_ONCE,
    PINGS,
    RESETS,
    SETTINGS,
    SETTINGS_BYTES_MAX,
    WINDOW_UPDATES,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113 section 3.4
HEAD_BYTES = 9

DATA, HEADERS, RST_STREAM, SETTINGS_FRAME = 0, 1, 3, 4  # RFC 9113 section 6
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
GOAWAY_BYTES_MIN = 8
STREAM_ID_MAX = 2**31 - 1


class ErrorCode(enum.IntEnum):
    """RFC 9113 section 7, as far as this side uses them."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    ENHANCE_YOUR_CALM = 0xB


class FrameError(Exception):
    """What the peer sends ends the connection with `code`."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def goaway(last_stream_id: int, code: int) -> bytes:
    """A GOAWAY that leaves h2's state alone: streams that are open go on."""
    payload = last_stream_id.to_bytes(4, "big") + code.to_bytes(4, "big")
    return len(payload).to_bytes(3, "big") + bytes((GOAWAY, 0)) + bytes(4) + payload


class Allowance:
    """So many at once, and so many a second on the long run."""

    __slots__ = ("_at", "_left", "_most", "_per_second", "_what")

    def __init__(self, what: str, rate: tuple[int, float], now: float) -> None:
        self._what = what
        self._most, self._per_second = rate
        self._left = float(self._most)
        self._at = now

    def spend(self, now: float) -> None:
        """Raises: FrameError where nothing is left."""
        self._left = min(self._most, self._left + (now - self._at) * self._per_second) - 1
        self._at = now
        if self._left < 0:
            raise FrameError(ErrorCode.ENHANCE_YOUR_CALM, f"too many {self._what}")


class FrameGate:
    """Feed it what the peer sends; it gives what h2 may see, in pieces of bounded work."""

    __slots__ = (
        "_block_bytes",
        "_block_bytes_max",
        "_block_frames",
        "_block_stream",
        "_empties",
        "_head",
        "_payload_left",
        "_pings",
        "_preface_left",
        "_settings",
        "_skipping",
        "_window_updates",
        "highest_stream_id",
        "opened",
        "peer_leaves",
        "resets",
    )

    def __init__(self, *, header_bytes_max: int, now: float) -> None:
        self._block_bytes_max = header_bytes_max
        self._head = b""  # of a frame, as far as it has come
        self._payload_left = 0  # bytes of the frame in hand that are still to come
        self._skipping = False  # the frame in hand is not for h2
        self._preface_left = len(PREFACE)
        self._block_stream = 0  # of the header block in hand; 0: there is none
        self._block_bytes = 0
        self._block_frames = 0
        self.highest_stream_id = 0
        self.opened = False  # whether the peer's first SETTINGS have begun to come
        self.peer_leaves = False  # whether it has said GOAWAY
        self.resets = Allowance("streams that are reset", RESETS, now)
        self._empties = Allowance("frames that say nothing", EMPTY_FRAMES, now)
        self._pings = Allowance("PING frames", PINGS, now)
        self._settings = Allowance("SETTINGS frames", SETTINGS, now)
        self._window_updates = Allowance("WINDOW_UPDATE frames", WINDOW_UPDATES, now)

    def pieces(self, data: bytes, now: float) -> Iterator[bytes]:
        """What h2 may see of `data`; each piece has FRAMES_AT_ONCE frames at most.

        Raises: FrameError, after the pieces that came before what is wrong.
        """
        if self._head:
            data = self._head + data
            self._head = b""
        at = min(self._preface_left, len(data))
        if at:
            begun = len(PREFACE) - self._preface_left
            if data[:at] != PREFACE[begun : begun + at]:
                raise FrameError(ErrorCode.PROTOCOL_ERROR, "this is not HTTP/2")
            self._preface_left -= at
        start = 0
        frames = 0
        while at < len(data):
            if self._payload_left:
                taken = min(self._payload_left, len(data) - at)
                self._payload_left -= taken
                at += taken
                if self._skipping:
                    start = at
                continue
            if len(data) - at < HEAD_BYTES:
                self._head = data[at:]
                break
            if frames == FRAMES_AT_ONCE:
                yield data[start:at]
                start, frames = at, 0
            frames += 1
            try:
                for_h2 = self._admits(data, at, now)
            except FrameError:
                if start < at:
                    yield data[start:at]
                raise
            self._skipping = not for_h2
            if self._skipping:
                if start < at:
                    yield data[start:at]
                start = at + HEAD_BYTES
            at += HEAD_BYTES
        if start < at:
            yield data[start:at]

    def empty_data(self, now: float) -> None:
        """A DATA frame had nothing in it but padding. Raises: FrameError."""
        self._empties.spend(now)

    def _admits(self, data: bytes, at: int, now: float) -> bool:
        """Look at a frame's head; whether the frame is for h2. Raises: FrameError."""
        length = self._payload_left = int.from_bytes(data[at : at + 3], "big")
        kind, flags = data[at + 3], data[at + 4]
        stream_id = int.from_bytes(data[at + 5 : at + 9], "big") & STREAM_ID_MAX
        if length > FRAME_BYTES_MAX:
            message = f"a frame is longer than {FRAME_BYTES_MAX} bytes"
            raise FrameError(ErrorCode.FRAME_SIZE_ERROR, message)
        if not self.opened:
            if kind != SETTINGS_FRAME or flags & ACK:
                message = "the first frame is not SETTINGS"
                raise FrameError(ErrorCode.PROTOCOL_ERROR, message)
            self.opened = True
        if self._block_stream and (kind != CONTINUATION or stream_id != self._block_stream):
            message = "a header block is interrupted"
            raise FrameError(ErrorCode.PROTOCOL_ERROR, message)
        if kind == DATA:
            if not length and not flags & END_STREAM:
                self._empties.spend(now)
        elif kind in {HEADERS, CONTINUATION}:
            self._header_block(kind, flags, stream_id, length)
        elif kind == GOAWAY:
            if stream_id == 0 and length >= GOAWAY_BYTES_MIN:
                self.peer_leaves = True
                return False
        else:
            self._count(kind, flags, stream_id, length, now)
        return True

    def _count(self, kind: int, flags: int, stream_id: int, length: int, now: float) -> None:
        if kind == WINDOW_UPDATE:
            self._window_updates.spend(now)
        elif kind == RST_STREAM:
            if stream_id > self.highest_stream_id:
                message = "a stream that was never opened is reset"
                raise FrameError(ErrorCode.PROTOCOL_ERROR, message)
            self.resets.spend(now)
        elif kind == PING:
            self._pings.spend(now)
        elif kind == SETTINGS_FRAME:
            self._settings.spend(now)
            if length and flags & ACK:
                message = "settings are acknowledged with a payload"
                raise FrameError(ErrorCode.FRAME_SIZE_ERROR, message)
            if length > SETTINGS_BYTES_MAX:
                raise FrameError(ErrorCode.ENHANCE_YOUR_CALM, "too many settings in one frame")
        else:
            self._empties.spend(now)

    def _header_block(self, kind: int, flags: int, stream_id: int, length: int) -> None:
        if kind == HEADERS:
            self._block_bytes = self._block_frames = 0
            self.highest_stream_id = max(self.highest_stream_id, stream_id)
        self._block_frames += 1
        self._block_bytes += length
        too_long = self._block_bytes > self._block_bytes_max
        if too_long or self._block_frames > 1 + CONTINUATIONS_MAX:
            raise FrameError(ErrorCode.ENHANCE_YOUR_CALM, "a header block is too long")
        ends = flags & END_HEADERS
        self._block_stream = 0 if ends else stream_id
