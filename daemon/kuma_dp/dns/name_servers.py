"""The servers that /etc/resolv.conf names: resolv.conf(5)."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Final

import trio

SERVERS_MAX: Final = 3  # MAXNS of the C library: what comes behind them nobody asks
FILE_BYTES_MAX: Final = 64 * 1024
LOOK_SECONDS: Final = 5.0  # between two looks at the file: a network may have come
NONE_NAMED: Final = "127.0.0.1"  # resolv.conf(5): then the server is on this machine

Server = tuple[str, int]
"""Address and port."""


def named_servers(text: str) -> tuple[str, ...]:
    """The addresses in a resolv.conf, in order; `%` and an interface may follow one."""
    found = list[str]()
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver" and _is_address(words[1]):
            found.append(words[1])
    return tuple(found[:SERVERS_MAX]) or (NONE_NAMED,)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class NameServers:
    """The servers as the file names them now; what it said last where it cannot be read."""

    def __init__(self, file: Path, port: int, *, never: frozenset[Server]) -> None:
        """`never`: who must not be asked, because that is us."""
        self._file = file
        self._port = port
        self._never = never
        self._looked = -LOOK_SECONDS
        self._identity: tuple[int, int, int] | None = None
        self._servers: tuple[Server, ...] = ()

    def now(self) -> tuple[Server, ...]:
        """Reads the file, which is on a disk or in memory, when it has changed."""
        if trio.current_time() >= self._looked + LOOK_SECONDS:
            self._looked = trio.current_time()
            try:
                self._look()
            except OSError:
                # There may be none: /run may not be mounted yet, a network may not be up.
                self._identity = None
        return self._servers

    def _look(self) -> None:
        stat = self._file.stat()
        identity = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if identity == self._identity:
            return
        with self._file.open("rb") as opened:
            text = opened.read(FILE_BYTES_MAX).decode("utf-8", "replace")
        servers = tuple((address, self._port) for address in named_servers(text))
        self._servers = tuple(each for each in servers if each not in self._never)
        self._identity = identity
