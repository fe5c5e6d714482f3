"""Crowds of clients that would keep everybody else out, and how long those others wait."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.daemons.daemon import START_SECONDS_MAX, Daemon, eventually
from support.fakes.users import without_root

LISTED = 30  # resources of LARGE_BYTES
LARGE_BYTES = 1_000_000
SLOW_READERS = 120
IDLE = 1024
USERS, OF_EACH_USER = 64, 64
FIRST_UID = 20_000
WRITERS = 50
WRITTEN_BYTES = 560_000
BUFFER_BYTES = 4096  # of a client that wants to seem slow
RENEWALS_AT_ONCE = 5
RENEWAL_SECONDS = 0.05  # between two looks at who was sent away
LIST = "/meshes/default/meshaccesslogs?size=1000"

Connect = Callable[[], socket.socket]


def large_resource(name: str, size: int = LARGE_BYTES) -> tuple[str, bytes]:
    """Where it is put, and what."""
    backend = {
        "type": "File",
        "file": {"path": "/dev/null", "format": {"type": "Plain", "plain": "x" * size}},
    }
    spec = {
        "targetRef": {"kind": "Mesh"},
        "from": [{"targetRef": {"kind": "Mesh"}, "default": {"backends": [backend]}}],
    }
    document = {"type": "MeshAccessLog", "mesh": "default", "name": name, "spec": spec}
    return f"/meshes/default/meshaccesslogs/{name}", json.dumps(document).encode()


def fill(daemon: Daemon, count: int = LISTED) -> None:
    eventually("there is a mesh", lambda: daemon.api("GET", "/meshes/default").status == 200)
    for number in range(count):
        path, body = large_resource(f"large-{number}")
        answer = daemon.api("PUT", path, {"Content-Type": "application/json"}, body)
        assert answer.status == 201, answer.body


def tcp(address: str, port: int) -> Connect:
    def connect() -> socket.socket:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        connection.settimeout(START_SECONDS_MAX)
        connection.connect((address, port))
        return connection

    return connect


def unix(path: Path) -> Connect:
    def connect() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(START_SECONDS_MAX)
        connection.connect(os.fspath(path))
        return connection

    return connect


@contextmanager
def crowd(count: int, connect: Connect, said: bytes = b"") -> Iterator[None]:
    """`count` connections that say `said` and read nothing. Who is sent away comes again."""
    stop = threading.Event()
    poll = select.epoll()
    connections: dict[int, socket.socket] = {}

    def join() -> None:
        with contextlib.suppress(OSError):
            connection = connect()
            connections[connection.fileno()] = connection
            poll.register(connection, select.EPOLLRDHUP)
            connection.sendall(said)

    def renew() -> None:
        while not stop.is_set():
            for descriptor, _ in poll.poll(RENEWAL_SECONDS, RENEWALS_AT_ONCE):
                connections.pop(descriptor).close()
            for _ in range(min(RENEWALS_AT_ONCE, count - len(connections))):
                join()
            stop.wait(RENEWAL_SECONDS)

    for _ in range(count):
        join()
    thread = threading.Thread(target=renew)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        for connection in connections.values():
            connection.close()
        poll.close()


@contextmanager
def users(path: Path) -> Iterator[None]:
    """USERS with OF_EACH_USER connections to the admission socket each. Only for root."""
    connect = unix(path)
    with contextlib.ExitStack() as stack:
        for uid in range(FIRST_UID, FIRST_UID + USERS):
            with without_root(uid):
                for _ in range(OF_EACH_USER):
                    with contextlib.suppress(OSError):
                        stack.enter_context(connect())
        yield


@contextmanager
def writers(address: str, port: int) -> Iterator[None]:
    """WRITERS without a token who send large bodies, one after the other."""
    stop = threading.Event()
    path, body = large_resource("unwanted", WRITTEN_BYTES)
    # Whoever was forwarded is not an administrator, also on this machine.
    headers = {"Content-Type": "application/json", "X-Forwarded-For": "192.0.2.1"}

    def write() -> None:
        while not stop.is_set():
            connection = http.client.HTTPConnection(address, port, timeout=START_SECONDS_MAX)
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("PUT", path, body, headers)
                connection.getresponse().read()
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@dataclass
class Waits:
    """How long those waited who are never to be kept out, in seconds, by what they asked for."""

    daemon: Daemon
    seconds: dict[str, list[float]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def ask_all(self, number: int) -> None:
        """Everything once. `number` is for names."""
        daemon = self.daemon
        self._time("root on the admission socket", lambda: daemon.local("GET", "/v1/ready").status)
        self._time("administrator", lambda: daemon.api("GET", "/global-secrets").status)
        path, body = large_resource("wanted", WRITTEN_BYTES)
        self._time(
            "administrator's large write",
            lambda: daemon.api("PUT", path, {"Content-Type": "application/json"}, body).status,
        )
        self._time("/ready", lambda: daemon.diagnostics("/ready").status)
        self._time("admission", lambda: self._admission(f"fresh-{number}"))

    def longest(self) -> dict[str, float]:
        return {what: max(seconds) for what, seconds in self.seconds.items()}

    def _admission(self, name: str) -> int:
        with self.daemon.seat(name) as seat:
            return seat.status

    def _time(self, what: str, ask: Callable[[], int]) -> None:
        started = time.perf_counter()
        try:
            status: object = ask()
        except (OSError, http.client.HTTPException) as error:
            status = error
        self.seconds.setdefault(what, []).append(time.perf_counter() - started)
        if status not in {200, 201}:
            self.failures.append(f"{what}: {status}")


def resident_mib(pid: int) -> float:
    """The most memory that a process has had resident so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
