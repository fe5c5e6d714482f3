"""HTTP on a listener: which versions of it are spoken, and how it says no."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import NoReturn

import trio

from kong_mesh_cp.shell.http.h1.answers import DateLine
from kong_mesh_cp.shell.http.h1.connection import Connection
from kong_mesh_cp.shell.http.h1.service import Service
from kong_mesh_cp.shell.http.messages import ErrorBody, Handler, Response
from kong_mesh_cp.shell.listening.acceptor import Gate, accept
from kong_mesh_cp.shell.listening.budget import Budgets, is_loopback
from kong_mesh_cp.shell.listening.conversation import ConversationFactory, Protocols
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.listening.tls import Tls

HTTP_1_1 = "http/1.1"  # its name in ALPN: RFC 7301 section 6
_TLS_EXPECTED = "this port speaks HTTPS: ask again with https:// in place of http://"
_NONE: Mapping[str, ConversationFactory[Response]] = MappingProxyType({})


async def serve_http(
    listener: trio.SocketListener,
    handler: Handler,
    *,
    limits: Limits,
    error_body: ErrorBody,
    wall_clock: Callable[[], datetime],
    conversations: trio.Nursery,
    drain: Drain,
    gate: Gate[Response] | None = None,
    budgets: Budgets | None = None,
    privileged: Callable[[Peer], bool] = is_loopback,
    tls: Tls | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> NoReturn:
    """Serve HTTP/1.1 on `listener` until cancelled; started as soon as it accepts.

    As `accept`, also about errors and about who owns what; nothing that `handler` does ends this
    task or its siblings. `budgets` are shared with other listeners.
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
        http_protocols(service),
        limits=limits,
        conversations=conversations,
        drain=drain,
        gate=gate,
        privileged=privileged,
        tls=tls,
        task_status=task_status,
    )


def http_protocols(
    service: Service, preferred: Mapping[str, ConversationFactory[Response]] = _NONE
) -> Protocols[Response]:
    """HTTP/1.1, and what peers may choose before it; without ALPN it is HTTP/1.1."""
    return Protocols(
        by_name={**preferred, HTTP_1_1: partial(Connection, service)},
        default=HTTP_1_1,
        busy=partial(service.error_body, 503, "busy"),
        tls_expected=lambda: service.error_body(400, "https-expected", _TLS_EXPECTED),
    )
