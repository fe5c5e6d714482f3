"""Errors of the HTTP API as responses."""

from __future__ import annotations

from http import HTTPStatus

from kong_mesh_cp.core.wire.problem import kuma_error
from kong_mesh_cp.shell.http.messages import Response

ANONYMOUS = "mesh-system:anonymous/mesh-system:unauthenticated"


def api_error(status: int, code: str, message: str) -> Response:
    """What the server itself refuses (too large, too slow, not HTTP). An `ErrorBody`."""
    title = HTTPStatus(status).phrase
    return Response(status, kuma_error(status, title, message, extras={"code": code}))


def access_denied(what: str) -> Response:
    """For everybody but an administrator; `what` follows "cannot access"."""
    detail = f'user "{ANONYMOUS}" cannot access {what}'
    return Response(403, kuma_error(403, "Access Denied", detail))
