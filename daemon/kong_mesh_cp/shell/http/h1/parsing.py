"""Bytes to one request at a time, over llhttp. No I/O, no clock.

llhttp decides what HTTP/1.1 is; this module adds what it leaves to its caller: limits, the
framing rules of RFC 9112 section 6, and an exact end of each request. It never gives the parser a
byte beyond the request in hand. That works because a head and a chunked body both end with an
empty line, so cutting at each empty line is enough; a cut that is not the end does no harm.
The result therefore does not depend on how the bytes were split on their way.
"""

from __future__ import annotations

import httptools

from kong_mesh_cp.shell.http.h1.targets import split_target
from kong_mesh_cp.shell.http.messages import Request
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.peer import Peer

EMPTY_LINE = b"\r\n\r\n"


class RequestError(Exception):
    """The peer's request cannot be taken; after the answer the connection has to end."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class RequestParser:
    """Feed it bytes until `complete`, take the request, and `restart`."""

    __slots__ = (
        "_body",
        "_body_bytes",
        "_chunked",
        "_fault",
        "_head_bytes",
        "_header_count",
        "_headers",
        "_limits",
        "_llhttp",
        "_opening",
        "_path",
        "_query",
        "_raw_query",
        "_remaining",
        "_tail",
        "_target",
        "_wire_bytes",
        "complete",
        "expects_continue",
        "head_complete",
        "http_1_0",
        "keep_alive",
        "method",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._llhttp = httptools.HttpRequestParser(self)
        self.restart()

    def restart(self) -> None:
        """Forget the request in hand; the next byte fed begins another one."""
        self.complete = False
        self.head_complete = False
        self.keep_alive = False
        self.http_1_0 = False
        self.expects_continue = False
        self.method = ""
        self._fault: RequestError | None = None
        self._opening = b""
        self._head_bytes = 0
        self._header_count = 0
        self._headers: dict[str, str] = {}
        self._target = b""
        self._path = ""
        self._query: dict[str, str] = {}
        self._raw_query = ""
        self._chunked = False
        self._remaining = 0
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._wire_bytes = 0
        self._tail = b""

    def close(self) -> None:
        """Break the cycle between llhttp and its callbacks, so that memory goes at once."""
        del self._llhttp

    @property
    def started(self) -> bool:
        """Whether a byte of the request has come; empty lines before it do not count."""
        return self._head_bytes > 0

    @property
    def body_started(self) -> bool:
        """Whether a byte of the body has come: then the client does not wait for 100 Continue."""
        return self._wire_bytes > 0

    def feed(self, data: bytes) -> bytes:
        """Take what belongs to the request in hand; return what follows it.

        Raises: RequestError. The parser is of no use afterwards.
        """
        while data and not self.complete:
            if not self.head_complete:
                data = self._feed_head(data)
            elif self._chunked:
                data = self._feed_chunked(data)
            else:
                data = self._feed_sized(data)
        return data

    def request(self, peer: Peer) -> Request:
        """The request in hand, once `complete`; its body is kept here no longer."""
        body, self._body = self._body, []
        return Request(
            self.method,
            self._path,
            self._query,
            self._headers,
            body[0] if len(body) == 1 else b"".join(body),
            peer,
            raw_query=self._raw_query,
        )

    def _feed_head(self, data: bytes) -> bytes:
        if not self._head_bytes:
            data = data.lstrip(b"\r\n")  # RFC 9112 section 2.2: empty lines before a request
            if not data:
                return data
            self._opening = data[:1]
        allowed = self._limits.header_bytes_max - self._head_bytes
        rest = self._execute_to_empty_line(data, allowed)
        self._head_bytes += len(data) - len(rest)
        limit = self._limits.header_bytes_max
        if not self.head_complete and self._head_bytes >= limit:
            message = f"the request line and headers are longer than {limit} bytes"
            raise RequestError(431, "headers-too-large", message)
        if self.head_complete:
            self._tail = b""
        return rest

    def _feed_chunked(self, data: bytes) -> bytes:
        allowed = self._limits.chunked_wire_bytes_max - self._wire_bytes
        rest = self._execute_to_empty_line(data, allowed)
        self._wire_bytes += len(data) - len(rest)
        if not self.complete and self._wire_bytes >= self._limits.chunked_wire_bytes_max:
            raise self._too_large()
        return rest

    def _feed_sized(self, data: bytes) -> bytes:
        self._wire_bytes += min(len(data), self._remaining)
        if len(data) <= self._remaining:
            self._remaining -= len(data)
            self._execute(data)
            return b""
        size, self._remaining = self._remaining, 0
        self._execute(data[:size])
        return data[size:]

    def _execute_to_empty_line(self, data: bytes, allowed: int) -> bytes:
        tail = self._tail
        found = (tail + data).find(EMPTY_LINE) if tail else data.find(EMPTY_LINE)
        size = len(data) if found < 0 else found + len(EMPTY_LINE) - len(tail)
        size = min(size, allowed)
        if size == len(data):
            piece, rest = data, b""
        else:
            piece, rest = data[:size], data[size:]
        self._tail = (tail + piece[-3:])[-3:]
        self._execute(piece)
        return rest

    def _execute(self, piece: bytes) -> None:
        try:
            self._llhttp.feed_data(piece)
        except httptools.HttpParserCallbackError:
            raise  # a bug of this class, not the peer's
        except httptools.HttpParserInvalidMethodError as error:
            raise self._fault or self._unknown_method() from error
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise self._fault or _malformed(str(error)) from error
        if self._fault is not None:
            raise self._fault

    def _unknown_method(self) -> RequestError:
        if self._opening.isalpha():
            return RequestError(501, "unknown-method", "the request's method is not known here")
        return _malformed("this is not HTTP (the port speaks plain HTTP/1.1)")

    def _too_large(self) -> RequestError:
        return RequestError(
            413, "too-large", f"the request body is longer than {self._limits.body_bytes_max} bytes"
        )

    def _fail(self, fault: RequestError) -> None:
        if self._fault is None:
            self._fault = fault

    # Called by llhttp while it is fed. They note a fault instead of raising it: llhttp would
    # wrap the exception, and nothing after the first fault matters.

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        if self._header_count > self._limits.header_count_max:
            count = self._limits.header_count_max
            self._fail(
                RequestError(431, "headers-too-large", f"there are more than {count} headers")
            )
            return
        if self.head_complete:
            return  # a trailer: allowed by RFC 9110, of no use here
        key = name.decode("ascii").lower()
        text = value.decode("latin-1").rstrip(" \t")  # llhttp takes off only what stands before it
        if key not in self._headers:
            self._headers[key] = text
        elif key == "host":
            self._fail(_malformed("there is more than one Host header"))
        else:
            self._headers[key] += ", " + text

    def on_headers_complete(self) -> None:
        self.head_complete = True
        self.method = self._llhttp.get_method().decode("ascii")
        self.keep_alive = self._llhttp.should_keep_alive()
        version = self._llhttp.get_http_version()
        self.http_1_0 = version == "1.0"
        if version not in {"1.1", "1.0"}:
            self._fail(RequestError(505, "http-version", f"HTTP/{version} is not spoken here"))
        elif self._llhttp.should_upgrade():
            self._fail(RequestError(501, "no-upgrade", "CONNECT and Upgrade are not offered here"))
        else:
            try:
                self._check_head()
            except RequestError as fault:
                self._fail(fault)

    def on_body(self, part: bytes) -> None:
        self._body_bytes += len(part)
        if self._body_bytes > self._limits.body_bytes_max:
            self._fail(self._too_large())
            return
        self._body.append(part)

    def on_message_complete(self) -> None:
        self.complete = True

    def _check_head(self) -> None:
        headers = self._headers
        if "host" not in headers and not self.http_1_0:
            raise _malformed("the Host header is missing")
        coding = headers.get("transfer-encoding")
        if coding is not None:
            self._check_coding(coding)
        elif (length := headers.get("content-length")) is not None:
            self._remaining = int(length)  # llhttp has let only digits through
            if self._remaining > self._limits.body_bytes_max:
                raise self._too_large()
        expectation = headers.get("expect")
        if expectation is not None and not self.http_1_0:
            if expectation.lower() != "100-continue":
                raise RequestError(417, "unknown-expectation", "only 100-continue can be expected")
            self.expects_continue = True
        try:
            target = self._target.decode("ascii")
            self._path, self._query = split_target(target)
            self._raw_query = target.partition("?")[2]
        except ValueError as error:
            raise _malformed(str(error)) from error

    def _check_coding(self, coding: str) -> None:
        # RFC 9112 section 6.1: an HTTP/1.0 message with Transfer-Encoding has faulty framing,
        # whatever stands in it; a proxy before us may have ended the message elsewhere.
        if self.http_1_0:
            raise _malformed("HTTP/1.0 has no Transfer-Encoding")
        if coding.strip().lower() != "chunked":
            raise RequestError(501, "unknown-coding", "the only transfer coding here is chunked")
        self._chunked = True


def _malformed(message: str) -> RequestError:
    return RequestError(400, "malformed-request", message)
