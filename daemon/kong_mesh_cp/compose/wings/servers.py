"""Starts the servers of a run; all of them end together."""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.shell.grpc.terms import USUAL, CallTerms
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.shell.http.messages import ErrorBody, Handler, Response
from kong_mesh_cp.shell.http.server import serve_http
from kong_mesh_cp.shell.listening.acceptor import Gate
from kong_mesh_cp.shell.listening.budget import Budgets, is_loopback
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.listening.tls import Tls

if TYPE_CHECKING:
    from kong_mesh_cp.shell.grpc import server as grpc_server
    from kong_mesh_cp.shell.grpc.calls import Method
else:
    grpc_server = lazy_import("kong_mesh_cp.shell.grpc.server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Where servers and what they need become tasks."""

    accepting: trio.Nursery  # cancelled at once when the control plane stops
    conversations: trio.Nursery  # these get DRAIN_SECONDS then
    background: trio.Nursery  # cancelled when they have ended
    drain: Drain
    part: float  # of the connections that listeners may have, as many as there are descriptors

    async def start(
        self,
        listener: socket.socket,
        handler: Handler,
        *,
        limits: Limits,
        error_body: ErrorBody,
        budgets: Budgets,
        gate: Gate[Response] | None = None,
        privileged: Callable[[Peer], bool] = is_loopback,
        tls: Tls | None = None,
    ) -> None:
        """Serve HTTP on `listener`; it accepts when this returns. Arguments: see `serve_http`."""
        await self.accepting.start(
            functools.partial(
                serve_http,
                trio.SocketListener(trio.socket.from_stdlib_socket(listener)),
                handler,
                limits=limits.for_part(self.part),
                error_body=error_body,
                wall_clock=clocks.wall_clock,
                conversations=self.conversations,
                drain=self.drain,
                gate=gate,
                budgets=budgets,
                privileged=privileged,
                tls=tls,
            )
        )

    async def start_calls(
        self,
        listener: socket.socket,
        handler: Handler,
        methods: Mapping[str, Method],
        *,
        limits: Limits,
        error_body: ErrorBody,
        budgets: Budgets,
        tls: Tls | None,
        terms: CallTerms = USUAL,
    ) -> None:
        """As `start`, with gRPC's calls of `methods`; arguments: see `serve_grpc`."""
        await self.accepting.start(
            functools.partial(
                grpc_server.serve_grpc,
                trio.SocketListener(trio.socket.from_stdlib_socket(listener)),
                handler,
                methods,
                limits=limits.for_part(self.part),
                error_body=error_body,
                wall_clock=clocks.wall_clock,
                conversations=self.conversations,
                drain=self.drain,
                budgets=budgets,
                tls=tls,
                terms=terms,
            )
        )
