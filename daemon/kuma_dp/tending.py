"""Looks after a running Envoy: passes its log on, sees it ready, lets it drain, sees its end."""

from __future__ import annotations

import logging
import signal
from collections.abc import AsyncIterator, Callable

import trio

from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.shell.host.systemd import ServiceManager
from kuma_dp import readiness
from kuma_dp.envoy.admin import Admin, AdminError
from kuma_dp.envoy.log_lines import Finding, LogReader, finding
from kuma_dp.envoy.process import TERM_SECONDS_MAX, EnvoyProcess
from kuma_dp.errors import EnvoyEndedError, NotNowError
from kuma_dp.readiness import State

log = logging.getLogger(__name__)


class Tending:
    """One Envoy from its start to its end."""

    def __init__(
        self,
        process: EnvoyProcess,
        admin: Admin,
        manager: ServiceManager,
        proxy: str,
        *,
        drain_seconds: float,
        renew: Callable[[], bool],
    ) -> None:
        """`proxy` is how lines call it; `renew` asks for a token, False if that is of no use."""
        self._process = process
        self._admin = admin
        self._manager = manager
        self._proxy = proxy
        self._drain_seconds = drain_seconds
        self._renew = renew
        self._reader = LogReader()
        self._state = State.STARTING
        self._stopping = False
        self._worst = ""  # the last line of Envoy that was an error
        self._found: Finding | None = None

    async def until_ended(
        self, signals: AsyncIterator[int], listener: trio.SocketListener | None
    ) -> int:
        """The exit status when it has ended, as asked or with status 0. Raises: EnvoyEndedError,
        NotNowError `port-taken`.
        """
        async with trio.open_nursery() as tasks:
            if listener is not None:
                tasks.start_soon(readiness.serve, listener, lambda: self._state)
            tasks.start_soon(self._become_ready)
            tasks.start_soon(self._obey, signals)
            async with trio.open_nursery() as reading:
                reading.start_soon(self._process.read_log, self._pass_on)
                reading.start_soon(self._process.pass_output_on)
                status = await self._process.ended()
                # What it has said at last is read; what it may have started must not hold us.
                reading.cancel_scope.deadline = trio.current_time() + 1
            tasks.cancel_scope.cancel()
        if self._stopping or status == 0:
            log.info("stopped: Envoy has ended with status %d", status)
            return 0
        raise self._ended(status)

    def _pass_on(self, text: str) -> None:
        line = self._reader.read(text)
        log.log(line.level, "%s", line.text)
        if line.level >= logging.ERROR:
            self._worst = line.text
        if line.level < logging.WARNING:
            return
        found = finding(text)
        if found is None or (found.code == "dataplane-token-refused" and self._renew()):
            return
        if found != self._found:  # Envoy goes on trying, and says so each time
            self._found = found
            log.error("%s", found.line)
            if self._state is State.STARTING:
                self._manager.status(f"starting: {found.line}")

    async def _become_ready(self) -> None:
        self._manager.status("starting: Envoy waits for its configuration")
        if self._admin.port:
            await self._admin.wait_until_live()
        if self._state is State.STARTING:
            self._state = State.READY
            self._found = None
            log.info("ready: %s serves", self._proxy)
            self._manager.ready(f"{self._proxy} serves")

    async def _obey(self, signals: AsyncIterator[int]) -> None:
        drained = False
        async for number in signals:
            if number != signal.SIGUSR2:
                break
            if not drained:
                drained = await self._drain("SIGUSR2")
        # One that has never served has no connections that could end.
        served, self._state = self._state is State.READY, State.TERMINATING
        self._manager.stopping("stopping: waiting for connections to end")
        if served and not drained and await self._drain("a signal to stop"):
            log.info("draining: connections have %g s to end", self._drain_seconds)
            with trio.move_on_after(self._drain_seconds):
                async for number in signals:
                    if number != signal.SIGUSR2:
                        log.info("draining: cut short by another signal")
                        break
        self._stopping = True
        self._process.terminate()
        await trio.sleep(TERM_SECONDS_MAX)  # its end ends this task
        self._process.kill()

    async def _drain(self, why: str) -> bool:
        """Let others know that it goes, and connections end. False where there was no way."""
        try:
            await self._admin.fail_health_checks()
            await self._admin.drain()
        except AdminError as error:
            log.warning("drain-impossible: %s: Envoy's admin interface: %s. Going on.", why, error)
            return False
        return True

    def _ended(self, status: int) -> ControlPlaneError:
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        if self._found is not None and self._found.code == "port-taken":
            return NotNowError(self._found.message, code=self._found.code, hint=self._found.hint)
        worst = f": {self._worst.removeprefix('envoy: ')}" if self._worst else ""
        return EnvoyEndedError(
            f"Envoy has ended {how}{worst}".rstrip("."),
            code="envoy-ended",
            hint="The lines before this one say why, unless somebody killed it.",
        )
