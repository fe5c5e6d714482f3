"""What MeshHTTPRoutes and MeshTCPRoutes say about the listeners of a gateway.

Source: docs/wire/gateways.md#routes
"""

from __future__ import annotations

from kong_mesh_cp.core.xds.gateways.gateway_plan import ListenedPort, ListenerHostname
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.services.backends import ServiceKey


def routed_hostnames(
    view: ProxyView,
    matched: Matched,
    port: ListenedPort,
    asked: set[ServiceKey],
) -> tuple[ListenerHostname, ...] | None:
    """The host names of one port, the most exact first; without those that no route is about.

    None: no route for traffic of that kind (HTTP, or connections) is about any listener of the
    gateway, so that those of the older generation count. `asked` gets the services that were asked
    about.
    """
    del view, matched, port, asked
    return None
