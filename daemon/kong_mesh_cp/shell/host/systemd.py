"""Messages to systemd's service manager, and the sockets it hands over."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from typing import Self

import sdnotify

from kong_mesh_cp.core.errors import ListenError
from kong_mesh_cp.core.formats.printable import printable

LISTEN_FDS_START = 3  # sd_listen_fds(3)


class ServiceManager:
    """Speaks sd_notify(3) to the service manager; silent where there is none.

    Resource handling: a context manager that closes its socket.
    """

    def __init__(self) -> None:
        self._notifier = sdnotify.SystemdNotifier()
        self._status = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._notifier.socket is not None:
            self._notifier.socket.close()

    def starting(self, seconds: float) -> None:
        """The start may take so long from now on, whatever it has taken until now."""
        self._notifier.notify(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    def ready(self, status: str) -> None:
        """Every listener serves, and what it serves is there. Also ends a reload."""
        self._status = status
        self._notifier.notify(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        """Shown by `systemctl status`; sent only when it changes."""
        if text != self._status:
            self._status = text
            self._notifier.notify(f"STATUS={text}")

    def reloading(self) -> None:
        # Without the timestamp, systemd ≥ 253 lets the reload of a notify-reload unit time out.
        now_usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._notifier.notify(f"RELOADING=1\nMONOTONIC_USEC={now_usec}")

    def stopping(self, status: str) -> None:
        self._notifier.notify(f"STOPPING=1\nSTATUS={status}")

    def refused(self, status: str, errno: int) -> None:
        """The start is refused: `systemctl status` shows the text and the errno's name."""
        self._notifier.notify(f"STATUS={status}\nERRNO={errno}")

    def alive(self) -> None:
        self._notifier.notify("WATCHDOG=1")


def inherited_sockets(names: tuple[str, ...]) -> dict[str, list[socket.socket]]:
    """The listening sockets of $LISTEN_FDS, by their FileDescriptorName=.

    `names` has one entry per descriptor, in order. The caller owns the sockets.
    Raises: ListenError `socket-not-inherited` for a descriptor that is closed or no socket.
    """
    inherited: dict[str, list[socket.socket]] = {}
    with ExitStack() as unless_all_are_sockets:
        for number, name in enumerate(names, LISTEN_FDS_START):
            listener = unless_all_are_sockets.enter_context(_inherited(number, name))
            inherited.setdefault(name, []).append(listener)
        unless_all_are_sockets.pop_all()
    return inherited


def _inherited(number: int, name: str) -> socket.socket:
    try:
        listener = socket.socket(fileno=number)
    except OSError as error:
        raise ListenError(
            f"LISTEN_FDS promises a socket as descriptor {number} ({printable(name)}), which cannot"
            f" be used: {error.strerror}",
            code="socket-not-inherited",
            hint="Let kong-mesh-cp-admission.socket start the service, or unset LISTEN_FDS.",
        ) from error
    listener.set_inheritable(False)
    listener.setblocking(False)
    return listener
