"""One run: the order in which a proxy joins, starts, serves, drains and ends."""

from __future__ import annotations

import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import trio

from kong_mesh_cp.shell.host.systemd import ServiceManager
from kuma_dp import beside_envoy, machine, readiness
from kuma_dp.admission import Admission
from kuma_dp.alongside import alongside
from kuma_dp.bootstrapping.answer import (
    Bootstrap,
    read_bootstrap,
    token_secret,
    with_token_of_file,
)
from kuma_dp.bootstrapping.asking import Tries, ask_until_there
from kuma_dp.bootstrapping.payload import Facts, payload
from kuma_dp.bootstrapping.trust import Address, Trust, trust
from kuma_dp.envoy.admin import Admin
from kuma_dp.envoy.arguments import envoy_arguments
from kuma_dp.envoy.binary import VERSION_SECONDS_MAX, AskedEnvoy
from kuma_dp.envoy.process import EnvoyProcess
from kuma_dp.given.dataplane_file import Proxy
from kuma_dp.given.settings import Settings
from kuma_dp.tending import Tending
from kuma_dp.work_folder import WorkFolder, work_folder

WATCHDOG_FRACTION: Final = 0.5  # of the time after which systemd gives up: sd_watchdog_enabled(3)
_CONFIGURATION, _SECRET, _TOKEN = "bootstrap.yaml", "token.json", "token"

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """All that a run is told: read and checked."""

    settings: Settings
    proxy: Proxy
    address: Address
    authority: str  # in PEM, "" where none was given
    token: str  # "" without one
    envoy: AskedEnvoy
    log_level: str
    watchdog_seconds: float | None
    runtime_directory: str


async def run(start: Start, manager: ServiceManager) -> int:
    """Run until Envoy ends or somebody stops us. Returns the exit status.

    Raises: ControlPlaneError for whatever ends it against the will of who started it.
    """
    settings = start.settings
    with (
        trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGUSR2) as signals,
        work_folder(settings.config_dir, settings.socket_dir, start.runtime_directory) as folder,
    ):

        async def through(background: trio.Nursery) -> int:
            background.start_soon(_feed_watchdog, manager, start.watchdog_seconds)
            return await _Run(start, manager, folder, signals, background).through()

        return await alongside(through) or 0


class _Run:
    """The steps of one run."""

    def __init__(
        self,
        start: Start,
        manager: ServiceManager,
        folder: WorkFolder,
        signals: AsyncIterator[int],
        background: trio.Nursery,
    ) -> None:
        self._start = start
        self._manager = manager
        self._folder = folder
        self._signals = signals
        self._background = background
        self._admission: Admission | None = None
        self._token, self._token_path = start.token, start.settings.token_path

    async def through(self) -> int:
        self._manager.status("starting: waiting for the control plane")
        bootstrap = await self._unless_stopped(self._bootstrap)
        if bootstrap is None:
            log.info("stopped: before Envoy was started")
            return 0
        return await self._serve(bootstrap)

    async def _bootstrap(self) -> Bootstrap:
        start, settings = self._start, self._start.settings
        with trio.move_on_after(VERSION_SECONDS_MAX):
            await trio.lowlevel.wait_readable(start.envoy.answer)
        version = start.envoy.version()
        log.info(
            "starting: %s %s, control plane %s, Envoy %s %s",
            settings.proxy_type,
            start.proxy.label,
            start.address.text,
            version.version,
            start.envoy.path,
        )
        trusted = trust(start.address, start.authority, skip_verify=settings.skip_verify)
        self._tell_of_trust(trusted)
        proxy = await self._admitted()
        facts = Facts(
            envoy=version,
            work_dir=str(self._folder.sockets),
            system_ca_path=settings.system_ca_path or machine.system_ca_path(),
            ipv6=settings.ipv6 and machine.has_ipv6(),
            memory_bytes=settings.memory_bytes_max or machine.memory_bytes_max(),
        )
        body = payload(
            settings,
            proxy,
            facts,
            token=self._token,
            token_path=self._token_path,
            authority=trusted.authority,
        )
        tries = Tries(settings.retry_seconds, settings.retry_seconds_max)
        return read_bootstrap(await ask_until_there(start.address, trusted, body, tries))

    def _tell_of_trust(self, trusted: Trust) -> None:
        if trusted.verified:
            return
        # On the machine itself only root could stand in between; elsewhere somebody asked for it.
        level = logging.INFO if not self._start.settings.skip_verify else logging.WARNING
        log.log(
            level,
            "control-plane-not-verified: whoever answers at %s is taken for the control plane."
            " Give its authority with --ca-cert-file.",
            self._start.address.text,
        )

    async def _admitted(self) -> Proxy:
        """Take a seat where there is a socket for it; who the proxy is from then on."""
        start, settings = self._start, self._start.settings
        if not settings.admission_socket:
            if settings.token:
                self._token_path = self._folder.write(_TOKEN, start.token.encode())
            return start.proxy
        self._admission = Admission(settings.admission_socket, start.proxy, self._bring)
        await self._admission.join(settings.retry_seconds_max)
        self._background.start_soon(self._admission.hold)
        # The seat has registered what the proxy brings: Envoy only names it.
        return Proxy(start.proxy.mesh, start.proxy.name)

    async def _bring(self, token: str) -> None:
        self._token = token
        self._token_path = self._folder.write(_TOKEN, token.encode())
        self._folder.write(_SECRET, token_secret(token))

    async def _unless_stopped(self, wanted: Callable[[], Awaitable[T]]) -> T | None:
        """What `wanted` gives, None when somebody stops us before."""

        async def watched(nursery: trio.Nursery) -> T:
            async def watch() -> None:
                async for number in self._signals:
                    if number != signal.SIGUSR2:
                        nursery.cancel_scope.cancel()
                        return

            nursery.start_soon(watch)
            return await wanted()

        return await alongside(watched)

    async def _serve(self, bootstrap: Bootstrap) -> int:
        start, settings = self._start, self._start.settings
        configuration = bootstrap.envoy
        if self._admission is not None:
            secret = str(self._folder.configuration / _SECRET)
            configuration = with_token_of_file(bootstrap, secret)
        path = self._folder.write(_CONFIGURATION, configuration)
        sockets = str(self._folder.sockets)

        async def tended(nursery: trio.Nursery) -> int:
            await beside_envoy.start(nursery, settings, start.proxy, bootstrap, sockets)
            return await self._tend(path, bootstrap)

        return await alongside(tended) or 0

    async def _tend(self, configuration: str, bootstrap: Bootstrap) -> int:
        start, settings = self._start, self._start.settings
        listener = None
        if settings.readiness_port:
            listener = readiness.listen(bootstrap.admin_host, settings.readiness_port)
        arguments = envoy_arguments(settings, configuration, start.log_level)
        process = EnvoyProcess(start.envoy.path, arguments, str(self._folder.configuration))
        try:
            log.info("envoy-started: pid %d, admin port %d", process.pid, bootstrap.admin_port)
            tending = Tending(
                process,
                Admin(bootstrap.admin_host, bootstrap.admin_port),
                self._manager,
                start.proxy.label,
                drain_seconds=settings.drain_seconds,
                renew=self._admission.renew if self._admission is not None else lambda: False,
            )
            return await tending.until_ended(self._signals, listener)
        finally:
            with trio.CancelScope(shield=True):
                await process.close()


async def _feed_watchdog(manager: ServiceManager, seconds: float | None) -> None:
    while seconds is not None:
        manager.alive()
        await trio.sleep(seconds * WATCHDOG_FRACTION)
