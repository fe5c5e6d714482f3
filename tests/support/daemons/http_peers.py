"""A served handler on a real Unix socket, and a client that reads answers on its own terms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import trio

from kong_mesh_cp.shell.http.messages import Handler, Request, Response
from kong_mesh_cp.shell.http.server import serve_http
from kong_mesh_cp.shell.listening.acceptor import Gate
from kong_mesh_cp.shell.listening.budget import Budgets, is_loopback
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.peer import Peer

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Answer:
    """One response as a client sees it."""

    status: int
    headers: dict[str, str]
    body: bytes


def coded_error(status: int, code: str, message: str) -> Response:  # noqa: ARG001
    """An error body that a test can compare: the code."""
    return Response(status, code.encode(), "text/plain")


async def echo(request: Request) -> Response:
    """Tells what it was asked."""
    return Response(
        200, b"%s %s " % (request.method.encode(), request.path.encode()) + request.body
    )


class Client:
    """One connection to the server under test."""

    def __init__(self, stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]) -> None:
        self.stream = stream
        self._unread = b""

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def answer(self, *, head_only: bool = False) -> Answer:
        """The next response; its body by Content-Length."""
        head = await self._until(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        size = 0 if head_only else int(headers.get("content-length", "0"))
        while len(self._unread) < size:
            await self._more()
        body, self._unread = self._unread[:size], self._unread[size:]
        return Answer(int(first.split()[1]), headers, body)

    async def ask(self, data: bytes) -> Answer:
        await self.send(data)
        return await self.answer()

    async def rest(self) -> bytes:
        """All until the server closes its side."""
        data = self._unread
        self._unread = b""
        while more := await self.stream.receive_some():
            data += more
        return data

    async def line(self) -> bytes:
        """One line of a body that comes in pieces."""
        return await self._until(b"\n")

    async def _until(self, mark: bytes) -> bytes:
        while mark not in self._unread:
            await self._more()
        end = self._unread.index(mark) + len(mark)
        found, self._unread = self._unread[:end], self._unread[end:]
        return found

    async def _more(self) -> None:
        data = await self.stream.receive_some()
        assert data, f"the server closed after {self._unread!r}"
        self._unread += data


@dataclass
class Served:
    """A running server."""

    path: Path
    drain: Drain
    accepting: trio.CancelScope
    conversations: trio.Nursery

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        async with await trio.open_unix_socket(str(self.path)) as stream:
            yield Client(stream)


@asynccontextmanager
async def serving(
    folder: Path,
    handler: Handler = echo,
    *,
    limits: Limits | None = None,
    gate: Gate[Response] | None = None,
    budgets: Budgets | None = None,
    privileged: Callable[[Peer], bool] = is_loopback,
) -> AsyncIterator[Served]:
    """Serve `handler` on a socket in `folder`; everything is cut at the end of the block."""
    path = folder / "http.sock"
    drain = Drain()
    socket = trio.socket.socket(trio.socket.AF_UNIX)
    with socket:
        await socket.bind(str(path))
        socket.listen(256)
        accepting = trio.CancelScope()
        async with trio.open_nursery() as background, trio.open_nursery() as conversations:

            async def accept(task_status: trio.TaskStatus[None]) -> None:
                # A scope of its own: whoever cancels it goes on.
                with accepting:
                    await serve_http(
                        trio.SocketListener(socket),
                        handler,
                        limits=limits or Limits(),
                        error_body=coded_error,
                        wall_clock=lambda: NOON,
                        conversations=conversations,
                        drain=drain,
                        gate=gate,
                        budgets=budgets,
                        privileged=privileged,
                        task_status=task_status,
                    )

            await background.start(accept)
            try:
                yield Served(path, drain, accepting, conversations)
            finally:
                accepting.cancel()
                conversations.cancel_scope.cancel()


def get(path: str = "/", *headers: str, version: str = "1.1") -> bytes:
    """A GET without a body."""
    lines = [f"GET {path} HTTP/{version}", "Host: localhost", *headers, "", ""]
    return "\r\n".join(lines).encode()


def post(body: bytes, *headers: str, path: str = "/") -> bytes:
    """A POST with Content-Length."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Content-Length: {len(body)}",
        *headers,
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body


def chunked(*chunks: bytes, path: str = "/") -> bytes:
    """A POST in chunks."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
