"""Who a request of the HTTP API is from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from kong_mesh_cp.core.identity.users import Requester, User
from kong_mesh_cp.core.wire.localhost import is_localhost
from kong_mesh_cp.shell.http.messages import Request

Authenticate = Callable[[Requester], Awaitable[User]]
"""Raises: TokenRejectedError for a token that proves nothing."""


def requester_of(request: Request) -> Requester:
    """What the connection and the headers say, before anybody is believed."""
    address = request.peer.address
    return Requester(
        local=is_localhost(address[0] if address else None, request.headers),
        certified=request.peer.certified,
        authorization=request.headers.get("authorization"),
    )
