"""Sends records to one collector, over one connection, and waits for nobody but it."""

from __future__ import annotations

import logging
from collections import deque
from typing import Final

import trio

from kong_mesh_cp.core.formats.printable import printable
from kuma_dp.access_logs.records import Collector
from kuma_dp.seldom import Seldom

log = logging.getLogger(__name__)

CONNECT_SECONDS_MAX: Final = 5.0
SEND_SECONDS_MAX: Final = 10.0  # for one batch; who takes none of it for so long is gone
WAITING_BYTES_MAX: Final = 2 * 1024 * 1024  # for one collector; what comes then is dropped
BATCH_BYTES_MAX: Final = 16 * 1024  # what is lost at most when a connection breaks
RETRY_SECONDS_MIN: Final = 0.5
RETRY_SECONDS_MAX: Final = 15.0
IDLE_SECONDS_MAX: Final = 300.0  # without a record; then the connection is closed


class Sending:
    """The records for one collector. `run` sends what `offer` was given."""

    def __init__(self, collector: Collector, seldom: Seldom) -> None:
        self._collector = collector
        self._name = printable(str(collector))
        self._seldom = seldom
        self._waiting = deque[bytes]()
        self._bytes = 0  # of what waits and what is being sent
        self._changed = trio.Event()

    def offer(self, line: bytes) -> None:
        """Send `line` when its turn comes; drop it where too much waits already."""
        if self._bytes + len(line) > WAITING_BYTES_MAX:
            self._seldom.warn(
                f"full {self._name}",
                f"access-log-dropped: records for {self._name} are dropped:"
                f" {WAITING_BYTES_MAX // 2**20} MiB wait for it already. Let it take more, or log"
                " less",
            )
            return
        self._waiting.append(line)
        self._count(len(line))

    async def wait_empty(self) -> None:
        while self._bytes:
            await self._changed.wait()

    async def run(self) -> None:
        """Until no record has come for IDLE_SECONDS_MAX. Nothing the collector does is raised."""
        pause = RETRY_SECONDS_MIN
        while await self._has_records():
            stream = await self._connected()
            if stream is None:
                await trio.sleep(pause)
                pause = min(2 * pause, RETRY_SECONDS_MAX)
                continue
            log.info("access-log-connected: records are sent to %s", self._name)
            pause = RETRY_SECONDS_MIN
            async with stream:
                await self._send_over(stream)

    async def _has_records(self) -> bool:
        """Wait for one. False: none has come."""
        with trio.move_on_after(IDLE_SECONDS_MAX):
            while not self._waiting:
                await self._changed.wait()
        return bool(self._waiting)

    async def _connected(self) -> trio.SocketStream | None:
        try:
            with trio.fail_after(CONNECT_SECONDS_MAX):
                return await trio.open_tcp_stream(self._collector.host, self._collector.port)
        except trio.TooSlowError:
            why = f"no connection within {CONNECT_SECONDS_MAX:.0f} s"
        except (OSError, ValueError) as error:  # ValueError: a host that cannot be encoded
            why = str(error)
        self._warn_unsent(why)
        return None

    async def _send_over(self, stream: trio.SocketStream) -> None:
        """Until the connection breaks, or no record has come for long."""
        while await self._has_records():
            batch = self._batch()
            try:
                with trio.fail_after(SEND_SECONDS_MAX):
                    await stream.send_all(batch)
            except (trio.BrokenResourceError, trio.TooSlowError) as error:
                # Sent again, records might come twice, and cut in two: they are lost instead.
                self._warn_unsent(str(error.__cause__ or "it takes nothing"))
                return
            finally:
                self._count(-len(batch))

    def _batch(self) -> bytes:
        lines = [self._waiting.popleft()]
        size = len(lines[0])
        while self._waiting and size + len(self._waiting[0]) <= BATCH_BYTES_MAX:
            lines.append(self._waiting.popleft())
            size += len(lines[-1])
        return b"".join(lines)

    def _count(self, size: int) -> None:
        self._bytes += size
        self._changed.set()
        self._changed = trio.Event()

    def _warn_unsent(self, why: str) -> None:
        self._seldom.warn(
            f"unsent {self._name}",
            f"access-log-unsent: records cannot be sent to {self._name} ({printable(why)});"
            f" up to {WAITING_BYTES_MAX // 2**20} MiB of them wait for it. Start it, or name"
            " another in the MeshAccessLog or TrafficLog",
        )
