"""The two services: backend says what it hears, frontend asks backend through its proxy."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, NamedTuple

HERE: Final = "127.0.0.1"
ANSWER_SECONDS_MAX: Final = 5.0


class Said(NamedTuple):
    """An answer to a GET: its status and text, and how long it took."""

    status: int
    text: str
    milliseconds: float


def ask(port: int, path: str = "/") -> Said:
    """GET over a connection of its own. Raises: OSError, http.client.HTTPException."""
    connection = http.client.HTTPConnection(HERE, port, timeout=ANSWER_SECONDS_MAX)
    try:
        began = time.monotonic()
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        return Said(answer.status, text, (time.monotonic() - began) * 1000)
    finally:
        connection.close()


@contextlib.contextmanager
def backend() -> Iterator[int]:
    """Runs the backend; gives the port. It answers with its name and who it has heard calls."""

    def answer(handler: BaseHTTPRequestHandler) -> tuple[int, str]:
        certificates = handler.headers.get("x-forwarded-client-cert", "")
        return 200, json.dumps({"service": "backend", "certificates": certificates}) + "\n"

    with _served(answer) as port:
        yield port


@contextlib.contextmanager
def frontend(to_backend: int) -> Iterator[int]:
    """Runs the frontend; gives the port. It passes on what is answered on the port `to_backend`
    of its own proxy.
    """

    def answer(_: BaseHTTPRequestHandler) -> tuple[int, str]:
        try:
            said = ask(to_backend)
        except (OSError, http.client.HTTPException) as error:
            return 503, f"{error}\n"
        return said.status, said.text.rstrip("\n") + "\n"

    with _served(answer) as port:
        yield port


@contextlib.contextmanager
def _served(answer: Callable[[BaseHTTPRequestHandler], tuple[int, str]]) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        """One connection."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes

        def do_GET(self) -> None:
            status, text = answer(self)
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    class Server(ThreadingHTTPServer):
        """Ends at once, whoever is still connected."""

        daemon_threads = True
        block_on_close = False

    server = Server((HERE, 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
