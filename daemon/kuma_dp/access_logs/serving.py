"""The pipe that Envoy writes access logs into, and who reads them out of it.

Source: docs/wire/beside-envoy.md#access-logs
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from pathlib import Path
from typing import Final

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ListenError
from kuma_dp.access_logs.records import Collector, Lines, MalformedRecordError, read_record
from kuma_dp.access_logs.sending import Sending
from kuma_dp.seldom import Seldom

log = logging.getLogger(__name__)

READ_BYTES_MAX: Final = 32 * 1024  # before other tasks run
PIPE_BYTES: Final = 1024 * 1024  # that Envoy may be ahead of us; the kernel may give less
COLLECTORS_MAX: Final = 32  # at once; records for more are dropped
FAREWELL_SECONDS_MAX: Final = 2.0  # for what waits at the end


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLogSettings:
    """Where the pipe is: `access_log_socket` of the control plane's bootstrap says it."""

    pipe: Path


async def serve(
    settings: AccessLogSettings, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Pass records on until cancelled. Started when the pipe is there, before which Envoy would
    make a file in its place.

    Cancelled, it sends what Envoy has written until then, for FAREWELL_SECONDS_MAX: so it is
    cancelled when Envoy has ended. The pipe is removed at the end.
    Raises: ListenError (`pipe-unusable`).
    """
    descriptor = _opened(settings.pipe)
    try:
        async with trio.open_nursery() as nursery:
            forwarding = _Forwarding(descriptor)
            nursery.start_soon(forwarding.run)
            log.info("access-log-serving: Envoy's records are read from %s", settings.pipe)
            task_status.started()
            try:
                await trio.sleep_forever()
            finally:
                forwarding.stop()
    finally:
        os.close(descriptor)
        settings.pipe.unlink(missing_ok=True)


def _opened(pipe: Path) -> int:
    """A new pipe in place of whatever was there."""
    try:
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe, 0o600)  # Envoy is of the same user; others have no business with it
        # For writing, too, though nothing is written: so it has no end while Envoy is away.
        descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ListenError(
            f"there can be no pipe for access logs at {pipe}: {error.strerror}",
            code="pipe-unusable",
            hint="Choose another directory (KUMA_DATAPLANE_RUNTIME_SOCKET_DIR).",
        ) from error
    # A user may have too many pipes for another large one: then this one is of 64 KiB.
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return descriptor


class _Forwarding:
    """Reads the pipe, whatever the collectors do, and gives each its records."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines = Lines()
        self._sendings: dict[Collector, Sending] = {}
        self._stopped = trio.Event()
        self._seldom = Seldom(log)

    def stop(self) -> None:
        self._stopped.set()

    async def run(self) -> None:
        """Until stopped; what waits then is sent, if that is possible soon."""
        with trio.CancelScope(shield=True) as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, nursery)
                await self._stopped.wait()
                scope.deadline = trio.current_time() + FAREWELL_SECONDS_MAX
                for _ in range(PIPE_BYTES // READ_BYTES_MAX):
                    self._take_what_is_there(nursery)
                    await trio.lowlevel.checkpoint()
                for sending in tuple(self._sendings.values()):
                    await sending.wait_empty()
                nursery.cancel_scope.cancel()

    async def _read(self, nursery: trio.Nursery) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._descriptor)
            self._take_what_is_there(nursery)

    def _take_what_is_there(self, nursery: trio.Nursery) -> None:
        try:
            data = os.read(self._descriptor, READ_BYTES_MAX)
        except BlockingIOError:
            return
        for line in self._lines.feed(data):
            self._pass_on(line, nursery)
        if self._lines.left_out:
            self._lines.left_out = 0
            self._seldom.warn(
                "long",
                "access-log-malformed: a record is too long, and is dropped. Shorten the format in"
                " the MeshAccessLog or TrafficLog",
            )

    def _pass_on(self, line: bytes, nursery: trio.Nursery) -> None:
        try:
            record = read_record(line)
        except MalformedRecordError as error:
            self._seldom.warn(
                "malformed",
                f"access-log-malformed: a record is dropped: {error}. Correct the backend in the"
                " MeshAccessLog or TrafficLog",
            )
            return
        sending = self._sendings.get(record.collector)
        if sending is None:
            if len(self._sendings) >= COLLECTORS_MAX:
                self._seldom.warn(
                    "many",
                    f"access-log-dropped: records go to {COLLECTORS_MAX} collectors already;"
                    " those for more are dropped. Name fewer in MeshAccessLogs and TrafficLogs",
                )
                return
            sending = self._sendings[record.collector] = Sending(record.collector, self._seldom)
            nursery.start_soon(self._send, record.collector, sending)
        sending.offer(record.line)

    async def _send(self, collector: Collector, sending: Sending) -> None:
        try:
            await sending.run()
        finally:
            del self._sendings[collector]
