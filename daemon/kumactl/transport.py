"""HTTP/1.1 to one server: bounded in time and size, TLS verified unless switched off."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from kumactl.errors import UnreachableError, UsageError
from kumactl.request_log import RequestLog

ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024  # a list page of 1,000 large resources stays far below
TIMEOUT_SECONDS: Final = 60.0  # for one whole exchange, as the original's --api-timeout
# What OpenSSL says of a server that answers the first message with something else than TLS.
_NO_TLS_THERE: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNEXPECTED_MESSAGE"}
)
_CHUNK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions:
    """How the server proves who it is, and what this client shows of itself."""

    ca_cert_file: str = ""
    client_cert_file: str = ""
    client_key_file: str = ""
    skip_verify: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the body is whole."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


class Transport:
    """Keeps one connection to the server of `url` and asks over it, one question at a time.

    Resource handling: `close` ends the connection; it is opened by the first question.
    Errors: UsageError for a URL or certificate file that cannot be used; UnreachableError when
    no whole answer came within `timeout_seconds` or ANSWER_BYTES_MAX.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        tls: TlsOptions | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        log: RequestLog | None = None,
    ) -> None:
        parts = split_url(url)
        self.address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._base_path = parts.path.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._headers = dict(headers or {})
        self._log = log
        self._connection = _connection(parts, tls or TlsOptions(), timeout_seconds)

    def close(self) -> None:
        """Close the connection, if there is one. May be called twice."""
        self._connection.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and read its whole answer."""
        request = _Request(
            method, self._base_path + path, body, {**self._headers, **(headers or {})}
        )
        started = time.monotonic()
        try:
            answer = self._asked(request)
        except UnreachableError as error:
            self._connection.close()
            if self._log is not None:
                self._log.failed(method, self._url(request), error.message, _since(started))
            raise
        if self._log is not None:
            size = len(answer.body)
            self._log.answered(method, self._url(request), answer.status, size, _since(started))
        return answer

    def _asked(self, request: _Request) -> Answer:
        overdue = threading.Event()
        try:
            with self._deadline(overdue):
                answer = self._exchange(request, overdue)
            if overdue.is_set():  # what was cut off can look whole
                raise TimeoutError
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UnreachableError(self._failure(error, overdue=overdue.is_set())) from None
        return answer

    def _url(self, request: _Request) -> str:
        return f"{self.address}{request.target}"

    @contextmanager
    def _deadline(self, overdue: threading.Event) -> Iterator[None]:
        # A socket's own timeout starts anew with each byte: a server that sends one a minute
        # would hold us for ever. Shutting the socket down ends any read at once.
        def give_up() -> None:
            overdue.set()
            if (sock := self._connection.sock) is not None:
                _shut_down(sock)

        timer = threading.Timer(self._timeout_seconds, give_up)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def _exchange(self, request: _Request, overdue: threading.Event) -> Answer:
        if request.method == "POST":
            self._connection.close()
        reused = self._connection.sock is not None
        try:
            response = self._send(request, overdue)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # A server may close a kept connection at any time; what we ask is idempotent, or
            # (POST) goes out on a connection of its own.
            if not reused or overdue.is_set():
                raise
            self._connection.close()
            response = self._send(request, overdue)
        with response:
            body = _bounded(response)
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, body)

    def _send(self, request: _Request, overdue: threading.Event) -> http.client.HTTPResponse:
        if self._connection.sock is None:
            self._connection.connect()
            # Names and addresses were tried under a timeout each: there was nothing to shut down.
            if overdue.is_set():
                raise TimeoutError
        self._connection.request(
            request.method, request.target, body=request.body, headers=dict(request.headers)
        )
        return self._connection.getresponse()

    def _failure(self, error: Exception, *, overdue: bool) -> str:
        if overdue or isinstance(error, TimeoutError):
            return f"no answer from {self.address} within {self._timeout_seconds:g} s"
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"the certificate of {self.address} is not trusted: {error.verify_message}."
                " Give its CA with --ca-cert-file when adding the control plane"
            )
        if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS_THERE:
            plain = self.address.replace("https:", "http:", 1)
            return (
                f"{self.address} does not speak TLS: it is no port for https. Give the one for"
                f" https (5682 unless configured otherwise), or {plain}"
            )
        if isinstance(error, ssl.SSLError):
            return f"no TLS connection to {self.address}: {error.reason or error}"
        if isinstance(error, OSError):
            return f"could not connect to {self.address}: {error.strerror or error}"
        return f"{self.address} does not speak HTTP: {str(error) or type(error).__name__}"


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    target: str
    body: bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)


def split_url(url: str) -> SplitResult:
    """The parts of an http or https URL. Raises: UsageError."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise _no_url(url) from None
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise _no_url(url)
    return parts


def _no_url(url: str) -> UsageError:
    return UsageError(f"{url!r} is no URL of a server, such as http://localhost:5681")


def _connection(
    parts: SplitResult, tls: TlsOptions, timeout_seconds: float
) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=timeout_seconds)
    return http.client.HTTPSConnection(
        host, parts.port, timeout=timeout_seconds, context=_tls_context(tls)
    )


def _tls_context(tls: TlsOptions) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if tls.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca_cert_file:
        context = _trusting_only(tls.ca_cert_file)
    if tls.client_cert_file:
        try:
            context.load_cert_chain(tls.client_cert_file, tls.client_key_file or None)
        except (OSError, ssl.SSLError) as error:
            raise _unusable("client certificate", tls.client_cert_file, error) from None
    return context


def _trusting_only(ca_cert_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=Path(ca_cert_file))
    except (OSError, ssl.SSLError) as error:
        raise _unusable("CA certificate", ca_cert_file, error) from None


def _unusable(what: str, path: str, error: OSError) -> UsageError:
    reason = "it holds no PEM" if isinstance(error, ssl.SSLError) else error.strerror
    return UsageError(f"the {what} {path!r} cannot be used: {reason}")


def _bounded(response: http.client.HTTPResponse) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := response.read1(_CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > ANSWER_BYTES_MAX:
            raise UnreachableError(f"the answer is larger than {ANSWER_BYTES_MAX} bytes")
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(chunks)


def _since(started: float) -> float:
    return (time.monotonic() - started) * 1000


def _shut_down(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already
