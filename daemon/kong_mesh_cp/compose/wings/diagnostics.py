"""Health, readiness and metrics on a port of their own."""

from __future__ import annotations

from kong_mesh_cp.compose.control_plane import ControlPlane
from kong_mesh_cp.compose.listeners import Listeners
from kong_mesh_cp.compose.wings.servers import Servers
from kong_mesh_cp.compose.wings.wing import Wing
from kong_mesh_cp.shell.http.plain_text import plain_text_error
from kong_mesh_cp.shell.listening.budget import Budgets
from kong_mesh_cp.shell.listening.limits import Limits

DIAGNOSTICS_LIMITS = Limits()


def diagnostics_wing(plane: ControlPlane, listeners: Listeners, budgets: Budgets) -> Wing:
    """`budgets`: shared with other wings."""

    async def serve(servers: Servers) -> None:
        await servers.start(
            listeners.diagnostics,
            plane.diagnostics,
            limits=DIAGNOSTICS_LIMITS,
            error_body=plain_text_error,
            budgets=budgets,
        )

    return Wing(serve=serve)
