"""Applications with metrics, and who asks for them, on real sockets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import trio

from support.suites.patience import HANG_SECONDS

Say = Callable[[trio.abc.Stream, str], Awaitable[None]]


def http(body: str, *, status: str = "200 OK", **headers: str) -> bytes:
    """An answer with the length of its body."""
    given = {"Content-Length": str(len(body)), "Content-Type": "text/plain; version=0.0.4"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in given.items()), "", body]
    return "\r\n".join(lines).encode()


@dataclass
class Metrics:
    """A server of `pages`; `asked` has the heads of all requests."""

    pages: Mapping[str, bytes | Say]
    asked: list[str] = field(default_factory=list)
    port: int = 0

    async def serve(self, *, task_status: trio.TaskStatus[list[trio.SocketListener]]) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        await trio.serve_listeners(self.converse, listeners, task_status=task_status)

    async def serve_at(
        self, path: str, *, task_status: trio.TaskStatus[list[trio.SocketListener]]
    ) -> None:
        with trio.socket.socket(trio.socket.AF_UNIX) as listener:
            await listener.bind(path)
            listener.listen(16)
            await trio.serve_listeners(
                self.converse, [trio.SocketListener(listener)], task_status=task_status
            )

    async def converse(self, stream: trio.abc.Stream) -> None:
        head = b""
        async with stream:
            while b"\r\n\r\n" not in head:
                data = await stream.receive_some()
                if not data:
                    return
                head += data
            text = head.decode("latin-1")
            self.asked.append(text)
            page = self.pages.get(
                text.split()[1].partition("?")[0], http("", status="404 Not Found")
            )
            if isinstance(page, bytes):
                await stream.send_all(page)
            else:
                await page(stream, text)


@dataclass(frozen=True)
class Scraped:
    """An answer to Prometheus."""

    status: int
    head: str
    body: str

    @property
    def samples(self) -> list[str]:
        return [line for line in self.body.splitlines() if not line.startswith("#")]


async def scrape(path: str, target: str, *headers: str) -> Scraped:
    """As Envoy asks, on the Unix socket at `path`."""
    lines = [f"GET {target} HTTP/1.1", "Host: m", "Connection: close", *headers, "", ""]
    data = b""
    with trio.fail_after(HANG_SECONDS):
        async with await trio.open_unix_socket(path) as stream:
            await stream.send_all("\r\n".join(lines).encode())
            async for part in stream:
                data += part
    head, _, body = data.decode().partition("\r\n\r\n")
    return Scraped(int(head.split()[1]), head, body)
