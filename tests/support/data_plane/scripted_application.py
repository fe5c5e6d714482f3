"""An application whose answers a test decides, and which remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Final

from support.daemons.daemon import eventually
from support.data_plane.applications import Place, serving
from support.suites.patience import HANG_SECONDS

HEALTH: Final = "/health"
HELD: Final = "/held"
FLAKY: Final = "/flaky"
FLAKY_FAILURES: Final = 2


@dataclass
class Script:
    """What an application answers: its name with 200, but for

    - `/health`, which is 503 while it is not `well`;
    - `/held…`, which is answered when it is `released`;
    - `/flaky…`, which is 500 two times for each path, then 200;
    - everything, while it is `broken`: 500.
    """

    name: str
    well: bool = True
    broken: bool = False
    released: threading.Event = field(default_factory=threading.Event)
    asked: Counter[str] = field(default_factory=Counter)  # by path

    def answer(self, path: str) -> int:
        self.asked[path] += 1
        if path == HEALTH:
            return 200 if self.well else 503
        if self.broken:
            return 500
        if path.startswith(HELD):
            self.released.wait(HANG_SECONDS)
        if path.startswith(FLAKY) and self.asked[path] <= FLAKY_FAILURES:
            return 500
        return 200

    def holds(self, path: str) -> None:
        """Wait until a request for `path` is there."""
        eventually(f"{self.name} was asked for {path}", lambda: self.asked[path] > 0)


@contextlib.contextmanager
def scripted(script: Script, place: Place) -> Iterator[Script]:
    """It listens at `place`. What is held is released in the end."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes

        def do_GET(self) -> None:
            status = script.answer(self.path)
            headers = {key.lower(): value for key, value in self.headers.items()}
            said = {"application": script.name, "path": self.path, "headers": headers}
            body = json.dumps(said).encode()
            # Who waited for it may have left.
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with serving(script.name, place, Handler):
        try:
            yield script
        finally:
            script.released.set()
