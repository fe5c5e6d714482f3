"""The spawned daemon, seen only from outside: its sockets, its stderr, its exit status."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.suites.patience import HANG_SECONDS

START_SECONDS_MAX = STOP_SECONDS_MAX = HANG_SECONDS


def free_port() -> int:
    """One of 127.0.0.1 that nobody listens on now, for who has to be told before it listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> dict[str, object]:
        decoded = json.loads(self.body)
        assert isinstance(decoded, dict), decoded
        return decoded


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=START_SECONDS_MAX)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(START_SECONDS_MAX)
        try:
            self.sock.connect(os.fspath(self._path))
        except OSError:
            self.close()
            raise


class Seat:
    """One held admission: the open connection is the seat."""

    def __init__(self, path: Path, name: str, mesh: str = "default", **extra: object) -> None:
        self.answer_of(path, {"mesh": mesh, "name": name, **extra})

    @classmethod
    def ask(cls, path: Path, body: object) -> Self:
        """Ask with a body of one's own."""
        seat = cls.__new__(cls)
        seat.answer_of(path, body)
        return seat

    def answer_of(self, path: Path, body: object) -> None:
        self._connection = UnixConnection(path)
        try:
            self._connection.request("POST", "/v1/admissions", json.dumps(body))
            self._response = self._connection.getresponse()
        except OSError:
            self._connection.close()
            raise
        self.status = self._response.status
        self.first: dict[str, Any]
        if self.status == 200:
            self.first = json.loads(self._response.readline())
        else:
            self.first = json.loads(self._response.read())
            self.leave()

    @property
    def admitted(self) -> bool:
        return self.status == 200

    def next_event(self) -> dict[str, object]:
        line = self._response.readline()
        assert line, "the daemon ended the response"
        decoded = json.loads(line)
        assert isinstance(decoded, dict)
        return decoded

    def ended(self) -> bool:
        """Whether the daemon has ended the response; waits for a line or that."""
        return not self._response.readline()

    def leave(self) -> None:
        self._response.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


