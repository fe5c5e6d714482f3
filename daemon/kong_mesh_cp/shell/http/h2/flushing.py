"""Writes the output of connections once a turn of the loop, however often they had some."""

from __future__ import annotations

from typing import Protocol

import trio

from kong_mesh_cp.shell.http.defects import DefectsLogged
from kong_mesh_cp.shell.http.h2.bounds import FLUSHES_AT_ONCE


class Flushed(Protocol):
    """A connection that has output."""

    def flush(self) -> None:
        """Write what can be written without waiting. Raises nothing that a peer could cause."""
        ...


class Flushing:
    """All connections of one listener. It costs no task: the loop calls back."""

    __slots__ = ("_asked", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[Flushed, None] = {}
        self._asked = False

    def soon(self, connection: Flushed) -> None:
        """Flush `connection` in the next turn."""
        self._waiting[connection] = None
        self._ask()

    def _ask(self) -> None:
        if not self._asked:
            self._asked = True
            trio.lowlevel.current_trio_token().run_sync_soon(self._flush)

    def _flush(self) -> None:
        self._asked = False
        for connection in list(self._waiting)[:FLUSHES_AT_ONCE]:
            del self._waiting[connection]
            # An error here would end the loop itself.
            with DefectsLogged("a connection of the control plane"):
                connection.flush()
        if self._waiting:
            self._ask()
