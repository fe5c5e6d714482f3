"""One GET over HTTP/1.1, its answer handed on as it comes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol
from urllib.parse import urljoin, urlsplit

import httptools
import trio

from kong_mesh_cp.core.dataclass import dataclass

BODY_BYTES_MAX: Final = 64 * 1024 * 1024
HEAD_BYTES_MAX: Final = 64 * 1024
READ_BYTES: Final = 32 * 1024  # of a body, before other tasks run
REDIRECTS_MAX: Final = 3
SUCCESS: Final = 200
_NO_TEXT: Final = frozenset(map(chr, (*range(32), 127)))


class FetchError(Exception):
    """There is no whole answer. The text says why."""


class Sink(Protocol):
    """Takes a body."""

    def feed(self, data: bytes) -> None: ...


Connect = Callable[[], Awaitable[trio.abc.Stream]]
Begin = Callable[[str], Sink]
"""Called with the content type of a successful answer, before its body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for, of whom; `authority` is what stands in Host."""

    connect: Connect
    authority: str
    target: str
    headers: Mapping[str, str]


async def fetch(wanted: Wanted, begin: Begin) -> None:
    """Follows redirections within the same server, as frameworks make them for a slash.

    Raises: FetchError; what is no success is one, too. The caller bounds the time.
    """
    target = wanted.target
    for _ in range(REDIRECTS_MAX + 1):
        answer = await _exchange(wanted, target, _Answer(begin))
        if answer.status == SUCCESS:
            return
        if not answer.location:
            raise FetchError(f"it answers with {answer.status}")
        target = _redirected(wanted, target, answer.location)
    raise FetchError("it redirects and redirects")


async def fetch_status(wanted: Wanted) -> int:
    """The status alone: the body is not waited for. Raises: FetchError."""
    answer = await _exchange(wanted, wanted.target, _Answer(None))
    return answer.status


def _redirected(wanted: Wanted, target: str, location: str) -> str:
    here = f"http://{wanted.authority}"
    try:
        parts = urlsplit(urljoin(here + target, location))
    except ValueError:
        raise FetchError("it redirects to no address") from None
    if (parts.scheme, parts.netloc) != ("http", wanted.authority):
        raise FetchError("it redirects to another server")
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


async def _exchange(wanted: Wanted, target: str, answer: _Answer) -> _Answer:
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {wanted.authority}",
        *(f"{name}: {value}" for name, value in wanted.headers.items()),
        "Connection: close",
    ]
    if any(c in _NO_TEXT for line in lines for c in line) or " " in target + wanted.authority:
        raise FetchError("its path is none")
    head = "\r\n".join([*lines, "", ""]).encode("utf-8", "replace")
    try:
        async with await wanted.connect() as stream:
            await stream.send_all(head)
            while not answer.complete:
                data = await stream.receive_some(READ_BYTES)
                if not data:
                    answer.end()
                    break
                answer.feed(bytes(data))
    except (OSError, ValueError, trio.BrokenResourceError) as error:
        raise FetchError(str(error.__cause__ or error)) from error
    finally:
        answer.close()
    return answer


class _Answer:
    """Called by llhttp while it is fed; notes a fault, as llhttp would wrap an exception."""

    def __init__(self, begin: Begin | None) -> None:
        """`begin`: None where the status is all that is wanted."""
        self.complete = False
        self.status = 0
        self.location = ""
        self._begin = begin
        self._sink: Sink | None = None
        self._content_type = ""
        self._is_bounded = False  # its end can be told without that of the connection
        self._head_bytes = self._body_bytes = 0
        self._parts: list[bytes] = []
        self._llhttp = httptools.HttpResponseParser(self)

    def close(self) -> None:
        """Break the cycle between llhttp and its callbacks, so that memory goes at once."""
        del self._llhttp

    def feed(self, data: bytes) -> None:
        """Raises: FetchError."""
        if not self.status:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                raise FetchError("its head has no end")
        try:
            self._llhttp.feed_data(data)
        except httptools.HttpParserCallbackError:
            raise  # a bug of this class
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise FetchError("its answer is not HTTP") from error
        if self._body_bytes > BODY_BYTES_MAX:
            raise FetchError(f"its answer is longer than {BODY_BYTES_MAX // 2**20} MiB")
        parts, self._parts = self._parts, []
        if self._sink is not None:
            for part in parts:
                self._sink.feed(part)

    def end(self) -> None:
        """The connection is at its end. Raises: FetchError."""
        if not self.status or self._is_bounded:
            raise FetchError("its answer is cut short")

    def on_header(self, name: bytes, value: bytes) -> None:
        match name.lower():
            case b"content-type":
                self._content_type = value.decode("latin-1")
            case b"location":
                self.location = value.decode("latin-1")
            case b"content-length" | b"transfer-encoding":
                self._is_bounded = True
            case _:
                pass

    def on_headers_complete(self) -> None:
        self.status = self._llhttp.get_status_code()
        if not 300 <= self.status < 400:
            self.location = ""
        if self._begin is None:
            self.complete = self.status >= 200  # before it there may be 100 Continue
        elif self.status == SUCCESS:
            self._sink = self._begin(self._content_type)

    def on_body(self, part: bytes) -> None:
        self._body_bytes += len(part)
        if self._sink is not None:
            self._parts.append(part)

    def on_message_complete(self) -> None:
        self.complete = self.status >= 200
