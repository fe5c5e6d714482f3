"""Errors of the HTTP API as responses."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from kong_mesh_cp.core.identity.audit import Refusal
from kong_mesh_cp.shell.http.messages import RETRY_AFTER, Response
from kong_mesh_cp.shell.rest_api.problem import InvalidParameter, kuma_error

if TYPE_CHECKING:
    from kong_mesh_cp.core.identity.refusals import TokenRejectedError
    from kong_mesh_cp.core.identity.users import User
    from kong_mesh_cp.usecases.resources.resource_refusals import ResourceRefusedError

_STATUSES = {
    "not-found": 404,
    "invalid": 400,
    "unreadable": 400,
    "conflict": 409,
    "denied": 403,
    "unauthenticated": 401,
    "over-quota": 403,  # as Kubernetes says it
    "mesh-quota": 403,
    "read-only": 405,
    "internal": 500,
    "busy": 503,
    "too-large": 500,
    "not-connected": 400,  # as the original says it of a proxy behind another control plane
}
# Kuma does not know these, or words them for its log alone; here the answer has code and remedy.
_EXPLAINED = frozenset({"busy", "mesh-quota", "not-connected", "over-quota", "too-large"})


def api_error(status: int, code: str, message: str) -> Response:
    """What the server itself refuses (too large, too slow, not HTTP). An `ErrorBody`."""
    title = HTTPStatus(status).phrase
    response = Response(status, kuma_error(status, title, message, extras={"code": code}))
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers = (RETRY_AFTER,)
    return response


def denied(detail: str, user: User) -> Response:
    refusal = Refusal(status=403, reason=detail, user=user)
    return Response(403, kuma_error(403, "Access Denied", detail), refusal=refusal)


def not_believed(error: TokenRejectedError) -> Response:
    """What is wrong with a token is logged, and not sent."""
    body = kuma_error(401, "Invalid authentication data", "Unauthenticated")
    refusal = Refusal(status=401, reason=f"{error.code}: {error.message}")
    return Response(401, body, refusal=refusal)


def refused(error: ResourceRefusedError) -> Response:
    """A request about a resource that was not carried out."""
    status = _STATUSES[error.fault]
    wrong = [InvalidParameter(each.field, each.message) for each in error.violations]
    extras = {"code": error.code, "hint": error.hint} if error.fault in _EXPLAINED else None
    body = kuma_error(status, error.title, error.detail, invalid_parameters=wrong, extras=extras)
    return Response(status, body, headers=(RETRY_AFTER,) if error.fault == "busy" else ())
