"""What a broken or evil client might say: frames that are right, nearly right, or noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from support.http2.raw_frames import (
    ACK,
    CALL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GET,
    GOAWAY,
    HEADERS,
    PING,
    POST,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    block,
    frame,
)

FIELDS = (
    ("grpc-timeout", "1S"),
    ("grpc-timeout", "oops"),
    ("grpc-encoding", "gzip"),
    ("key-bin", "%%%"),
    ("content-length", "3"),
    ("content-length", "-1"),
    ("content-type", "application/grpc"),
    ("content-type", "é"),
    ("te", "trailers"),
    ("cookie", "a=b"),
    (":path", "*"),
    ("host", "elsewhere"),
    ("expect", "100-continue"),
    ("x" * 300, "y" * 900),
)
CODES = (0, 1, 2, 3, 4, 5, 7, 8, 9, 127, 255)
BROKEN_PART = 1 / 12  # of the messages; nearly each of them ends its connection


class Fuzzer:
    """The messages of one connection after another, all from one seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._next_stream = 1

    def messages(self) -> Iterator[bytes]:
        """Of one connection, after its preface; there is no last one."""
        self._next_stream = 1
        while True:
            said = self._random.choice(self._kinds())()
            if self._random.random() < BROKEN_PART:
                said = self._broken(said)
            yield said

    def _kinds(self) -> list[Callable[[], bytes]]:
        common = [self._request, self._call, self._data, self._data, self._message]
        rare = [self._settings, self._window, self._reset, self._ping, self._priority]
        return [*common, *common, *rare, self._in_pieces, self._trailers, self._any]

    def _new_stream(self) -> int:
        stream_id, self._next_stream = self._next_stream, self._next_stream + 2
        return stream_id

    def _stream(self) -> int:
        """One that was opened, mostly; some have ended, or never began."""
        return max(1, self._next_stream - 2 * self._random.choice((0, 1, 1, 1, 2, 3, 10)))

    def _block(self, fields: tuple[tuple[str, str], ...]) -> bytes:
        extra = self._random.sample(FIELDS, self._random.choice((0, 0, 0, 1, 2)))
        return block([*fields, *extra])

    def _request(self) -> bytes:
        fields = self._random.choice((GET, POST))
        ends = self._random.choice((0, END_STREAM))
        return frame(HEADERS, END_HEADERS | ends, self._new_stream(), self._block(fields))

    def _call(self) -> bytes:
        return frame(HEADERS, END_HEADERS, self._new_stream(), self._block(CALL))

    def _in_pieces(self) -> bytes:
        packed, stream_id = self._block(CALL), self._new_stream()
        at = self._random.randrange(len(packed))
        return frame(HEADERS, 0, stream_id, packed[:at]) + frame(
            CONTINUATION, END_HEADERS, stream_id, packed[at:]
        )

    def _trailers(self) -> bytes:
        return frame(HEADERS, END_HEADERS | END_STREAM, self._stream(), block([("x", "y")]))

    def _data(self) -> bytes:
        size = self._random.choice((0, 1, 5, 6, 100, 5000))
        flags = self._random.choice((0, 0, 0, END_STREAM, 8))
        return frame(DATA, flags, self._stream(), self._random.randbytes(size))

    def _message(self) -> bytes:
        size = self._random.choice((0, 1, 10, 1000))
        claimed = self._random.choice((size, size, size, size + 1, 2**32 - 1))
        flag = self._random.choice((b"\0", b"\0", b"\0", b"\1"))
        payload = flag + claimed.to_bytes(4, "big") + self._random.randbytes(size)
        return frame(DATA, self._random.choice((0, END_STREAM)), self._stream(), payload)

    def _settings(self) -> bytes:
        if self._random.random() < 0.3:
            return frame(SETTINGS, ACK)
        pairs = [
            self._random.choice((1, 2, 3, 4, 4, 5, 6, 8, 99)).to_bytes(2, "big")
            + self._random.choice((0, 1, 100, 16_384, 65_535, 2**24 - 1, 2**31)).to_bytes(4, "big")
            for _ in range(self._random.choice((0, 1, 1, 2)))
        ]
        return frame(SETTINGS, 0, 0, b"".join(pairs))

    def _window(self) -> bytes:
        size = self._random.choice((1, 100, 100, 65_535, 2**20, 2**31 - 1, 0))
        stream_id = self._random.choice((0, self._stream()))
        return frame(WINDOW_UPDATE, 0, stream_id, size.to_bytes(4, "big"))

    def _reset(self) -> bytes:
        code = self._random.choice(CODES)
        return frame(RST_STREAM, 0, self._stream(), code.to_bytes(4, "big"))

    def _ping(self) -> bytes:
        return frame(PING, self._random.choice((0, 0, ACK)), 0, self._random.randbytes(8))

    def _priority(self) -> bytes:
        on = self._random.choice((0, self._stream()))
        return frame(PRIORITY, 0, self._stream(), on.to_bytes(4, "big") + b"\x10")

    def _any(self) -> bytes:
        kind = self._random.choice((PUSH_PROMISE, GOAWAY, 10, 11, 200, self._random.randrange(256)))
        stream_id = self._random.choice((0, 0, self._stream(), 2**31))
        payload = self._random.randbytes(self._random.choice((0, 4, 8, 12)))
        return frame(kind, self._random.randrange(256), stream_id, payload)

    def _broken(self, said: bytes) -> bytes:
        changed = bytearray(said)
        how = self._random.randrange(5)
        if how == 0:
            for _ in range(self._random.choice((1, 1, 3))):
                changed[self._random.randrange(len(changed))] ^= 1 << self._random.randrange(8)
        elif how == 1:
            del changed[self._random.randrange(len(changed)) :]
        elif how == 2:
            at = self._random.randrange(len(changed) + 1)
            changed[at:at] = self._random.randbytes(self._random.choice((1, 9, 40)))
        elif how == 3:
            at = self._random.randrange(min(9, len(changed)))
            changed[at] = self._random.randrange(256)
        else:
            changed *= 2
        return bytes(changed)
