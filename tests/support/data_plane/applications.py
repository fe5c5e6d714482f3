"""An application that answers over HTTP behind a proxy, and requests that never stop."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from support.daemons.daemon import Answer, eventually
from support.suites.patience import HANG_SECONDS


class Place(NamedTuple):
    """Where somebody listens."""

    address: str
    port: int


def ask(place: Place, path: str = "/", headers: Mapping[str, str] | None = None) -> Answer:
    """GET over a connection of its own."""
    connection = http.client.HTTPConnection(*place, timeout=HANG_SECONDS)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(), dict(answer.headers))
    finally:
        connection.close()


@contextlib.contextmanager
def application(name: str, place: Place) -> Iterator[None]:
    """Answers every GET with its own name, and the path and the headers that came."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes

        def do_GET(self) -> None:
            headers = {key.lower(): value for key, value in self.headers.items()}
            came = {"application": name, "path": self.path, "headers": headers}
            body = json.dumps(came).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with serving(name, place, Handler):
        yield


@contextlib.contextmanager
def serving(name: str, place: Place, handler: type[BaseHTTPRequestHandler]) -> Iterator[None]:
    """Connections to `place` are those of `handler`."""
    server = _Server(place, handler)
    thread = threading.Thread(target=server.serve_forever, name=f"application {name}")
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(HANG_SECONDS)
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """A peer that hangs up is none."""


class Load:
    """Requests one after the other from several threads; what went wrong is kept."""

    def __init__(self, place: Place, threads: int = 2, by: Callable[[Place], Answer] = ask) -> None:
        self._place = place
        self._ask = by
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]
        self.answered = 0
        self.failures: list[str] = []
        self.answered_by: set[str] = set()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                answer = self._ask(self._place)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                continue
            if answer.status == 200:
                self.answered_by.add(str(answer.json["application"]))
                self.answered += 1
            else:
                self.failures.append(f"{answer.status} {answer.body.decode(errors='replace')}")

    def wait_for_more(self, count: int = 50) -> None:
        """Until so many more were answered than are now. Fails where one was not."""
        until = self.answered + count
        eventually("requests are answered", lambda: self.answered >= until or self.failures)
        assert self.failures == []

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join(HANG_SECONDS)
