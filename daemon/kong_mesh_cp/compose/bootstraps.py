"""Wires what proxies are started with; imported with the first that asks."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

import trio

from kong_mesh_cp.compose.control_plane import ControlPlane
from kong_mesh_cp.compose.tls.https import Https
from kong_mesh_cp.core.admission.decision import Refused
from kong_mesh_cp.core.admission.doors import Door
from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId
from kong_mesh_cp.core.identity.refusal_bounds import STREAMS
from kong_mesh_cp.core.xds.bootstrap.envoy_bootstrap import GATEWAY_CONNECTIONS, BootstrapTerms
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.shell.dp_server.bootstrap_route import BootstrapRoute
from kong_mesh_cp.shell.dp_server.resource_text import read_resource_text
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.shell.host.certificates import is_no_authority
from kong_mesh_cp.shell.host.families import has_only_ipv4
from kong_mesh_cp.shell.host.reading import read_regular
from kong_mesh_cp.shell.http.messages import Handler
from kong_mesh_cp.usecases.admission.seating import Seating
from kong_mesh_cp.usecases.data_plane.authentication import ProxyAuthentication
from kong_mesh_cp.usecases.data_plane.bootstrapping import Bootstrapping, BootstrapPorts
from kong_mesh_cp.usecases.identity.auditing import Refusals

COREFILE_BYTES_MAX = 64 * 1024


def bootstrap_handler(
    plane: ControlPlane,
    settings: Settings,
    certificate: Https,
    proxies: ProxyAuthentication,
    *,
    port: int,
) -> Handler:
    """Answers `POST /bootstrap`. `port`: where the server listens."""
    params = settings.bootstrap_server.params
    plane.bootstrap_refusals = Refusals(STREAMS, clocks.boot_clock)
    bootstrapping = Bootstrapping(
        BootstrapPorts(
            store=plane.replica.store,
            certificate=certificate,
            seats=_Seats(plane.seating, settings.multizone.zone.name),
            asks_for_token=proxies.asks_for_token,
            read_text=read_resource_text,
            corefile=partial(_corefile, params.corefile_template_path),
            is_no_authority=is_no_authority,
            has_only_ipv4=has_only_ipv4,
        ),
        bootstrap_terms(settings, port=port),
        xds_host=params.xds_host or "",
    )
    return BootstrapRoute(bootstrapping, plane.bootstrap_refusals.may_be_told).handle


def bootstrap_terms(settings: Settings, *, port: int) -> BootstrapTerms:
    params = settings.bootstrap_server.params
    return BootstrapTerms(
        admin_address=params.admin_address,
        admin_port=params.admin_port,
        admin_access_log_path=str(params.admin_access_log_path),
        xds_port=params.xds_port or port,
        connect_timeout_microseconds=params.xds_connect_timeout // timedelta(microseconds=1),
        hds=settings.dp_server.hds.enabled,
        delta=settings.xds_server.delta,
        reloadable_tokens=settings.dp_server.authn.enable_reloadable_tokens,
        gateway_connections_max=settings.proxy.gateway.global_downstream_max_connections
        or GATEWAY_CONNECTIONS,
    )


class _Seats:
    """What proxies of this zone would hear on their streams."""

    def __init__(self, seating: Seating, zone: str) -> None:
        self._seating = seating
        self._zone = zone

    async def seat_refusal(self, mesh: str, name: str, kind: ProxyKind) -> Refused | None:
        return await self._seating.refusal_of(SeatId(self._zone, mesh, name), kind, Door.STREAM)


async def _corefile(path: Path | None) -> bytes | None:
    """Raises: OSError."""
    if path is None:
        return None
    content, _ = await trio.to_thread.run_sync(read_regular, path, COREFILE_BYTES_MAX)
    return content
