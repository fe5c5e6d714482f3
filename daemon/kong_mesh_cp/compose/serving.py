"""Runs a prepared control plane: opens the store and the listeners, serves, drains, closes."""

from __future__ import annotations

import functools
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from kong_mesh_cp.compose.banner import banner, show
from kong_mesh_cp.compose.control_plane import ControlPlane, assemble
from kong_mesh_cp.compose.listeners import Listeners, open_listeners
from kong_mesh_cp.compose.preparing import Prepared
from kong_mesh_cp.compose.state import open_state
from kong_mesh_cp.core.errors import ControlPlaneError, StateError
from kong_mesh_cp.shell.admission_socket.limits import (
    SOCKET_ANSWERS_BYTES_MAX,
    SOCKET_BODIES_BYTES_MAX,
    SOCKET_LIMITS,
)
from kong_mesh_cp.shell.admission_socket.listener import open_to
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.shell.host.descriptors import raise_descriptor_limit
from kong_mesh_cp.shell.host.systemd import ServiceManager
from kong_mesh_cp.shell.http.messages import Handler
from kong_mesh_cp.shell.http.plain_text import plain_text_error
from kong_mesh_cp.shell.license_file.watch import watch
from kong_mesh_cp.shell.listening.acceptor import serve_http
from kong_mesh_cp.shell.listening.budget import MIB, Budgets
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import DRAIN_SECONDS, Limits
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.listening.tls import Tls
from kong_mesh_cp.shell.rest_api.allowed_origins import AllowedOrigins
from kong_mesh_cp.shell.rest_api.auditing import telling_refusals
from kong_mesh_cp.shell.rest_api.base_path import below
from kong_mesh_cp.shell.rest_api.cors import across_origins
from kong_mesh_cp.shell.rest_api.errors import api_error
from kong_mesh_cp.usecases.admission.admissions import RECLAIM_SECONDS
from kong_mesh_cp.usecases.license.holder import CAUSE_FILE
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore

if TYPE_CHECKING:
    from kong_mesh_cp.compose.resources import Resources
    from kong_mesh_cp.settings.model import Settings

TICK_SECONDS = 1.0  # between two looks at clock, term and status
WATCHDOG_FRACTION = 0.5  # of the time after which systemd gives up on us: sd_watchdog_enabled(3)
LAST_FLUSH_SECONDS_MAX = 5.0  # for seats to reach the store at the end

# What the process has open besides connections: the store, notices of the license, the log, and
# connections that are about to end (refused, or gave way).
DESCRIPTORS_BESIDE = 1024

_CORS_OPEN = (
    "cors-open-to-all: web pages of every origin may read what the API answers to the browsers that"
    " open them. If that is not meant, name the origins in apiServer.corsAllowedDomains, or remove"
    " the setting: then it is none."
)

log = logging.getLogger(__name__)


