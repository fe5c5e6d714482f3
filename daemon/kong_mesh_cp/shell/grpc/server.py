"""Plain requests and calls on one port: HTTP/1.1 and HTTP/2, as the peer chooses (ALPN)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NoReturn

import trio

from kong_mesh_cp.shell.grpc.calls import Method, calls_of
from kong_mesh_cp.shell.http.h1.answers import DateLine
from kong_mesh_cp.shell.http.h1.service import Service
from kong_mesh_cp.shell.http.h2.service import H2Service
from kong_mesh_cp.shell.http.messages import ErrorBody, Handler
from kong_mesh_cp.shell.http.server import http_protocols
from kong_mesh_cp.shell.listening.acceptor import accept
from kong_mesh_cp.shell.listening.budget import Budgets, is_loopback
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.listening.tls import Tls


async def serve_grpc(
    listener: trio.SocketListener,
    handler: Handler,
    methods: Mapping[str, Method],
    *,
    limits: Limits,
    error_body: ErrorBody,
    wall_clock: Callable[[], datetime],
    conversations: trio.Nursery,
    drain: Drain,
    tls: Tls,
    budgets: Budgets | None = None,
    privileged: Callable[[Peer], bool] = is_loopback,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> NoReturn:
    """As `serve_http`, over TLS, and calls of `methods` (by path) where HTTP/2 is spoken.

    `handler` gets every request that is no call, in both versions of HTTP.
    """
    service = Service(
        handler=handler,
        limits=limits,
        error_body=error_body,
        date=DateLine(wall_clock),
        drain=drain,
        budgets=budgets if budgets is not None else Budgets(),
    )
    await accept(
        listener,
        http_protocols(service, H2Service(http=service, special=calls_of(methods))),
        limits=limits,
        conversations=conversations,
        drain=drain,
        privileged=privileged,
        tls=tls,
        task_status=task_status,
    )
