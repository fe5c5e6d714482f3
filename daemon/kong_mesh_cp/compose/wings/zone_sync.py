"""What zones and their global control plane say to each other: a server, or a connection to it."""

from __future__ import annotations

import logging
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

import trio

from kong_mesh_cp.compose.control_plane import ControlPlane
from kong_mesh_cp.compose.listeners import Listeners
from kong_mesh_cp.compose.preparing import Prepared
from kong_mesh_cp.compose.tls.https import Https
from kong_mesh_cp.compose.wings.servers import Servers
from kong_mesh_cp.compose.wings.wing import Wing, nothing
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.shell.grpc.terms import CallTerms
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.http.plain_text import plain_text_error
from kong_mesh_cp.shell.listening.budget import Budgets
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.tls import Tls
from kong_mesh_cp.shell.zone_sync import methods

if TYPE_CHECKING:
    from kong_mesh_cp.compose.zone_sync import zone_link, zones
    from kong_mesh_cp.compose.zone_sync.zone_link import ZoneLink
    from kong_mesh_cp.compose.zone_sync.zones import Zones
    from kong_mesh_cp.core.identity.access import View
    from kong_mesh_cp.shell.grpc.calls import Call, Method
    from kong_mesh_cp.usecases.ports.resource_store import StoredResource
else:  # the first zone waits for it, and a start does not
    zones = lazy_import("kong_mesh_cp.compose.zone_sync.zones")
    zone_link = lazy_import("kong_mesh_cp.compose.zone_sync.zone_link")

log = logging.getLogger(__name__)

ZONE_LIMITS = Limits(connections_max=512, share_connections_max=128)

_ADMIN = frozenset({methods.CONFIG_DUMPS, methods.STATS, methods.CLUSTERS})
_PATHS = (methods.GLOBAL_TO_ZONE, methods.ZONE_TO_GLOBAL, methods.HEALTH_CHECK, *_ADMIN)
_TERMS = CallTerms(message_bytes_max=methods.MESSAGE_BYTES_MAX, takes_gzip=True, silent=_ADMIN)


def zone_sync_wing(
    plane: ControlPlane, prepared: Prepared, listeners: Listeners, budgets: Budgets
) -> Wing:
    """`budgets`: shared with other wings."""
    listener, tls = listeners.zones, prepared.zones_tls
    if listener is None:
        if prepared.settings.multizone.zone.global_address is None:
            return Wing(serve=_no_server)
        link = _ZoneLink(plane, prepared)
        return Wing(serve=_no_server, settle=link.run, flush=link.flush)
    server = _ZoneServer(plane, prepared, listener, tls, budgets)
    plane.zone_envoys = server
    if tls is None:
        return Wing(serve=server.serve, make=server.make, flush=server.flush)
    plane.heed(lambda: tls.refusal)
    return Wing(
        serve=_no_server,
        serve_last=server.serve_tls,
        background=[tls.follow],
        make=server.make,
        reload=tls.renew,
        flush=server.flush,
    )


async def _no_server(_: Servers) -> None:
    return await nothing()


async def _no_pages(_: Request) -> Response:
    return plain_text_error(404, "not-found", "zones speak gRPC here")


class _ZoneLink:
    """The connection of a zone's control plane to the global one."""

    def __init__(self, plane: ControlPlane, prepared: Prepared) -> None:
        self._plane = plane
        self._prepared = prepared
        self._made: ZoneLink | None = None

    async def run(self) -> None:
        # What it imports would hold up everybody else.
        made = await trio.to_thread.run_sync(lambda: zone_link.ZoneLink)
        self._made = made(self._plane, self._prepared.settings, self._prepared.config)
        async with trio.open_nursery() as nursery:
            for task in self._made.background:
                nursery.start_soon(task)

    async def flush(self) -> None:
        if self._made is not None:
            await self._made.insights.flush()


class _ZoneServer:
    """The server of one run."""

    def __init__(
        self,
        plane: ControlPlane,
        prepared: Prepared,
        listener: socket.socket,
        tls: Https | None,
        budgets: Budgets,
    ) -> None:
        self._plane = plane
        self._settings: Settings = prepared.settings
        self._listener = listener
        self._tls = tls
        self._budgets = budgets
        self._opened = trio.Event()  # what a start makes is there
        self._making = trio.Lock()
        self._made: Zones | None = None  # with the first call
        self._servers: Servers

    async def serve(self, servers: Servers) -> None:
        await self._start(servers)

    async def serve_tls(self, servers: Servers) -> None:
        """Last, because a first certificate takes its time."""
        assert self._tls is not None  # noqa: S101 — as `zone_sync_wing` says
        tls = await self._tls.provide_for(self._listener, otherwise="Zones are not served.")
        if tls is not None:
            await self._start(servers, tls)

    async def make(self) -> None:
        """Nothing: but what others make is there now, and zones take it for all there is."""
        self._opened.set()

    async def flush(self) -> None:
        if self._made is not None:
            await self._made.insights.flush()

    async def ask(
        self, proxy: StoredResource, view: View, *, include_endpoints: bool, as_json: bool
    ) -> bytes:
        """`usecases.inspection.envoy_admin.ZoneEnvoys`."""
        made = await self._zones()
        return await made.ask(proxy, view, include_endpoints=include_endpoints, as_json=as_json)

    async def _start(self, servers: Servers, tls: Tls | None = None) -> None:
        self._servers = servers
        if not ip_address(self._listener.getsockname()[0]).is_loopback:
            log.warning(
                "zones-prove-nothing: whoever reaches the port of zones "
                "(multizone.global.kds.grpcPort) is told the secrets of all meshes, the keys of "
                "their authorities among them, and brings resources in the name of any zone. Let "
                "only control planes of zones reach it: by a firewall, or by an address of their "
                "network in multizone.global.kds.interface."
            )
        await servers.start_calls(
            self._listener,
            _no_pages,
            dict.fromkeys(_PATHS, self._method()),
            limits=ZONE_LIMITS,
            error_body=plain_text_error,
            budgets=self._budgets,
            tls=tls,
            terms=_TERMS,
        )

    def _method(self) -> Method:
        async def serve_call(call: Call) -> None:
            await self._opened.wait()
            await (await self._zones()).methods[call.path](call)

        return serve_call

    async def _zones(self) -> Zones:
        async with self._making:
            if self._made is None:
                # What it imports would hold up everybody else.
                made = await trio.to_thread.run_sync(lambda: zones.Zones)
                self._made = made(self._plane, self._settings)
                for task in self._made.background:
                    self._servers.background.start_soon(task)
            return self._made
