"""Connections to applications of this machine, past the rules of a transparent proxy."""

from __future__ import annotations

from typing import Final

import trio

# From where those rules redirect nothing: what came from elsewhere would come to Envoy.
UNREDIRECTED_IPV4: Final = "127.0.0.6"
UNREDIRECTED_IPV6: Final = "::6"


async def connect(host: str, port: int, *, redirected: bool) -> trio.SocketStream:
    """`redirected`: whether there are such rules. Raises: OSError."""
    local = None
    if redirected:
        local = UNREDIRECTED_IPV6 if ":" in host else UNREDIRECTED_IPV4
    return await trio.open_tcp_stream(host, port, local_address=local)
