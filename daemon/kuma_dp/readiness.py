"""`/ready` on a port of this machine: whether the proxy serves, and goes on serving.

Source: docs/wire/kuma-dp.md#readiness
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final

import trio

from kong_mesh_cp.shell.host.clocks import wall_clock
from kong_mesh_cp.shell.host.listening import open_tcp
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.http.plain_text import plain_text_error
from kong_mesh_cp.shell.http.server import serve_http
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import Limits

LIMITS: Final = Limits(connections_max=64, reserved_connections=8, body_bytes_max=4096)
_PATH: Final = "/ready"
_HEADERS: Final = (("x-powered-by", "kuma-dp"),)


class State(Enum):
    """What is answered, and the status it is answered with."""

    STARTING = ("STARTING", 503)
    READY = ("READY", 200)
    TERMINATING = ("TERMINATING", 503)


def listen(host: str, port: int) -> trio.SocketListener:
    """The listener of `serve`. Raises: ListenError (`port-taken` and its kin)."""
    listening = open_tcp(host, port, setting="KUMA_READINESS_PORT")
    return trio.SocketListener(trio.socket.from_stdlib_socket(listening))


async def serve(listener: trio.SocketListener, state: Callable[[], State]) -> None:
    """Serve until cancelled, and close the listener."""

    async def answer(request: Request) -> Response:
        if request.path != _PATH:
            return plain_text_error(404, "not-found", "")
        text, status = state().value
        return Response(status, text.encode(), "text/plain", _HEADERS)

    async with listener, trio.open_nursery() as conversations:
        await serve_http(
            listener,
            answer,
            limits=LIMITS,
            error_body=plain_text_error,
            wall_clock=wall_clock,
            conversations=conversations,
            drain=Drain(),
        )