async def serve(prepared: Prepared, manager: ServiceManager) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises: StateError, SecretKeyError, ListenError or LicenseRejectedError before anything is
    served.
    """
    wanted = descriptors_wanted(prepared.settings)
    part = raise_descriptor_limit(wanted) / wanted
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with open_state(prepared.settings, prepared.service) as state:
            with open_listeners(prepared.settings, prepared.service.socket_names) as listeners:
                if prepared.preload is not None:
                    await _preload(prepared.preload, state.resources)
                plane = await assemble(prepared, state)
                run = _Run(plane, prepared, listeners, manager, state.resources, part=part)
                await run.until_stopped(signals)


def _import_resources() -> type[Resources]:
    # As at the start of the process: there is no garbage in what stays for ever.
    gc.disable()
    try:
        from kong_mesh_cp.compose.resources import Resources  # noqa: PLC0415
    finally:
        gc.freeze()
        gc.enable()
    return Resources


def _import_upkeep() -> Callable[[Settings, ResourceStore], Awaitable[None]]:
    from kong_mesh_cp.compose.upkeep import look_after  # noqa: PLC0415

    return look_after


async def _preload(path: Path, resources: ResourceStore) -> None:
    # It needs every kind of resource, which a start does not wait for otherwise.
    from kong_mesh_cp.compose.preload import preload  # noqa: PLC0415

    await preload(path, resources)


class _Run:
    """The tasks of one run, and the order in which they begin and end."""

    def __init__(
        self,
        plane: ControlPlane,
        prepared: Prepared,
        listeners: Listeners,
        manager: ServiceManager,
        resources: ResourceStore,
        *,
        part: float,
    ) -> None:
        """`part`: of the connections that listeners may have, as many as there are descriptors."""
        self._plane = plane
        self._part = part
        limits = prepared.settings.api_server.limits
        self._budgets = Budgets(answers=limits.unread_answers_mebibytes * MIB)
        self._resources = resources
        self._prepared = prepared
        self._listeners = listeners
        self._manager = manager
        self._drain = Drain()
        self._clock_failing = False

    async def until_stopped(self, signals: AsyncIterator[int]) -> None:
        """Accepting stops at once; conversations get DRAIN_SECONDS; then the state is written."""
        plane = self._plane
        plane.licensing.log_start(plane.admitting.active)
        async with trio.open_nursery() as background:
            background.start_soon(plane.recorder.run)
            background.start_soon(self._tick)
            background.start_soon(self._check_restart)
            background.start_soon(self._watch_license)
            if self._prepared.https is not None:
                background.start_soon(self._prepared.https.follow)
            background.start_soon(self._feed_watchdog)
            background.start_soon(plane.admitting.run, plane.reserved)
            if plane.shared is not None:
                background.start_soon(plane.shared.run)
            background.start_soon(plane.meshes.follow)
            background.start_soon(plane.presence.run, RECLAIM_SECONDS)
            async with trio.open_nursery() as conversations:
                async with trio.open_nursery() as accepting:
                    resources = await self._start_accepting(accepting, conversations, background)
                    self._announce_ready()
                    background.start_soon(self._ensure, resources)
                    await self._obey(signals)
                    plane.serving = False
                    accepting.cancel_scope.cancel()
                self._manager.stopping("stopping: waiting for requests to end")
                self._drain.start()
                conversations.cancel_scope.deadline = trio.current_time() + DRAIN_SECONDS
            background.cancel_scope.cancel()
        plane.tell_untold(at_once=True)
        with trio.move_on_after(LAST_FLUSH_SECONDS_MAX):
            await plane.recorder.flush()
            await plane.presence.flush()
            if plane.shared is not None:
                await plane.shared.flush()
        occupancy = plane.admitting.occupancy()
        kept = occupancy.active + occupancy.reserved
        log.info("stopped: seats kept for their proxies: %d", kept)

    async def _start_accepting(
        self, accepting: trio.Nursery, conversations: trio.Nursery, background: trio.Nursery
    ) -> Resources:
        plane, listeners = self._plane, self._listeners
        start = functools.partial(
            _start_server, accepting, conversations=conversations, drain=self._drain
        )
        await start(
            listeners.admission,
            functools.partial(
                serve_http,
                handler=plane.admission.handle,
                limits=SOCKET_LIMITS.for_part(self._part),
                error_body=plane.admission.error_body,
                gate=plane.admission,
                budgets=Budgets(answers=SOCKET_ANSWERS_BYTES_MAX, bodies=SOCKET_BODIES_BYTES_MAX),
                privileged=plane.admission.is_privileged,
            ),
        )
        # Admissions are answered meanwhile: it takes half as long as the whole start up to here.
        resources_type = await trio.to_thread.run_sync(_import_resources)
        prepared = self._prepared
        resources = resources_type(prepared.settings, self._resources, prepared.token_trust)
        plane.presence.serve(
            resources.admission_services(plane.meshes, plane=plane.plane, instance=plane.instance)
        )
        await background.start(resources.follow)
        api_server = prepared.settings.api_server
        allowed = AllowedOrigins(api_server.cors_allowed_domains)
        if allowed.everybody:
            log.warning(_CORS_OPEN)
        routed = below(
            api_server.base_path,
            plane.api.handler(
                resources.guards, resources.routes(self._has_room, plane.refusals.may_be_told)
            ),
        )
        handler = telling_refusals(across_origins(routed, allowed), plane.refusals)
        if listeners.api is not None:
            api = functools.partial(self._serve_api, handler=handler)
            await start(listeners.api, api)
        diagnostics = functools.partial(
            serve_http,
            handler=plane.diagnostics,
            limits=Limits().for_part(self._part),
            error_body=plain_text_error,
            budgets=self._budgets,
        )
        await start(listeners.diagnostics, diagnostics)
        if listeners.api_https is not None:
            await self._start_https(start, listeners.api_https, handler)
        return resources

    async def _start_https(
        self,
        start: Callable[[socket.socket, Callable[..., Awaitable[None]]], Awaitable[None]],
        listener: socket.socket,
        handler: Handler,
    ) -> None:
        """Last, because a first certificate takes its time. The rest serves without it, too."""
        https = self._prepared.https
        assert https is not None  # noqa: S101 — whoever has a port has terms
        try:
            await https.provide()
        except ControlPlaneError as error:
            log.error("%s HTTPS is not served.", error.line)
            listener.close()
            self._listeners = replace(self._listeners, api_https=None)
            return
        tls = Tls(https.context)
        await start(listener, functools.partial(self._serve_api, handler=handler, tls=tls))

    @property
    def _serve_api(self) -> Callable[..., Awaitable[None]]:
        return functools.partial(
            serve_http,
            limits=_api_limits(self._prepared.settings).for_part(self._part),
            error_body=api_error,
            budgets=self._budgets,
        )

    def _has_room(self, peer: Peer, size: int) -> bool:
        return self._budgets.answers.has_room(peer, size, trio.current_time())

    async def _ensure(self, resources: Resources) -> None:
        """Make what is missing, then look after what is there. What was preloaded stays."""
        await resources.ensure(preloaded=self._prepared.preload is not None)
        while True:
            try:
                await self._plane.meshes.settle()
            except StateError:
                await trio.sleep(TICK_SECONDS)  # it is the same failure that others report
            else:
                break
        if self._prepared.preload is None:
            look_after = await trio.to_thread.run_sync(_import_upkeep)
            await look_after(self._prepared.settings, self._resources)

    def _announce_ready(self) -> None:
        plane, addresses = self._plane, self._listeners.addresses()
        plane.serving = True
        if plane.reserved:
            log.info("seats-reserved: seats kept for their proxies: %d", len(plane.reserved))
        self._warn_of_openness()
        log.info("ready: %s", ", ".join(f"{name} {at}" for name, at in addresses.items()))
        if self._prepared.banner:
            licensing = plane.licensing
            show(banner(licensing.entitlement, licensing.now, addresses))
        self._manager.ready(plane.status())

    def _warn_of_openness(self) -> None:
        settings, path = self._prepared.settings, self._listeners.admission_path
        allowed = open_to(path)
        if settings.admission.rules or settings.mode == "global" or allowed is None:
            return
        log.warning(
            "admission-open: without [[admission.rules]] %s may join any mesh under any name and "
            "gets tokens for any service, through %s. Set rules that say who may join as what.",
            allowed,
            path,
        )

    async def _obey(self, signals: AsyncIterator[int]) -> None:
        async for number in signals:
            if number != signal.SIGHUP:
                log.info("stopping: %s", signal.Signals(number).name)
                return
            self._manager.reloading()
            await self._plane.reload("SIGHUP")
            if self._prepared.https is not None:
                await self._prepared.https.renew()
            self._manager.ready(self._plane.status())

    async def _tick(self) -> None:
        while True:
            self._plane.licensing.tick(self._plane.admitting.active)
            self._manager.status(self._plane.status())
            self._plane.tell_untold()
            await self._save_clock()
            await trio.sleep(TICK_SECONDS)

    async def _save_clock(self) -> None:
        mark = self._plane.licensing.unsaved_clock
        if mark is None:
            return
        try:
            await self._plane.store.save_clock(mark)
        except StateError as error:
            if not self._clock_failing:
                log.error("clock-not-recorded: %s; serving goes on. %s", error.message, error.hint)
            self._clock_failing = True
        else:
            self._clock_failing = False
            self._plane.licensing.clock_saved(mark)

    async def _check_restart(self) -> None:
        # Not part of the tick: the sources may hang, and the clock must go on.
        while True:
            if self._plane.licensing.restart_check_due:
                await self._plane.check_restart()
            await trio.sleep(TICK_SECONDS)

    async def _watch_license(self) -> None:
        async def changed() -> None:
            await self._plane.reload(CAUSE_FILE)
            self._manager.status(self._plane.status())

        await watch(self._prepared.sources.paths, changed)

    async def _feed_watchdog(self) -> None:
        # From inside the event loop: a loop that is stuck is what the watchdog is for.
        seconds = self._prepared.service.watchdog_seconds
        while seconds is not None:
            self._manager.alive()
            await trio.sleep(seconds * WATCHDOG_FRACTION)


def descriptors_wanted(settings: Settings) -> int:
    """So that no listener can take the descriptors of another: a seat may hold its connection and
    a pidfd, three more listeners have a connection each; and what the process needs besides.
    """
    seats, api = SOCKET_LIMITS.connections_max, _api_limits(settings).connections_max
    return 2 * seats + 2 * api + Limits().connections_max + DESCRIPTORS_BESIDE


def _api_limits(settings: Settings) -> Limits:
    limits = settings.api_server.limits
    return Limits(
        connections_max=limits.connections, share_connections_max=limits.connections_per_address
    )


async def _start_server(
    accepting: trio.Nursery,
    listener: socket.socket,
    server: Callable[..., Awaitable[None]],
    *,
    conversations: trio.Nursery,
    drain: Drain,
) -> None:
    await accepting.start(
        functools.partial(
            server,
            trio.SocketListener(trio.socket.from_stdlib_socket(listener)),
            wall_clock=clocks.wall_clock,
            conversations=conversations,
            drain=drain,
        )
    )
