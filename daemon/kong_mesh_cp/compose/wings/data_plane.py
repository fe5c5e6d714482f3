"""The server for proxies: their first configuration, and the streams of their Envoys."""

from __future__ import annotations

import logging
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
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.shell.dp_server.handler import dp_server_error, dp_server_handler
from kong_mesh_cp.shell.dp_server.methods import DELTA, HEALTH, STATE_OF_THE_WORLD
from kong_mesh_cp.shell.http.messages import Handler, Request, Response, StreamingResponse
from kong_mesh_cp.shell.listening.budget import Budgets
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.rest_api.opening import Opening

if TYPE_CHECKING:
    from kong_mesh_cp.compose import bootstraps, data_plane
    from kong_mesh_cp.compose.data_plane import DataPlane
    from kong_mesh_cp.shell.grpc import status as calls
    from kong_mesh_cp.shell.grpc.calls import Call, Method
    from kong_mesh_cp.usecases.data_plane.zone_proxies import own_ingresses
else:  # the first proxy waits for them, and a start does not
    bootstraps = lazy_import("kong_mesh_cp.compose.bootstraps")
    data_plane = lazy_import("kong_mesh_cp.compose.data_plane")
    calls = lazy_import("kong_mesh_cp.shell.grpc.status")
    own_ingresses = lazy_import("kong_mesh_cp.usecases.data_plane.zone_proxies.own_ingresses")

HANDSHAKE_SECONDS_MAX = 30.0  # a thousand take some seconds of a processor
log = logging.getLogger(__name__)


def data_plane_wing(
    plane: ControlPlane, prepared: Prepared, listeners: Listeners, budgets: Budgets
) -> Wing:
    """After the API's. `budgets`: shared with other wings."""
    tls, listener = prepared.proxies_tls, listeners.proxies
    if tls is None or listener is None:
        return Wing(serve=_no_proxies)
    plane.heed(lambda: tls.refusal)
    server = _DataPlane(plane, prepared.settings, listener, tls, budgets)
    return Wing(
        serve=_no_proxies,
        serve_last=server.serve,
        make=server.make,
        settle=server.offer_to_zones if prepared.settings.is_federated else None,
        background=[tls.follow],
        reload=tls.renew,
    )


def dp_server_limits(settings: Settings) -> Limits:
    limits = settings.dp_server.limits
    return Limits(
        connections_max=limits.connections,
        share_connections_max=limits.connections_per_address,
        header_seconds=settings.dp_server.read_header_timeout.total_seconds(),
        # After a restart all proxies come back at once, and who is cut off tries again.
        handshakes_max=limits.connections,
        handshake_seconds=HANDSHAKE_SECONDS_MAX,
    )


async def _no_proxies(_: Servers) -> None:
    return await nothing()


class _DataPlane:
    """The server of one run."""

    def __init__(
        self,
        plane: ControlPlane,
        settings: Settings,
        listener: socket.socket,
        tls: Https,
        budgets: Budgets,
    ) -> None:
        self._plane = plane
        self._settings = settings
        self._listener = listener
        self._tls = tls
        self._budgets = budgets
        self._opening = Opening()
        self._bootstrap = lazy(self._bootstrap_handler)
        self._making = trio.Lock()
        self._made: DataPlane | None = None  # with the first call
        self._servers: Servers  # of the run

    async def serve(self, servers: Servers) -> None:
        """Last, because a first certificate takes its time."""
        self._servers = servers
        tls = await self._tls.provide_for(self._listener, otherwise="Proxies are not served.")
        if tls is None:
            return
        self._warn_of_other_names()
        await servers.start_calls(
            self._listener,
            dp_server_handler(self._opening.before(self._answer)),
            {path: self._method(path) for path in (STATE_OF_THE_WORLD, DELTA, HEALTH)},
            limits=dp_server_limits(self._settings),
            error_body=dp_server_error,
            budgets=self._budgets,
            tls=tls,
        )

    async def offer_to_zones(self) -> None:
        """Other zones are to know what is here as soon as there is an ingress that leads to it."""
        # What it imports would hold up everybody else.
        own = await trio.to_thread.run_sync(lambda: own_ingresses.OwnIngresses)
        await own(self._plane.replica).run_while_there(self._offer)

    async def _offer(self) -> None:
        await (await self._data_plane()).offer_to_zones()

    async def make(self) -> None:
        """Nothing: but what others make is there now, so requests are answered."""
        self._opening.open()

    async def _answer(self, request: Request) -> Response | StreamingResponse:
        return await (await self._bootstrap())(request)

    def _method(self, path: str) -> Method:
        async def serve_call(call: Call) -> None:
            made = await self._data_plane()
            serve = made.methods.get(path)
            if serve is None:
                text = f"{path} is switched off here (dpServer.hds.enabled is false)"
                raise calls.GrpcError(calls.Status.UNIMPLEMENTED, text)
            await serve(call)

        return serve_call

    async def _data_plane(self) -> DataPlane:
        async with self._making:
            if self._made is None:
                # What it imports would hold up everybody else.
                made = await trio.to_thread.run_sync(lambda: data_plane.DataPlane)
                proxies = self._plane.proxies
                assert proxies is not None  # noqa: S101 — the API's wing has come before
                servers = self._servers
                self._made = made(
                    self._plane, self._settings, proxies, stopping=lambda: servers.drain.started
                )
                for task in self._made.background:
                    servers.background.start_soon(task)
            return self._made

    def _bootstrap_handler(self) -> Handler:
        proxies = self._plane.proxies
        assert proxies is not None  # noqa: S101 — the API's wing has come before
        port = self._listener.getsockname()[1]
        return bootstraps.bootstrap_handler(
            self._plane, self._settings, self._tls, proxies, port=port
        )

    def _warn_of_other_names(self) -> None:
        host = self._settings.bootstrap_server.params.xds_host
        if host is not None and host not in self._tls.names():
            log.warning(
                "xds-host-not-in-certificate: Envoys are told to come to %s (bootstrapServer.params"
                ".xdsHost), for which the certificate of the server for proxies is not: they refuse"
                " it. Name another host there, or get a certificate for this one.",
                printable(host),
            )
