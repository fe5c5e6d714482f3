"""HTTP/2 frame by frame: to say what no client would, and to see what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import hpack
import trio

from support.daemons.tls_peers import ServedTls
from support.http2.grpc_peers import PREFACE, h2_context

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 0x1, 0x1, 0x4, 0x8, 0x20

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0, 1, 2, 3
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM = 5, 6, 7
COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 9, 11

Fields = Iterable[tuple[str, str]]
GET = ((":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "localhost"))
POST = ((":method", "POST"), *GET[1:])
CALL = (
    *POST[:2],
    (":path", "/test.Service/Echo"),
    (":authority", "localhost"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
)


class Frame(NamedTuple):
    """One frame of the server."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes


def frame(kind: int, flags: int = 0, stream_id: int = 0, payload: bytes = b"") -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream_id.to_bytes(4, "big")
    return head + payload


def block(fields: Fields) -> bytes:
    """Packed without a table: the same bytes whenever it is said."""
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    return encoder.encode(list(fields), huffman=False)


def headers(stream_id: int, fields: Fields = GET, *, ends: bool = True, flags: int = 0) -> bytes:
    flags |= END_HEADERS | (END_STREAM if ends else 0)
    return frame(HEADERS, flags, stream_id, block(fields))


def data(stream_id: int, payload: bytes = b"x", *, ends: bool = False) -> bytes:
    return frame(DATA, END_STREAM if ends else 0, stream_id, payload)


def settings(*pairs: tuple[int, int]) -> bytes:
    payload = b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in pairs)
    return frame(SETTINGS, payload=payload)


def ping(payload: bytes = b"12345678", *, flags: int = 0) -> bytes:
    return frame(PING, flags, 0, payload)


def reset(stream_id: int, code: int = 8) -> bytes:
    return frame(RST_STREAM, 0, stream_id, code.to_bytes(4, "big"))


def window_update(stream_id: int, size: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream_id, size.to_bytes(4, "big"))


def goaway(code: int = 0, last: int = 0) -> bytes:
    return frame(GOAWAY, 0, 0, last.to_bytes(4, "big") + code.to_bytes(4, "big"))


def error_code(found: Frame) -> int:
    """Of a RST_STREAM or GOAWAY."""
    at = 4 if found.kind == GOAWAY else 0
    return int.from_bytes(found.payload[at : at + 4], "big")


class RawHttp2:
    """A connection after the TLS handshake, on which nothing has been said."""

    def __init__(self, stream: trio.SSLStream[trio.SocketStream]) -> None:
        self.stream = stream
        self.seen: list[Frame] = []
        self.ended = False
        self._unread = b""

    async def say(self, *pieces: bytes) -> None:
        """A server that has closed already is no error: what it said counts."""
        with suppress(trio.BrokenResourceError):
            await self.stream.send_all(b"".join(pieces))

    async def frame(self) -> Frame | None:
        """The next one; None: the server has ended the connection."""
        while len(self._unread) < 9 or len(self._unread) < 9 + self._length():
            try:
                more = await self.stream.receive_some(65_536)
            except trio.BrokenResourceError:
                more = b""
            if not more:
                self.ended = True
                return None
            self._unread += more
        end = 9 + self._length()
        raw, self._unread = self._unread[:end], self._unread[end:]
        found = Frame(raw[3], raw[4], int.from_bytes(raw[5:9], "big"), raw[9:])
        self.seen.append(found)
        return found

    async def until(self, kind: int, *, stream_id: int | None = None, flags: int = 0) -> Frame:
        """The first frame of `kind` from now on, with `flags`."""
        while (found := await self.frame()) is not None:
            fits = stream_id is None or found.stream_id == stream_id
            if found.kind == kind and fits and found.flags & flags == flags:
                return found
        raise AssertionError(f"the server has closed: {self.seen}")

    async def until_any(self, kinds: set[int]) -> Frame:
        """The first frame of one of `kinds` from now on."""
        while (found := await self.frame()) is not None:
            if found.kind in kinds:
                return found
        raise AssertionError(f"the server has closed: {self.seen}")

    async def rest(self) -> list[Frame]:
        """Until the server closes."""
        while await self.frame() is not None:
            pass
        return self.seen

    def _length(self) -> int:
        return int.from_bytes(self._unread[:3], "big")


@asynccontextmanager
async def raw_http2(server: ServedTls, *, opened: bool = True) -> AsyncIterator[RawHttp2]:
    """`opened`: the preface has been said."""
    async with server.client(h2_context()) as client:
        assert isinstance(client.stream, trio.SSLStream)
        made = RawHttp2(client.stream)
        if opened:
            await made.say(PREFACE, settings())
        yield made
