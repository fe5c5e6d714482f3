"""Kept-open HTTP connections with one request under way on each, all in one thread."""

from __future__ import annotations

import re
import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from support.suites.patience import HANG_SECONDS

RECEIVE_BYTES = 1 << 18
ANSWER_SECONDS_MAX = HANG_SECONDS
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes


def http_request(method: str, path: str, body: bytes | None = None) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
    if body is None:
        return f"{head}\r\n".encode()
    described = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return f"{head}{described}".encode() + body


class KeptConnection:
    """One connection; it remembers what has arrived of the answer that is due."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, ANSWER_SECONDS_MAX)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()

    def send(self, message: bytes) -> None:
        self.socket.sendall(message)

    def receive(self) -> Reply | None:
        """Read once; the answer if it is whole. Raises: ConnectionError where it cannot be any
        more.
        """
        chunk = self.socket.recv(RECEIVE_BYTES)
        if not chunk:
            raise ConnectionResetError
        self._received += chunk
        head, separator, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        if not separator or (length and len(body) < int(length[1])):
            return None
        assert length, bytes(head)
        self._received.clear()
        return Reply(int(head[9:12]), bytes(body))

    def ask(self, method: str, path: str, body: bytes | None = None) -> Reply:
        """Send one request and wait for its answer."""
        self.send(http_request(method, path, body))
        while True:
            if (reply := self.receive()) is not None:
                return reply

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Bundle:
    """Connections by number. Whose answer has come is told in the order of arrival."""

    def __init__(self, address: tuple[str, int], count: int) -> None:
        self._poll = select.epoll()
        self._numbers: dict[int, int] = {}
        self._open: dict[int, KeptConnection] = {}
        for number in range(count):
            connection = KeptConnection(address)
            self._open[number] = connection
            self._numbers[connection.socket.fileno()] = number
            self._poll.register(connection.socket, select.EPOLLIN)

    @property
    def open(self) -> frozenset[int]:
        return frozenset(self._open)

    def send(self, number: int, message: bytes) -> bool:
        """Whether it could be sent. If not, the connection is done with."""
        try:
            self._open[number].send(message)
        except (OSError, KeyError):
            self._drop(number)
            return False
        return True

    def arrived(self) -> Iterator[tuple[int, Reply]]:
        """Wait for something; the answers that became whole. Who was cut off is not in `open`."""
        for descriptor, _ in self._poll.poll(ANSWER_SECONDS_MAX):
            number = self._numbers[descriptor]
            if number not in self._open:
                continue
            try:
                reply = self._open[number].receive()
            except OSError:
                self._drop(number)
                continue
            if reply is not None:
                yield number, reply

    def _drop(self, number: int) -> None:
        connection = self._open.pop(number, None)
        if connection is not None:
            self._poll.unregister(connection.socket)
            connection.close()

    def close(self) -> None:
        for number in list(self._open):
            self._drop(number)
        self._poll.close()
