"""The local socket on which processes join a mesh, and what keeps their seats."""

from __future__ import annotations

import socket
from dataclasses import replace
from functools import partial

import trio

from kong_mesh_cp.compose.control_plane import ControlPlane
from kong_mesh_cp.compose.listeners import Listeners
from kong_mesh_cp.compose.wings.servers import Servers
from kong_mesh_cp.compose.wings.wing import Task, Wing
from kong_mesh_cp.shell.admission_socket.keeping import KeptSocket
from kong_mesh_cp.shell.admission_socket.limits import (
    SOCKET_ANSWERS_BYTES_MAX,
    SOCKET_BODIES_BYTES_MAX,
)
from kong_mesh_cp.shell.listening.budget import Budgets
from kong_mesh_cp.usecases.admission.seating import RECLAIM_SECONDS


def admission_wing(plane: ControlPlane, listeners: Listeners) -> Wing:
    former = trio.CancelScope()

    async def accept(
        servers: Servers,
        listener: socket.socket,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Until it is the former one."""
        nonlocal former
        before = former
        with trio.CancelScope() as former:
            async with trio.open_nursery() as accepting:
                await start(replace(servers, accepting=accepting), listener)
                before.cancel()
                task_status.started()

    async def start(servers: Servers, listener: socket.socket) -> None:
        await servers.start(
            listener,
            plane.admission.handle,
            limits=plane.admission.places.limits,
            error_body=plane.admission.error_body,
            gate=plane.admission,
            budgets=Budgets(answers=SOCKET_ANSWERS_BYTES_MAX, bodies=SOCKET_BODIES_BYTES_MAX),
            privileged=plane.admission.is_privileged,
        )

    async def serve(servers: Servers) -> None:
        async def serve_anew(listener: socket.socket) -> None:
            await servers.accepting.start(partial(accept, servers, listener))

        await serve_anew(listeners.admission)
        kept = KeptSocket(listeners.admission_path, serve_anew)
        plane.socket_failure = lambda: kept.failure
        servers.accepting.start_soon(kept.run)

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
        partial(plane.seating.run, plane.reserved),
        plane.replica.run,
        plane.meshes.follow,
        partial(plane.presence.run, RECLAIM_SECONDS),
    ]
    return tasks if plane.shared is None else [*tasks, plane.shared.run]
