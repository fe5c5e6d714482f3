"""The local socket on which processes join a mesh, and what keeps their seats."""

from __future__ import annotations

import functools

from kong_mesh_cp.compose.control_plane import ControlPlane
from kong_mesh_cp.compose.listeners import Listeners
from kong_mesh_cp.compose.wings.servers import Servers
from kong_mesh_cp.compose.wings.wing import Task, Wing
from kong_mesh_cp.shell.admission_socket.limits import (
    SOCKET_ANSWERS_BYTES_MAX,
    SOCKET_BODIES_BYTES_MAX,
)
from kong_mesh_cp.shell.listening.budget import Budgets
from kong_mesh_cp.usecases.admission.admissions import RECLAIM_SECONDS


def admission_wing(plane: ControlPlane, listeners: Listeners) -> Wing:
    async def serve(servers: Servers) -> None:
        await servers.start(
            listeners.admission,
            plane.admission.handle,
            limits=plane.admission.places.limits,
            error_body=plane.admission.error_body,
            gate=plane.admission,
            budgets=Budgets(answers=SOCKET_ANSWERS_BYTES_MAX, bodies=SOCKET_BODIES_BYTES_MAX),
            privileged=plane.admission.is_privileged,
        )

    async def flush() -> None:
        await plane.recorder.flush()
        await plane.presence.flush()
        if plane.shared is not None:
            await plane.shared.flush()

    return Wing(
        background=_background(plane),
        serve=serve,
        flush=flush,
    )


def _background(plane: ControlPlane) -> list[Task]:
    tasks: list[Task] = [
        plane.recorder.run,
        functools.partial(plane.admitting.run, plane.reserved),
        plane.replica.run,
        plane.meshes.follow,
        functools.partial(plane.presence.run, RECLAIM_SECONDS),
    ]
    return tasks if plane.shared is None else [*tasks, plane.shared.run]
