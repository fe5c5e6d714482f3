"""Many clients that take and give back seats, killed at random: a program of its own.

    python storm.py SOCKET DIRECTORY CLIENTS ROUNDS SEED

Every client is a process with one proxy name. A round is one answered request. A client writes
down when it surely held its seat: from after the first line arrived until before it closes (or
was killed). These spans lie inside the true ones, so more than LIMIT of them at one instant prove
an over-admission. DIRECTORY gets one `N.spans` file a client and `progress`, the rounds done.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import select
import signal
import socket
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from support.suites.patience import HANG_SECONDS

ROUND_FIELD, OPEN_FIELD, KILLED_FIELD, KNOWN_FIELD = range(4)  # 8-byte fields of a client's record
RECORD_BYTES = 32
HOLD_SECONDS_MAX = 0.002
KILL_EVERY_SECONDS = 0.02
RETRY_SECONDS = 0.005
ANSWER_SECONDS_MAX = HANG_SECONDS


class SharedRecords:
    """What clients and their killer both see: plain 8-byte fields in a mapped file."""

    def __init__(self, path: Path, clients: int) -> None:
        if not path.exists() or path.stat().st_size < clients * RECORD_BYTES:
            path.write_bytes(bytes(clients * RECORD_BYTES))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), clients * RECORD_BYTES)

    def get(self, client: int, field: int) -> int:
        value: int = struct.unpack_from("<q", self._memory, client * RECORD_BYTES + field * 8)[0]
        return value

    def put(self, client: int, field: int, value: int) -> None:
        struct.pack_into("<q", self._memory, client * RECORD_BYTES + field * 8, value)


@dataclass
class Client:
    index: int
    socket_path: str
    records: SharedRecords
    spans: Path

    def note(self, line: str) -> None:
        with self.spans.open("a") as file:
            file.write(line + "\n")

    def run(self, rounds: int, random_: random.Random) -> None:
        records, me = self.records, self.index
        if started := records.get(me, OPEN_FIELD):
            # The process before this one was killed while it held the seat.
            self.note(f"held {started} {records.get(me, KILLED_FIELD)}")
            records.put(me, OPEN_FIELD, 0)
        while (done := records.get(me, ROUND_FIELD)) < rounds:
            if self.round(random_):
                records.put(me, ROUND_FIELD, done + 1)
            else:
                time.sleep(RETRY_SECONDS)

    def round(self, random_: random.Random) -> bool:
        """One request. False when no daemon answered it."""
        body = f'{{"mesh":"default","name":"proxy-{self.index}"}}'
        request = (
            f"POST /v1/admissions HTTP/1.1\r\nHost: l\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_SECONDS_MAX)
            try:
                connection.connect(self.socket_path)
                connection.sendall(request.encode())
                answer = self._answer(connection)
            except OSError:
                return False
            if not answer:
                return False
            self._judge(answer, connection, random_)
        return True

    @staticmethod
    def _answer(connection: socket.socket) -> bytes:
        answer = b""
        while not (b"\r\n\r\n" in answer and answer.endswith((b"\n", b"}"))):
            received = connection.recv(65536)
            if not received:
                return b""
            answer += received
        return answer

    def _judge(self, answer: bytes, connection: socket.socket, random_: random.Random) -> None:
        if answer.startswith(b"HTTP/1.1 200 "):
            self._hold(connection, random_)
        elif answer.startswith(b"HTTP/1.1 403 ") and b'"license-limit"' in answer:
            if self.records.get(self.index, KNOWN_FIELD):
                self.note("known-refused")
                self.records.put(self.index, KNOWN_FIELD, 0)
        else:
            self.note("unexpected " + repr(answer[:300]))

    def _hold(self, connection: socket.socket, random_: random.Random) -> None:
        records, me = self.records, self.index
        started = time.monotonic_ns()
        records.put(me, OPEN_FIELD, started)
        records.put(me, KNOWN_FIELD, 0)
        seconds = random_.random() * HOLD_SECONDS_MAX
        gone, _, _ = select.select([connection], [], [], seconds)
        ended = time.monotonic_ns()
        self.note(f"held {started} {ended}")
        records.put(me, OPEN_FIELD, 0)
        if gone and _at_end(connection):
            # The daemon died under a held seat: it must know this proxy when it is back.
            records.put(me, KNOWN_FIELD, 1)


def _at_end(connection: socket.socket) -> bool:
    try:
        return connection.recv(65536) == b""
    except OSError:
        return True


def _spawn(client: Client, rounds: int, seed: int) -> int:
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        client.run(rounds, random.Random(seed))
        os._exit(0)
    return pid


def main(argv: list[str]) -> NoReturn:
    socket_path, directory = argv[0], Path(argv[1])
    clients, rounds, seed = (int(text) for text in argv[2:5])
    random_ = random.Random(seed)
    records = SharedRecords(directory / "records", clients)
    crew = [Client(i, socket_path, records, directory / f"{i}.spans") for i in range(clients)]
    living = {_spawn(client, rounds, random_.randrange(1 << 30)): client for client in crew}
    while living:
        time.sleep(KILL_EVERY_SECONDS)
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                client = living.pop(ended[0])
                if ended[1]:
                    client.note(f"unexpected exit {ended[1]}")
        if living:
            pid = random_.choice(list(living))
            client = living.pop(pid)
            records.put(client.index, KILLED_FIELD, time.monotonic_ns())
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            # It may have been readmitted a moment before it could write that down; then its seat
            # has come free with its death.
            records.put(client.index, KNOWN_FIELD, 0)
            living[_spawn(client, rounds, random_.randrange(1 << 30))] = client
    sys.exit(0)


def merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """One client's spans as a set of instants: it may write a span down twice when it is killed."""
    union: list[tuple[int, int]] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(end, union[-1][1]))
        else:
            union.append((start, end))
    return union


def most_at_once(spans: list[tuple[int, int]]) -> int:
    """The largest number of spans that overlap at one instant."""
    edges = sorted([(end, -1) for _, end in spans] + [(start, 1) for start, _ in spans])
    most = now = 0
    for _, change in edges:
        now += change
        most = max(most, now)
    return most


if __name__ == "__main__":
    main(sys.argv[1:])
