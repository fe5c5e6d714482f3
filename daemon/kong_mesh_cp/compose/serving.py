"""Runs a prepared control plane: opens the store and the listeners, serves, drains, closes."""

from __future__ import annotations

import logging
import signal
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from kong_mesh_cp.compose.banner import banner, show
from kong_mesh_cp.compose.control_plane import ControlPlane, assemble
from kong_mesh_cp.compose.listeners import Listeners, open_listeners
from kong_mesh_cp.compose.preparing import Prepared
from kong_mesh_cp.compose.state import OpenState, open_state
from kong_mesh_cp.compose.wings.admission import admission_wing
from kong_mesh_cp.compose.wings.api import api_limits, api_wing
from kong_mesh_cp.compose.wings.data_plane import data_plane_wing, dp_server_limits
from kong_mesh_cp.compose.wings.diagnostics import DIAGNOSTICS_LIMITS, diagnostics_wing
from kong_mesh_cp.compose.wings.monitoring import MONITORING_LIMITS, monitoring_wing
from kong_mesh_cp.compose.wings.servers import Servers
from kong_mesh_cp.compose.wings.zone_sync import ZONE_LIMITS, zone_sync_wing
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.shell.admission_socket.listener import open_to
from kong_mesh_cp.shell.host.descriptors import raise_descriptor_limit
from kong_mesh_cp.shell.host.systemd import ServiceManager
from kong_mesh_cp.shell.license_file.watch import watch
from kong_mesh_cp.shell.listening.budget import MIB, Budgets
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import DRAIN_SECONDS
from kong_mesh_cp.shell.store.sqlite.index_guard import survive_bus_errors
from kong_mesh_cp.usecases.license.holder import CAUSE_FILE

if TYPE_CHECKING:
    from kong_mesh_cp.compose import preload
else:  # it needs every kind of resource, which a start does not wait for otherwise
    preload = lazy_import("kong_mesh_cp.compose.preload")

TICK_SECONDS = 1.0  # between two looks at clock, term and status
WATCHDOG_FRACTION = 0.5  # of the time after which systemd gives up on us: sd_watchdog_enabled(3)
MAKING_SECONDS_MAX = 90.0  # what a start makes may take; then systemd begins anew
LAST_FLUSH_SECONDS_MAX = 5.0  # for seats to reach the store at the end

# What the process has open besides connections: the store, notices of the license, the log, and
# connections that are about to end (refused, or gave way).
DESCRIPTORS_BESIDE = 1024
DESCRIPTORS_BESIDE_MIN = 64  # of them, however few there are

log = logging.getLogger(__name__)


