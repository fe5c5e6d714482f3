"""The real Envoy, started with what POST /bootstrap answers, as kuma-dp starts it."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from support.daemons.daemon import Answer, eventually
from support.suites.patience import HANG_SECONDS

# Of kuma-dp 2.10: how it calls Envoy, and what it says that it is able to do.
_ARGUMENTS: Final = (
    *("--drain-time-s", "30", "--drain-strategy", "immediate"),
    *("--disable-hot-restart", "--log-level", "info", "--concurrency", "1"),
)
FEATURES: Final = (
    "feature-tcp-accesslog-via-named-pipe",
    "feature-grpc",
)


@dataclass(frozen=True)
class Bootstrap:
    """One answer of POST /bootstrap."""

    status: int
    body: bytes

    @property
    def document(self) -> bytes:
        """Envoy's configuration. Fails where there is none."""
        assert self.status == 200, self.body.decode()
        answer = json.loads(self.body)
        return base64.b64decode(answer["bootstrap"])


def ask_for_bootstrap(port: int, request: Mapping[str, object]) -> Bootstrap:
    """Ask without verification, as kuma-dp does when it was given no authority."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(
        "127.0.0.1", port, timeout=HANG_SECONDS, context=context
    )
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    try:
        connection.request("POST", "/bootstrap", json.dumps(request), headers)
        answer = connection.getresponse()
        return Bootstrap(answer.status, answer.read())
    finally:
        connection.close()


@dataclass
class Envoy:
    """One process. Leaving the context ends it at once."""

    binary: Path
    folder: Path  # of its own
    admin_port: int
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self, bootstrap: bytes) -> Self:
        """Start it, and wait until its admin port answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "bootstrap.yaml"
        configuration.write_bytes(bootstrap)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.binary), "--config-path", str(configuration), *_ARGUMENTS],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        eventually("Envoy's admin port answers", self._answers)
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            return self.admin("/server_info").status == 200
        except OSError:
            return False

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def admin(self, path: str, method: str = "GET") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=HANG_SECONDS)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), dict(answer.headers))
        finally:
            connection.close()

    def stats(self, pattern: str) -> dict[str, int]:
        """Counters and gauges whose names `pattern`, a regular expression, matches."""
        answer = self.admin(f"/stats?format=json&filter={pattern}").json
        listed: Any = answer["stats"]
        return {each["name"]: each["value"] for each in listed if "name" in each}

    def stat(self, name: str) -> int:
        """One counter or gauge; 0 while it is not there."""
        return self.stats(f"^{name.replace('.', '[.]')}$").get(name, 0)

    def updates(self, outcome: str) -> dict[str, int]:
        """How many responses came out so, by statistic: `success`, `rejected`, `attempt`."""
        return self.stats(f"update_{outcome}$")

    def stream_is_up(self) -> bool:
        return self.stat("control_plane.connected_state") == 1

    def dump(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Everything in the configuration dump: the name of its part, and itself."""
        parts: Any = self.admin("/config_dump?include_eds").json["configs"]
        for part in parts:
            for kind, items in part.items():
                for item in items if isinstance(items, list) else ():
                    yield kind, item

    def rejected(self) -> list[str]:
        """What the dump says about resources that were refused."""
        return [
            f"{kind}: {item['error_state'].get('details')}"
            for kind, item in self.dump()
            if "error_state" in item
        ]

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(HANG_SECONDS)

    def stop(self) -> int:
        """End it as kuma-dp does after its drain time."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(HANG_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.kill()
