"""The programs of the demo: started, watched, ended with all that they have started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

from kong_mesh_demo.services import HERE

WAIT_SECONDS_MAX: Final = 60.0  # for anything; a slow machine takes a few
LOOK_SECONDS: Final = 0.02
END_SECONDS_MAX: Final = 10.0  # twice what kuma-dp is told to drain, and then some
SHOWN_LINES: Final = 20

Found = TypeVar("Found")


class DemoError(Exception):
    """It does not go on. The text says why."""


class Program:
    """A running process that writes to a log of its own."""

    def __init__(
        self, name: str, command: list[str], log: Path, environment: Mapping[str, str]
    ) -> None:
        self.name, self._log = name, log
        with log.open("wb") as output:
            # Of its own group: a Ctrl-C in the terminal ends the demo, which ends it.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    def check(self) -> None:
        """Raises: DemoError with the end of its log if it has ended."""
        status = self._process.poll()
        if status is not None:
            shown = "\n".join(self.log.splitlines()[-SHOWN_LINES:])
            raise DemoError(f"{self.name} has ended with status {status}:\n{shown}")

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def end(self) -> None:
        """End it, and whatever of its group is then still there."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS_MAX)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Programs:
    """All that run; what is waited for is given up when one of them ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[Program] = []

    def start(
        self, name: str, *command: str, environment: Mapping[str, str] | None = None
    ) -> Program:
        program = Program(name, list(command), self._folder / f"{name}.log", environment or {})
        self._running.append(program)
        return program

    def wait_for(self, what: str, look: Callable[[], Found | None]) -> Found:
        """The first thing that `look` finds. Raises: DemoError."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            self.check()
            found = look()
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise DemoError(f"still not after {WAIT_SECONDS_MAX:.0f} s: {what}")
            time.sleep(LOOK_SECONDS)

    def check(self) -> None:
        for program in self._running:
            program.check()

    @contextlib.contextmanager
    def ended_at_exit(self) -> Iterator[None]:
        """The last that was started ends first: proxies before their control plane."""
        try:
            yield
        finally:
            while self._running:
                self._running.pop().end()


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now, for who has to be told before it listens."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HERE, 0))
        return [each.getsockname()[1] for each in sockets]
