"""The REST API over HTTP and HTTPS, and the resources behind it."""

from __future__ import annotations

import gc
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import trio

from kong_mesh_cp.compose.control_plane import ControlPlane
from kong_mesh_cp.compose.listeners import Listeners
from kong_mesh_cp.compose.preparing import Prepared, unusable_keys
from kong_mesh_cp.compose.state import OpenState
from kong_mesh_cp.compose.wings.servers import Servers
from kong_mesh_cp.compose.wings.wing import Wing, nothing
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.prometheus_text import MetricFamily
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.shell.console.beside_api import with_console
from kong_mesh_cp.shell.console.place import Place
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.shell.http.messages import Handler
from kong_mesh_cp.shell.listening.budget import Budgets
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.listening.tls import Tls
from kong_mesh_cp.shell.rest_api.allowed_origins import AllowedOrigins
from kong_mesh_cp.shell.rest_api.auditing import telling_refusals
from kong_mesh_cp.shell.rest_api.base_path import below
from kong_mesh_cp.shell.rest_api.cors import across_origins
from kong_mesh_cp.shell.rest_api.errors import api_error
from kong_mesh_cp.shell.rest_api.opening import Opening
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.following.store_failures import StoreFailures
from kong_mesh_cp.usecases.upkeep.authority_ends import AuthorityEnds

if TYPE_CHECKING:
    from kong_mesh_cp.compose import resources, upkeep
    from kong_mesh_cp.compose.resources import Resources
else:  # when the first server answers: they import half as much again as a start needs up to there
    resources = lazy_import("kong_mesh_cp.compose.resources")
    upkeep = lazy_import("kong_mesh_cp.compose.upkeep")

Metrics = Callable[[], Sequence[MetricFamily]]
Show = Callable[[Metrics], None]
LookAfter = Callable[[Settings, Replica, AuthorityEnds, Show], Awaitable[None]]

MESHES_RETRY_SECONDS = 1.0  # until the store is asked again which meshes there are

_CORS_OPEN = (
    "cors-open-to-all: web pages of every origin may read what the API answers to the browsers that"
    " open them. If that is not meant, name the origins in apiServer.corsAllowedDomains, or remove"
    " the setting: then it is none."
)

log = logging.getLogger(__name__)


def api_wing(
    plane: ControlPlane,
    prepared: Prepared,
    listeners: Listeners,
    state: OpenState,
    budgets: Budgets,
) -> Wing:
    """`budgets`: shared with other wings."""
    api = _Api(plane, prepared, listeners, state, budgets)
    https = prepared.https
    if https is not None:
        plane.heed(lambda: https.refusal)
    if prepared.token_trust is not None:
        plane.judge_keys = lambda: unusable_keys(prepared.settings)
    return Wing(
        serve=api.serve,
        serve_last=api.serve_https,
        make=api.make,
        settle=api.settle,
        background=[] if https is None else [https.follow],
        reload=nothing if https is None else https.renew,
    )


def api_limits(settings: Settings) -> Limits:
    limits = settings.api_server.limits
    return Limits(
        connections_max=limits.connections, share_connections_max=limits.connections_per_address
    )


def _import_resources() -> type[Resources]:
    # As at the start of the process: there is no garbage in what stays for ever.
    gc.disable()
    try:
        return resources.Resources
    finally:
        gc.freeze()
        gc.enable()


class _Api:
    """The API of one run."""

    def __init__(
        self,
        plane: ControlPlane,
        prepared: Prepared,
        listeners: Listeners,
        state: OpenState,
        budgets: Budgets,
    ) -> None:
        self._plane = plane
        self._prepared = prepared
        self._http = listeners.api
        self._https = listeners.api_https
        self._sealing = state.sealing
        self._budgets = budgets
        self._resources: Resources
        self._handler: Handler
        self._opening = Opening()
        self._look_after: LookAfter | None = None

    async def serve(self, servers: Servers) -> None:
        plane, prepared = self._plane, self._prepared
        # Admissions are answered meanwhile: it takes half as long as the whole start up to here.
        resources_type = await trio.to_thread.run_sync(_import_resources)
        self._resources = resources_type(
            prepared.settings, plane.replica, self._sealing, prepared.token_trust
        )
        plane.proxies = self._resources.proxies
        plane.presence.serve(
            self._resources.admission_services(
                plane.meshes, plane=plane.plane, instance=plane.instance
            )
        )
        await servers.background.start(self._resources.follow)
        self._handler = self._wrapped()
        if self._http is not None:
            await self._start(servers, self._http)

    async def serve_https(self, servers: Servers) -> None:
        """Last, because a first certificate takes its time. The rest serves without it, too."""
        if self._https is None:
            return
        https = self._prepared.https
        assert https is not None  # noqa: S101 — where there is a port, there are terms
        tls = await https.provide_for(self._https, otherwise="HTTPS is not served.")
        if tls is not None:
            await self._start(servers, self._https, tls)

    async def make(self) -> None:
        """Make what is missing. Then requests are answered. What was preloaded stays."""
        await self._resources.ensure(preloaded=self._prepared.preload is not None)
        if self._prepared.preload is None:
            # Now, while there is nobody who may have all the descriptors that it takes to import.
            self._look_after = await trio.to_thread.run_sync(lambda: upkeep.look_after)
        self._plane.admission.serve_keys(self._resources.key_calls)
        self._opening.open()

    async def settle(self) -> None:
        """Look after what is there."""
        while True:
            try:
                await self._plane.meshes.settle()
            except StateError:
                # It is the same failure that others report.
                await trio.sleep(MESHES_RETRY_SECONDS)
            else:
                break
        if self._look_after is not None:
            plane, settings = self._plane, self._prepared.settings
            await self._look_after(settings, plane.replica, plane.authority_ends, plane.show)

    async def _start(
        self, servers: Servers, listener: socket.socket, tls: Tls | None = None
    ) -> None:
        await servers.start(
            listener,
            self._handler,
            limits=api_limits(self._prepared.settings),
            error_body=api_error,
            budgets=self._budgets,
            tls=tls,
        )

    def _wrapped(self) -> Handler:
        """The routes below their base path, for web pages of the allowed origins; audited."""
        served, api_server = self._resources, self._prepared.settings.api_server
        allowed = AllowedOrigins(api_server.cors_allowed_domains)
        if allowed.everybody:
            log.warning(_CORS_OPEN)
        routed = below(
            api_server.base_path,
            self._plane.api.handler(
                served.guards,
                served.routes(
                    self._has_room, self._plane.refusals.may_be_told, self._plane.zone_envoys
                ),
            ),
        )
        opened = self._opening.before(across_origins(routed, allowed))
        told = telling_refusals(opened, self._plane.refusals, StoreFailures(clocks.boot_clock))
        gui = api_server.gui
        if not gui.enabled:
            return told
        place = Place(base_path=gui.base_path, root_url=gui.root_url, api_path=api_server.base_path)
        return with_console(told, place)

    def _has_room(self, peer: Peer, size: int) -> bool:
        return self._budgets.answers.has_room(peer, size, trio.current_time())
