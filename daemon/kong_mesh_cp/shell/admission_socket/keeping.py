"""Notices that the admission socket was taken away, and makes it anew."""

from __future__ import annotations

import logging
import socket
import stat
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NoReturn

import trio

from kong_mesh_cp.core.errors import ListenError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.shell.admission_socket.listener import (
    SOCKET_MODE,
    bound,
    group_of_clients,
    is_served,
)

LOOK_SECONDS = 1.0  # between two looks

Serve = Callable[[socket.socket], Awaitable[None]]
"""Serve a new listener in place of the one of before."""

log = logging.getLogger(__name__)


class KeptSocket:
    """The socket at `path`, which is there and served.

    `failure`: why it is gone and cannot be made.
    """

    def __init__(self, path: str, serve: Serve) -> None:
        self._path = Path(path)
        self._serve = serve
        self._has_file = not path.startswith("\0") and path != ""
        # What systemd hands over at a restart may have lost its file before.
        is_there = self._has_file and is_served(self._path)
        self._place = _place(self._path) if is_there else None
        self._access = _access(self._path) if is_there else _access_of_new()
        self.failure: ListenError | None = None

    async def run(self) -> NoReturn:
        """Look until cancelled. Resource handling: closes and removes what it has made itself."""
        with ExitStack() as made:
            while True:
                if not self._has_file or self._is_kept():
                    self._note(None)
                    await trio.sleep(LOOK_SECONDS)
                    continue
                try:
                    again, listener = self._make_anew()
                except ListenError as error:
                    self._note(error)
                    await trio.sleep(LOOK_SECONDS)
                    continue
                former = made.pop_all()
                made.push(again)
                await self._serve(listener)
                former.close()
                self._place = _place(self._path)
                log.warning(
                    "admission-socket-made-again: %s had been removed or replaced; proxies can "
                    "join again, and no seat was lost. See that nobody removes files of a running "
                    "daemon.",
                    printable(self._path),
                )

    def _is_kept(self) -> bool:
        """Whether it is there, as it was."""
        found = _place(self._path)
        return found is not None and found == self._place and not self._is_closed()

    def _is_closed(self) -> bool:
        """Whether it is there, and those who might join may not any more."""
        found, before = _access(self._path), self._access
        if found is None or before is None:
            return False
        return found[1] != before[1] or bool(before[0] & ~found[0])

    def _make_anew(self) -> tuple[ExitStack, socket.socket]:
        """A listener, and what takes it away again. Raises: ListenError."""
        with ExitStack() as unless_right:
            if _place(self._path) == self._place:  # it is ours, and who is there is not asked
                with suppress(OSError):
                    self._path.unlink()
            listener = unless_right.enter_context(bound(self._path))
            if self._access not in {None, _access(self._path)}:
                raise ListenError(
                    f"the admission socket {printable(self._path)} cannot be given to the group of "
                    "before by this user",
                    code="socket-unusable",
                    hint="Restart the service: systemctl restart kong-mesh-cp",
                )
            return unless_right.pop_all(), listener

    def _note(self, failure: ListenError | None) -> None:
        if failure is not None and (self.failure is None or self.failure.line != failure.line):
            log.error(
                "admission-socket-gone: %s; nobody can join, and /ready is 503 until the socket "
                "can be made again. %s If systemd had made it, run: systemctl restart kong-mesh-cp",
                failure.message,
                failure.hint,
            )
        self.failure = failure


def _place(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISSOCK(found.st_mode) else None


def _access(path: Path) -> tuple[int, int] | None:
    """Mode and group: who may join."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return stat.S_IMODE(found.st_mode), found.st_gid


def _access_of_new() -> tuple[int, int] | None:
    """As `_access`, of one that should be there; None: whoever may then."""
    group = group_of_clients()
    return None if group is None else (SOCKET_MODE, group)
