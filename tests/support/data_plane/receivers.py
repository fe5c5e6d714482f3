"""What stands outside of a mesh and is told of it: a collector of lines, servers of pages."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any, Final, NamedTuple

import grpc

from support.data_plane.applications import Place

HERE = "127.0.0.1"


class _Lines(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextlib.contextmanager
def line_collector() -> Iterator[tuple[Place, list[str]]]:
    """A server of TCP, and the lines that it was sent until now."""
    heard: list[str] = []

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                heard.append(line.decode())  # noqa: PERF401 — as they come

    with _serving(_Lines((HERE, 0), Handler)) as place:
        yield place, heard


_OTLP: Final = {
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
}


@contextlib.contextmanager
def otlp_collector() -> Iterator[tuple[Place, Mapping[str, list[bytes]]]]:
    """A collector of OpenTelemetry (grpcio's own server), and the messages that came until now: of
    `logs`, `traces` and `metrics`.
    """
    heard: dict[str, list[bytes]] = {each: [] for each in _OTLP}

    def taking(messages: list[bytes]) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def export(request: bytes, _context: grpc.ServicerContext) -> bytes:
            messages.append(request)
            return b""

        return export

    server = grpc.server(futures.ThreadPoolExecutor(2))
    for signal, service in _OTLP.items():
        method = grpc.unary_unary_rpc_method_handler(taking(heard[signal]))
        handler = grpc.method_handlers_generic_handler(service, {"Export": method})
        server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port(f"{HERE}:0")
    server.start()
    try:
        yield Place(HERE, port), heard
    finally:
        server.stop(None).wait()


class Asked(NamedTuple):
    """One request."""

    method: str
    path: str
    body: bytes


@contextlib.contextmanager
def web_server(
    pages: Mapping[str, str] | None = None, host: str = HERE
) -> Iterator[tuple[Place, list[Asked]]]:
    """It answers with `pages`, by path, else with nothing; and what it was asked until now."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(Asked(self.command, self.path, self._body()))
            page = (pages or {}).get(self.path.partition("?")[0], "").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        do_POST = do_GET  # noqa: N815 — as the base class calls it

        def log_message(self, *_: Any) -> None:
            pass  # what was asked is in `asked`

    with _serving(ThreadingHTTPServer((host, 0), Handler)) as place:
        yield place, asked


@contextlib.contextmanager
def _serving(server: ThreadingTCPServer | ThreadingHTTPServer) -> Iterator[Place]:
    host, port = server.server_address[:2]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Place(str(host), int(port))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
