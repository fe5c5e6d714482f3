"""Envoy's process: it never outlives this one, and its output is read by this one."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import trio

from kuma_dp.errors import NotMendedByWaitingError

TERM_SECONDS_MAX: Final = 5.0  # from SIGTERM to SIGKILL
LINE_BYTES_MAX: Final = 64 * 1024  # of its log; what is longer is cut into several
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_CHUNK_BYTES: Final = 64 * 1024


class EnvoyProcess:
    """A running Envoy. Whoever starts it calls `close`.

    It gets SIGKILL from the kernel at the end of the thread that started it: it is therefore
    started by the main thread, whose end is the end of this process, however that comes.
    """

    def __init__(self, path: str, arguments: Sequence[str], folder: str) -> None:
        """Start it in `folder`. Raises: NotMendedByWaitingError `envoy-unusable`."""
        log_read, log_write = os.pipe2(os.O_CLOEXEC)
        out_read, out_write = os.pipe2(os.O_CLOEXEC)
        try:
            self._process = subprocess.Popen(
                [path, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out_write,
                stderr=log_write,
                cwd=folder,
                process_group=0,  # Ctrl-C is for this process, which lets it drain
                preexec_fn=_dying_with(os.getpid()),  # noqa: PLW1509 - no other thread holds a lock
            )
        except OSError as error:
            os.close(log_read)
            os.close(out_read)
            raise NotMendedByWaitingError(
                f"{path} cannot be started: {error.strerror}",
                code="envoy-unusable",
                hint="Install the package kong-mesh-envoy, or give --binary-path.",
            ) from None
        finally:
            os.close(log_write)
            os.close(out_write)
        self._log, self._out = trio.lowlevel.FdStream(log_read), trio.lowlevel.FdStream(out_read)
        self.pid = self._process.pid
        self._pidfd = os.pidfd_open(self.pid)

    async def ended(self) -> int:
        """Wait for its end; the status as shells have it, negative for a signal."""
        await trio.lowlevel.wait_readable(self._pidfd)
        return self._process.wait()

    async def read_log(self, line_read: Callable[[str], None]) -> None:
        """Call `line_read` with each line of its log, until it has none any more."""
        rest = b""
        async for chunk in self._log:
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > LINE_BYTES_MAX:
                lines, rest = [*lines, rest], b""
            for line in lines:
                line_read(line.decode(errors="replace"))
        if rest:
            line_read(rest.decode(errors="replace"))

    async def pass_output_on(self) -> None:
        """Give what it writes to its standard output (access logs) to ours, byte by byte."""
        # In a thread: our standard error, mostly the same file, must not become non-blocking.
        with suppress(OSError):  # nobody reads it
            async for chunk in self._out:
                await trio.to_thread.run_sync(_write_out, chunk, abandon_on_cancel=True)

    def kill(self) -> None:
        """End it now."""
        if self._process.poll() is None:
            self._process.kill()

    async def close(self) -> None:
        """End it if it has not ended, and give back what was held for it."""
        self.kill()
        self._process.wait()
        os.close(self._pidfd)
        await trio.aclose_forcefully(self._log)
        await trio.aclose_forcefully(self._out)

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)


def _write_out(data: bytes | bytearray) -> None:
    """Raises: OSError."""
    while data:
        data = data[os.write(1, data) :]


def _dying_with(parent: int) -> Callable[[], None]:
    """What the new process does before it becomes Envoy."""
    libc = ctypes.CDLL(None)

    def before_exec() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it has ended in between: nobody would tell us
            os._exit(1)

    return before_exec