class Daemon:
    """`kong-mesh-cp run` with its state, socket and ports in a directory of its own.

    The environment is exactly what is given, beside PATH and what places the daemon there.
    """

    def __init__(
        self,
        directory: Path,
        *flags: str,
        environment: Mapping[str, str] | None = None,
        wrapper: tuple[str, ...] = (),
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        self.directory = directory
        self.state = directory / "state"
        # Not below `directory`: a Unix socket's path may have 107 bytes, and pytest's have many.
        self._sockets = tempfile.TemporaryDirectory(prefix="kmesh-")
        self.socket = Path(self._sockets.name) / "run" / "admission.sock"
        self.stdout = directory / "stdout"
        self.flags = flags
        self.wrapper = wrapper
        self._pass_fds = pass_fds
        self.environment = {
            "PATH": os.environ["PATH"],
            "KUMA_GENERAL_WORK_DIR": str(self.state),
            "KMESH_ADMISSION_SOCKET": str(self.socket),
            "KUMA_API_SERVER_HTTP_INTERFACE": "127.0.0.1",
            "KUMA_API_SERVER_HTTP_PORT": "0",
            "KUMA_API_SERVER_HTTPS_INTERFACE": "127.0.0.1",
            "KUMA_API_SERVER_HTTPS_PORT": "0",
            "KUMA_DIAGNOSTICS_SERVER_PORT": "0",
            "KUMA_DP_SERVER_PORT": "0",
            "KUMA_MONITORING_ASSIGNMENT_SERVER_PORT": "0",
            "KUMA_MULTIZONE_GLOBAL_KDS_GRPC_PORT": "0",
            **(environment or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None
        self._stderr = bytearray()
        self._notifications: list[str] = []
        self._notified = threading.Condition()
        self._reader: threading.Thread | None = None
        self.addresses: dict[str, str] = {}

    @property
    def command(self) -> tuple[str, ...]:
        """What Python runs, before the flags."""
        return ("-m", "kong_mesh_cp", "run", "--banner")

    def launch(self) -> Self:
        """Start the process without waiting for anything."""
        self.directory.mkdir(parents=True, exist_ok=True)
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify_path = Path(self._sockets.name) / "notify"
        notify_path.unlink(missing_ok=True)
        notify.bind(os.fspath(notify_path))
        self._notifications.clear()
        with self.stdout.open("wb") as stdout:
            self.process = subprocess.Popen(
                [*self.wrapper, sys.executable, *self.command, *self.flags],
                env={**self.environment, "NOTIFY_SOCKET": str(notify_path)},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.PIPE,
                cwd=self.directory,
                pass_fds=self._pass_fds,
            )
        self._reader = threading.Thread(target=self._collect, args=(notify,))
        self._reader.start()
        return self

    def start(self) -> Self:
        """Start and wait for READY=1. Fails with the daemon's stderr when it exits instead."""
        self.launch()
        with self._notified:
            ready = self._notified.wait_for(
                lambda: self._said("READY=1") or self._ended(), START_SECONDS_MAX
            )
        assert ready and self._said("READY=1"), f"not ready: {self.stderr}"
        banner = self.stdout.read_text()
        self.addresses = dict(
            re.findall(r"(admission|api-https|api|proxies|monitoring|diagnostics) +(\S+)", banner)
        )
        return self

    def _collect(self, notify: socket.socket) -> None:
        assert self.process is not None and self.process.stderr is not None
        notify.settimeout(0.05)
        os.set_blocking(self.process.stderr.fileno(), False)
        ended = False
        while True:
            ended = self.process.poll() is not None
            datagram = ""
            with contextlib.suppress(TimeoutError):
                datagram = notify.recv(65536).decode()
            # First what was logged before: whoever waits for a notification looks at it next.
            while chunk := self.process.stderr.read(65536):
                self._stderr += chunk
            if datagram:
                with self._notified:
                    self._notifications.extend(datagram.split("\n"))
                    self._notified.notify_all()
            if ended:
                break
        with self._notified:
            self._notified.notify_all()
        self.process.stderr.close()
        notify.close()

    def _said(self, line: str) -> bool:
        return line in self._notifications

    def _ended(self) -> bool:
        assert self.process is not None
        return self.process.poll() is not None

    @property
    def stderr(self) -> str:
        return self._stderr.decode()

    @property
    def notifications(self) -> list[str]:
        """Every line sent through sd_notify since the last launch."""
        with self._notified:
            return list(self._notifications)

    @property
    def status_text(self) -> str:
        texts = [line for line in self.notifications if line.startswith("STATUS=")]
        return texts[-1].removeprefix("STATUS=") if texts else ""

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def exit_status(self) -> int:
        """Wait for the process to end by itself."""
        assert self.process is not None and self._reader is not None
        status = self.process.wait(STOP_SECONDS_MAX)
        self._reader.join(STOP_SECONDS_MAX)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.send_signal(number)
        return self.exit_status()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop(signal.SIGKILL)
        self._sockets.cleanup()

    def seat(self, name: str, mesh: str = "default", **extra: object) -> Seat:
        return Seat(self.socket, name, mesh, **extra)

    def local(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Ask on the admission socket."""
        return answer_of(UnixConnection(self.socket), method, path, body, {})

    def api(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        return answer_of(self._tcp("api"), method, path, body, headers or {})

    def diagnostics(self, path: str) -> Answer:
        return answer_of(self._tcp("diagnostics"), "GET", path, None, {})

    def https(
        self, path: str, context: ssl.SSLContext | None = None, host: str = "localhost"
    ) -> Answer:
        """GET with TLS; the certificate must be for `host` and, by default, the one made here."""
        trusted = context or ssl.create_default_context(cafile=self.state / "kuma-cp.crt")
        port = int(self.addresses["api-https"].rpartition(":")[2])
        connection = http.client.HTTPSConnection(
            host, port, timeout=START_SECONDS_MAX, context=trusted
        )
        return answer_of(connection, "GET", path, None, {})

    def bootstrap(
        self,
        request: Mapping[str, object] | bytes,
        headers: Mapping[str, str] | None = None,
        *,
        host: str = "localhost",
        context: ssl.SSLContext | None = None,
    ) -> Answer:
        """POST to the server for proxies, as kuma-dp does; the certificate must be for `host`."""
        trusted = context or ssl.create_default_context(cafile=self.state / "kuma-cp.crt")
        port = int(self.addresses["proxies"].partition(" ")[0].rpartition(":")[2])
        connection = http.client.HTTPSConnection(
            host, port, timeout=START_SECONDS_MAX, context=trusted
        )
        body = request if isinstance(request, bytes) else json.dumps(request).encode()
        said = {"accept": "application/json", "content-type": "application/json"}
        return answer_of(connection, "POST", "/bootstrap", body, {**said, **(headers or {})})

    def _tcp(self, name: str) -> http.client.HTTPConnection:
        host, _, port = self.addresses[name].removeprefix("http://").rpartition(":")
        return http.client.HTTPConnection(host, int(port), timeout=START_SECONDS_MAX)

    def metric(self, name: str) -> float:
        text = self.diagnostics("/metrics").body.decode()
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        assert found, f"no metric {name} in:\n{text}"
        return float(found.group(1))


def answer_of(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None,
    headers: Mapping[str, str],
) -> Answer:
    """One request and its answer, on a connection that ends with it."""
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, response.read(), dict(response.headers))
    finally:
        connection.close()


def eventually(what: str, condition: object, seconds_max: float = START_SECONDS_MAX) -> None:
    """Poll `condition` until it is true. The bound only ends a test that has failed already."""
    assert callable(condition)
    end = time.monotonic() + seconds_max
    while not condition():
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.01)


@contextlib.contextmanager
def running(
    directory: Path, *flags: str, environment: Mapping[str, str] | None = None
) -> Iterator[Daemon]:
    with Daemon(directory, *flags, environment=environment) as daemon:
        yield daemon.start()
