"""Plain requests and calls on one port: HTTP/1.1 and HTTP/2, as the peer chooses (ALPN)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, NoReturn

import trio

from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.shell.grpc.terms import USUAL, CallTerms
from kong_mesh_cp.shell.http.h1.answers import DateLine
from kong_mesh_cp.shell.http.h1.service import Service
from kong_mesh_cp.shell.http.messages import ErrorBody, Handler, Response
from kong_mesh_cp.shell.http.server import http_protocols
from kong_mesh_cp.shell.listening.acceptor import accept
from kong_mesh_cp.shell.listening.budget import Budgets, is_loopback
from kong_mesh_cp.shell.listening.channel import Channel
from kong_mesh_cp.shell.listening.conversation import Conversation, ConversationFactory
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.listening.places import Place
from kong_mesh_cp.shell.listening.tls import Tls

if TYPE_CHECKING:
    from kong_mesh_cp.shell.grpc import calls
    from kong_mesh_cp.shell.grpc.calls import Method
    from kong_mesh_cp.shell.http.h2 import connection
    from kong_mesh_cp.shell.http.h2 import service as h2
else:
    calls = lazy_import("kong_mesh_cp.shell.grpc.calls")
    connection = lazy_import("kong_mesh_cp.shell.http.h2.connection")
    h2 = lazy_import("kong_mesh_cp.shell.http.h2.service")

HTTP_2 = "h2"  # its name in ALPN, over TLS: RFC 9113 section 3.1


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
    tls: Tls | None,
    terms: CallTerms = USUAL,
    budgets: Budgets | None = None,
    privileged: Callable[[Peer], bool] = is_loopback,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> NoReturn:
    """As `serve_http`, and calls of `methods` (by path) where HTTP/2 is spoken.

    `handler` gets every request that is no call, in both versions of HTTP. Without TLS all is
    HTTP/2 (RFC 9113 section 3.3, with prior knowledge): there is no other way to choose.
    """
    service = Service(
        handler=handler,
        limits=limits,
        error_body=error_body,
        date=DateLine(wall_clock),
        drain=drain,
        budgets=budgets if budgets is not None else Budgets(),
    )
    protocols = http_protocols(service, {HTTP_2: _http_2(service, methods, terms)})
    if tls is None:
        protocols = replace(protocols, default=HTTP_2)
    await accept(
        listener,
        protocols,
        limits=limits,
        conversations=conversations,
        drain=drain,
        privileged=privileged,
        tls=tls,
        task_status=task_status,
    )


def _http_2(
    service: Service, methods: Mapping[str, Method], terms: CallTerms
) -> ConversationFactory[Response]:
    """All of HTTP/2 is imported with the first connection that speaks it."""

    @functools.cache
    def shared() -> h2.H2Service:
        return h2.H2Service(http=service, special=calls.calls_of(methods, terms))

    def begin(channel: Channel, peer: Peer, place: Place) -> Conversation[Response]:
        return connection.Connection(shared(), channel, peer, place)

    return begin
