"""Serialises responses."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

from kong_mesh_cp.shell.http.messages import Response, StreamingResponse

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

# Of every answer. A browser takes none for what it is not (a script, a page), and puts none into a
# foreign page.
ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_ALWAYS = "".join(f"{name}: {value}\r\n" for name, value in ALWAYS).encode()

BODILESS = frozenset({204, 304})
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class DateLine:
    """The Date header of RFC 9110 section 6.6.1, made once a second."""

    __slots__ = ("_line", "_valid_until", "_wall_clock")

    def __init__(self, wall_clock: Callable[[], datetime]) -> None:
        """`wall_clock` gives aware UTC instants."""
        self._wall_clock = wall_clock
        self._line = b""
        self._valid_until = float("-inf")

    def at(self, loop_seconds: float) -> bytes:
        """The header line now; `loop_seconds` is the event loop's time, which is at hand anyway."""
        if loop_seconds >= self._valid_until:
            now = self._wall_clock()
            self._valid_until = loop_seconds + 1 - now.microsecond / 1_000_000
            # Not strftime: its names of days and months follow the locale.
            day = f"{_DAYS[now.weekday()]}, {now.day:02} {_MONTHS[now.month - 1]} {now.year:04}"
            self._line = f"Date: {day} {now:%H:%M:%S} GMT\r\n".encode()
        return self._line

    def value_at(self, loop_seconds: float) -> bytes:
        """The header's value, for a protocol that has no lines."""
        return self.at(loop_seconds)[len(b"Date: ") : -len(b"\r\n")]


def encode(
    response: Response, *, date_line: bytes, http_1_0: bool, close: bool, head_only: bool
) -> bytes:
    """The whole answer. `close` says so to the peer; the caller then closes."""
    body = response.body
    parts = [_opening_lines(response.status, response.content_type, response.caching), date_line]
    if response.headers:
        parts.extend(_header_line(name, value) for name, value in response.headers)
    if close:
        parts.append(b"Connection: close\r\n")
    elif http_1_0:
        parts.append(b"Connection: keep-alive\r\n")
    if response.status in BODILESS:
        parts.append(b"\r\n")
        return b"".join(parts)
    parts.append(b"Content-Length: %d\r\n\r\n" % len(body))
    if not head_only:
        parts.append(body)
    return b"".join(parts)


def encode_streaming(response: StreamingResponse, *, date_line: bytes, http_1_0: bool) -> bytes:
    """Head and first line of an answer that stays open.

    HTTP/1.0 knows no chunks: there the end of the connection is the end of the answer.
    """
    opening = _opening_lines(response.status, response.content_type)
    if http_1_0:
        return opening + date_line + b"Connection: close\r\n\r\n" + response.first_line
    head = opening + date_line + b"Transfer-Encoding: chunked\r\n\r\n"
    return head + encode_chunk(response.first_line)


def encode_chunk(data: bytes) -> bytes:
    """One chunk. `data` is not empty: an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@functools.lru_cache(maxsize=64)
def _opening_lines(status: int, content_type: str, caching: str = "no-store") -> bytes:
    lines = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
    if content_type:
        lines += f"Content-Type: {content_type}\r\n"
    return f"{lines}Cache-Control: {caching}\r\n".encode("ascii") + _ALWAYS


@functools.lru_cache(maxsize=64)
def _header_line(name: str, value: str) -> bytes:
    if not (name + value).isprintable():
        raise ValueError(f"header {name!r} would break the response: {value!r}")
    return f"{name}: {value}\r\n".encode("latin-1")
