"""One question over HTTP/1.1, on a stream that is open: to a control plane, a socket, an Envoy.

The stream is the caller's, who closes it and bounds the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import httptools
import trio

BODY_BYTES_MAX: Final = 16 * 1024 * 1024  # a bootstrap has some thousand; statistics have megabytes
HEADER_BYTES_MAX: Final = 64 * 1024  # or of whatever else is no body, in a row
_CHUNK_BYTES: Final = 32 * 1024  # read before other tasks run


class NoHttpError(Exception):
    """What came is no answer over HTTP, or ends before its end, or is too large."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Incoming:
    """An answer that is still coming: its head is there, its body is read by `more`."""

    _stream: trio.abc.ReceiveStream
    _parser: httptools.HttpResponseParser = field(init=False)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    _parts: list[bytes] = field(default_factory=list)
    _has_head: bool = False
    _is_whole: bool = False
    _bodiless: int = 0  # bytes read since the last of the body

    def __post_init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._has_head = self.status >= 200  # before it there may be 100 Continue, or hints
        if not self._has_head:
            self.headers.clear()

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)
        self._bodiless = 0

    def on_message_complete(self) -> None:
        self._is_whole = self._has_head

    async def head(self) -> None:
        """Read until status and headers are there. Raises: NoHttpError, and those of the stream."""
        while not self._has_head:
            await self._read()

    async def more(self) -> bytes:
        """The next bytes of the body, b"" at its end. Raises as `head`."""
        while not self._parts and not self._is_whole:
            await self._read()
        part = b"".join(self._parts)
        self._parts.clear()
        return part

    async def whole(self) -> Answer:
        """All of it. Raises as `head`."""
        parts, size = [], 0
        while part := await self.more():
            parts.append(part)
            size += len(part)
            if size > BODY_BYTES_MAX:
                raise NoHttpError(f"its answer is larger than {BODY_BYTES_MAX} bytes")
        return Answer(self.status, self.headers, b"".join(parts))

    async def _read(self) -> None:
        data = await self._stream.receive_some(_CHUNK_BYTES)
        if not data:
            # RFC 9112 section 6.3: without a length, the end of the connection is the end.
            if not self._has_head or self.headers.keys() & {"content-length", "transfer-encoding"}:
                raise NoHttpError("its answer is cut short")
            self._is_whole = True
            return
        self._bodiless += len(data)
        try:
            self._parser.feed_data(bytes(data))
        except httptools.HttpParserCallbackError:
            raise  # a bug of this class
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            raise NoHttpError("its answer is not HTTP") from None
        if self._bodiless > HEADER_BYTES_MAX:
            raise NoHttpError("its head has no end")


async def ask(
    stream: trio.abc.Stream,
    method: str,
    target: str,
    *,
    host: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Incoming:
    """Send a request; returns when the head of its answer is there.

    Raises: NoHttpError; trio.BrokenResourceError, OSError and ssl.SSLError of the stream.
    """
    said = {"Host": host, "User-Agent": "kuma-dp", **(headers or {})}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items())]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    request = "\r\n".join((*lines, "", "")).encode("latin-1") + body
    await stream.send_all(request)
    incoming = Incoming(stream)
    await incoming.head()
    return incoming
