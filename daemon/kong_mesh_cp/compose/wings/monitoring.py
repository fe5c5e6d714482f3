"""The server that Prometheus asks which proxies it is to scrape."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import trio

from kong_mesh_cp.compose.control_plane import ControlPlane
from kong_mesh_cp.compose.lazy import lazy
from kong_mesh_cp.compose.listeners import Listeners
from kong_mesh_cp.compose.preparing import Prepared
from kong_mesh_cp.compose.tls.https import Https
from kong_mesh_cp.compose.wings.servers import Servers
from kong_mesh_cp.compose.wings.wing import Wing, nothing
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.shell.http.messages import Handler, Request, Response, StreamingResponse
from kong_mesh_cp.shell.http.plain_text import plain_text_error
from kong_mesh_cp.shell.listening.budget import Budgets
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.tls import Tls

if TYPE_CHECKING:
    from kong_mesh_cp.shell.monitoring import handler as monitoring
    from kong_mesh_cp.usecases.monitoring import monitored_meshes
    from kong_mesh_cp.usecases.monitoring.monitored_meshes import MonitoredMeshes, Told
else:  # with the first question: a control plane without a Prometheus needs none of it
    monitoring = lazy_import("kong_mesh_cp.shell.monitoring.handler")
    monitored_meshes = lazy_import("kong_mesh_cp.usecases.monitoring.monitored_meshes")

# A question may wait for its answer for 5 minutes, and then there is the answer.
MONITORING_LIMITS = Limits(connections_max=256, share_connections_max=64, answer_seconds=330.0)


def monitoring_wing(
    plane: ControlPlane, prepared: Prepared, listeners: Listeners, budgets: Budgets
) -> Wing:
    """`budgets`: shared with other wings."""
    listener, tls = listeners.monitoring, prepared.monitoring_tls
    if listener is None:
        return Wing(serve=_no_server)
    server = _Monitoring(plane, prepared.settings, listener, tls, budgets)
    if tls is None:
        return Wing(serve=server.serve)
    plane.heed(lambda: tls.refusal)
    return Wing(
        serve=_no_server, serve_last=server.serve_tls, background=[tls.follow], reload=tls.renew
    )


async def _no_server(_: Servers) -> None:
    return await nothing()


class _Stop:
    """The beginning of a stop, for questions that wait: they take part in it as connections do."""

    def __init__(self) -> None:
        self.begun = trio.Event()

    def leave_if_unoccupied(self) -> None:
        self.begun.set()


class _Monitoring:
    """The server of one run."""

    def __init__(
        self,
        plane: ControlPlane,
        settings: Settings,
        listener: socket.socket,
        tls: Https | None,
        budgets: Budgets,
    ) -> None:
        self._plane = plane
        self._settings = settings.monitoring_assignment_server
        self._listener = listener
        self._tls = tls
        self._budgets = budgets
        self._stop = _Stop()
        self._servers: Servers
        self._handler = lazy(self._made)
        self._meshes: MonitoredMeshes | None = None

    async def serve(self, servers: Servers) -> None:
        await self._start(servers)

    async def serve_tls(self, servers: Servers) -> None:
        """Last, because a first certificate takes its time."""
        assert self._tls is not None  # noqa: S101 — as `monitoring_wing` says
        tls = await self._tls.provide_for(self._listener, otherwise="Prometheus is not served.")
        if tls is not None:
            await self._start(servers, tls)

    async def _start(self, servers: Servers, tls: Tls | None = None) -> None:
        self._servers = servers
        servers.drain.enter(self._stop)
        await servers.start(
            self._listener,
            self._answer,
            limits=MONITORING_LIMITS,
            error_body=plain_text_error,
            budgets=self._budgets,
            tls=tls,
        )

    async def _answer(self, request: Request) -> Response | StreamingResponse:
        return await (await self._handler())(request)

    def _made(self) -> Handler:
        """In a thread: what it imports would hold up others."""
        timeout = self._settings.default_fetch_timeout.total_seconds()
        meshes_type = monitored_meshes.MonitoredMeshes
        interval = self._settings.assignment_refresh_interval.total_seconds()

        async def fetch(client: str, known: str, seconds: float) -> Told | None:
            if self._meshes is None:
                self._meshes = meshes_type(self._plane.replica, interval)
                self._servers.background.start_soon(self._meshes.run)
            return await self._meshes.fetch(client, known, seconds, self._stop.begun)

        return monitoring.monitoring_handler(fetch, timeout)
