"""Bytes to a TCP listener, and what comes back: for requests that no client library would send."""

from __future__ import annotations

import contextlib
import re
import socket
from dataclasses import dataclass

from support.suites.patience import HANG_SECONDS

SECONDS_MAX = HANG_SECONDS
_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: bytes
    body: bytes


def request(
    method: str,
    target: str,
    body: bytes = b"",
    *headers: str,
    content_type: str = "application/json",
) -> bytes:
    """One whole request with the length of its body."""
    lines = [
        f"{method} {target} HTTP/1.1",
        "Host: localhost",
        *([f"Content-Type: {content_type}"] if content_type else []),
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def connected(address: str) -> socket.socket:
    """A connection to `http://HOST:PORT`."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=SECONDS_MAX)


def exchange(address: str, data: bytes) -> list[Reply]:
    """Send `data`, then nothing more; the replies up to the end of the connection."""
    with connected(address) as connection:
        with contextlib.suppress(ConnectionError):  # refused before all of it was read
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        return replies(received(connection))


def received(connection: socket.socket) -> bytes:
    """All there is to read up to the end."""
    heard = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            heard += piece
    return heard


def replies(heard: bytes) -> list[Reply]:
    found = []
    while head := _HEAD.match(heard):
        length = _LENGTH.search(head[2])
        end = head.end() + (int(length[1]) if length else 0)
        found.append(Reply(int(head[1]), head[2], heard[head.end() : end]))
        heard = heard[end:]
    assert not heard, heard[:200]
    return found
