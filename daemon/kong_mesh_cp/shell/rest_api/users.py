"""The user that a request of the HTTP API is from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from kong_mesh_cp.core.identity.users import Requester, User
from kong_mesh_cp.shell.http.messages import Request
from kong_mesh_cp.shell.http.origins import is_foreign_page
from kong_mesh_cp.shell.rest_api.localhost import is_localhost

Authenticate = Callable[[Requester], Awaitable[User]]
"""Raises: TokenRejectedError for a token that proves nothing."""


def requester_of(request: Request) -> Requester:
    """What the connection and the headers say, before any of it is verified."""
    peer = request.peer
    ip = peer.address[0] if peer.address else None
    foreign = is_from_foreign_page(request)
    return Requester(
        local=is_localhost(ip, request.headers, secure=peer.secure),
        # A browser shows its certificate for whatever page asks.
        certified=peer.certified and not foreign,
        foreign_page=foreign,
        authorization=request.headers.get("authorization"),
    )


def is_from_foreign_page(request: Request) -> bool:
    """Whether a browser sent it for a page of another origin."""
    return is_foreign_page(request.headers, secure=request.peer.secure)