async def serve(prepared: Prepared, manager: ServiceManager) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises: StateError, SecretKeyError, ListenError or LicenseRejectedError before anything is
    served.
    """
    survive_bus_errors()
    places, beside = places_wanted(prepared.settings), descriptors_beside(prepared.settings)
    part = part_of_places(raise_descriptor_limit(places + beside), places, beside)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with open_state(prepared.settings, prepared.service) as state:
            with open_listeners(prepared.settings, prepared.service.socket_names) as listeners:
                if prepared.preload is not None:
                    await preload.preload(prepared.preload, state.resources)
                plane = await assemble(prepared, state)
                run = _Run(plane, prepared, listeners, manager, state, part=part)
                await run.until_stopped(signals)


class _Run:
    """The tasks of one run, and the order in which they begin and end."""

    def __init__(
        self,
        plane: ControlPlane,
        prepared: Prepared,
        listeners: Listeners,
        manager: ServiceManager,
        state: OpenState,
        *,
        part: float,
    ) -> None:
        """`part`: of the connections that listeners may have, as many as there are descriptors."""
        self._plane = plane
        self._part = part
        self._prepared = prepared
        self._listeners = listeners
        self._manager = manager
        self._drain = Drain()
        self._clock_failing = False
        self._files = state.files
        limits = prepared.settings.api_server.limits
        budgets = Budgets(answers=limits.unread_answers_mebibytes * MIB)
        self._wings = (  # in the order of their start
            admission_wing(plane, listeners),
            api_wing(plane, prepared, listeners, state, budgets),
            data_plane_wing(plane, prepared, listeners, budgets),
            monitoring_wing(plane, prepared, listeners, budgets),
            zone_sync_wing(plane, prepared, listeners, budgets),
            diagnostics_wing(plane, listeners, budgets),
        )

    async def until_stopped(self, signals: AsyncIterator[int]) -> None:
        """Accepting stops at once; conversations get DRAIN_SECONDS; then the state is written."""
        plane = self._plane
        plane.licensing.log_start(plane.seating.active)
        async with trio.open_nursery() as background:
            background.start_soon(self._tick)
            background.start_soon(self._check_restart)
            background.start_soon(self._watch_license)
            background.start_soon(self._feed_watchdog)
            if self._files is not None:
                background.start_soon(self._files.watch.run)
            for wing in self._wings:
                for task in wing.background:
                    background.start_soon(task)
            async with trio.open_nursery() as conversations:
                async with trio.open_nursery() as accepting:
                    servers = Servers(
                        accepting=accepting,
                        conversations=conversations,
                        background=background,
                        drain=self._drain,
                        part=self._part,
                    )
                    await self._serve(servers)
                    accepting.start_soon(self._become_ready, background)
                    await self._obey(signals)
                    plane.serving = False
                    accepting.cancel_scope.cancel()
                self._manager.stopping("stopping: waiting for requests to end")
                self._drain.start()
                conversations.cancel_scope.deadline = trio.current_time() + DRAIN_SECONDS
            background.cancel_scope.cancel()
        plane.tell_untold(at_once=True)
        with trio.move_on_after(LAST_FLUSH_SECONDS_MAX):
            for wing in self._wings:
                await wing.flush()
        occupancy = plane.seating.occupancy()
        kept = occupancy.active + occupancy.reserved
        log.info("stopped: seats kept for their proxies: %d", kept)

    async def _serve(self, servers: Servers) -> None:
        for wing in self._wings:
            await wing.serve(servers)
        for wing in self._wings:
            await wing.serve_last(servers)

    async def _become_ready(self, background: trio.Nursery) -> None:
        """First there is what others look for as soon as they are told."""
        self._manager.starting(MAKING_SECONDS_MAX)
        for wing in self._wings:
            await wing.make()
        self._announce_ready()
        for wing in self._wings:
            if wing.settle is not None:
                background.start_soon(wing.settle)

    def _announce_ready(self) -> None:
        plane, addresses = self._plane, self._listeners.addresses()
        plane.serving, plane.starting = True, False
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
        # One reload more may wait: it reads what is there when its turn comes.
        ask, asked = trio.open_memory_channel[None](1)
        async with trio.open_nursery() as reloading:
            reloading.start_soon(self._reload_when, asked)
            async for number in signals:
                if number != signal.SIGHUP:
                    log.info("stopping: %s", signal.Signals(number).name)
                    # A mount that hangs keeps its thread, and not the stop.
                    reloading.cancel_scope.cancel()
                    return
                with suppress(trio.WouldBlock):
                    ask.send_nowait(None)

    async def _reload_when(self, asked: AsyncIterable[None]) -> None:
        async for _ in asked:
            started = self._plane.serving  # the end of a reload says that it is ready, too
            if started:
                self._manager.reloading()
            await self._plane.reload("SIGHUP")
            if self._files is not None:
                await self._files.restore()
            for wing in self._wings:
                await wing.reload()
            if started:
                self._manager.ready(self._plane.status())

    async def _tick(self) -> None:
        while True:
            self._plane.licensing.tick(self._plane.seating.active)
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


def places_wanted(settings: Settings) -> int:
    """The descriptors of all places of all listeners, so that none can take those of another.

    A seat may hold its connection and a pidfd, the other listeners have a connection each.
    """
    seats, api = settings.admission.limits.connections, api_limits(settings).connections_max
    proxies = monitoring = zones = 0
    if settings.mode == "global":
        zones = ZONE_LIMITS.connections_max
    else:
        proxies = dp_server_limits(settings).connections_max
        monitoring = MONITORING_LIMITS.connections_max
    diagnostics = DIAGNOSTICS_LIMITS.connections_max
    return 2 * seats + 2 * api + proxies + monitoring + zones + diagnostics


def descriptors_beside(settings: Settings) -> int:
    """Those of the process besides, with the connections to a database."""
    store = settings.store
    database = store.postgres.max_open_connections if store.type == "postgres" else 0
    return DESCRIPTORS_BESIDE + database


def part_of_places(allowed: int, places: int, beside: int) -> float:
    """Of `places`, where the process may open `allowed` descriptors: what it needs besides is kept
    back first, or nobody could be accepted, the API and /ready included.
    """
    kept = min(beside, max(beside - DESCRIPTORS_BESIDE + DESCRIPTORS_BESIDE_MIN, allowed // 8))
    return max(0, allowed - kept) / places
