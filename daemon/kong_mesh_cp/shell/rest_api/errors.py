"""Errors of the HTTP API as responses."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from kong_mesh_cp.core.identity.audit import Refusal
from kong_mesh_cp.shell.http.messages import RETRY_AFTER, Response
from kong_mesh_cp.shell.rest_api.problem import InvalidParameter, kuma_error

if TYPE_CHECKING:
    from kong_mesh_cp.core.errors import StateError
    from kong_mesh_cp.core.identity.refusals import AccessDeniedError, TokenRejectedError
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
    "not-answering": 500,
    "zone-not-answering": 400,  # as the original, with the zone's own words
    "not-connected": 400,  # as the original says it of a proxy behind another control plane
}
# Kuma does not know these, or words them for its log alone; here the answer has code and remedy.
_EXPLAINED = frozenset(
    {"busy", "mesh-quota", "not-answering", "not-connected", "over-quota", "too-large"}
)

_AS_A_USER = (
    "Nothing says who asks. Send a user token (Authorization: Bearer TOKEN; kumactl config"
    " control-planes add --auth-type tokens), or ask on the machine of the control plane."
)
# By the code of the log's line.
_REASONS = {
    "state-full": "no space is left where the control plane keeps its store; nothing was changed",
    "state-unwritable": "the control plane may not write its store; nothing was changed",
    "state-io": "reading or writing the store failed",
    "store-busy": "the store is busy or locked; nothing was changed",
    "store-timeout": "the store did not answer in time",
    "store-unreachable": "the database cannot be reached; nothing was changed",
    "store-readonly": "the database takes no changes: it is a standby",
    "store-closed": "the control plane is ending; nothing was changed",
    "store-outcome-unknown": "the connection to the database was lost during the commit: "
    "the change was made whole or not at all",
}
_OTHER_REASON = "the store cannot be used"
_IN_THE_LOG = (
    "An operator finds the cause and the remedy in the log of the control plane: "
    "journalctl -u kong-mesh-cp. Ask again then."
)


def api_error(status: int, code: str, message: str) -> Response:
    """What the server itself refuses (too large, too slow, not HTTP). An `ErrorBody`."""
    title = HTTPStatus(status).phrase
    response = Response(status, kuma_error(status, title, message, extras={"code": code}))
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers = (RETRY_AFTER,)
    return response


def denied(error: AccessDeniedError, user: User) -> Response:
    hint = error.hint if user.is_authenticated else _AS_A_USER
    extras = {"code": error.code, "hint": hint}
    body = kuma_error(403, "Access Denied", error.message, extras=extras)
    return Response(403, body, refusal=Refusal(status=403, reason=error.message, user=user))


def not_believed(error: TokenRejectedError) -> Response:
    """Why a token proves nothing, said to who sent it; no text of it quotes the token."""
    extras = {"code": error.code, "reason": error.message, "hint": error.hint}
    body = kuma_error(401, "Invalid authentication data", "Unauthenticated", extras=extras)
    refusal = Refusal(status=401, reason=error.logged)
    return Response(401, body, refusal=refusal)


def store_not_usable(error: StateError) -> Response:
    """Paths and addresses of the store are for the log; a client needs to know what to expect."""
    reason = _REASONS.get(error.code, _OTHER_REASON)
    extras = {"code": error.code, "reason": reason, "hint": _IN_THE_LOG}
    title, detail = "Could not use the store", "Internal Server Error"
    return Response(500, kuma_error(500, title, detail, extras=extras), failure=error)


def refused(error: ResourceRefusedError) -> Response:
    """A request about a resource that was not carried out."""
    status = _STATUSES[error.fault]
    wrong = [InvalidParameter(each.field, each.message) for each in error.violations]
    extras = {"code": error.code, "hint": error.hint} if error.fault in _EXPLAINED else None
    body = kuma_error(status, error.title, error.detail, invalid_parameters=wrong, extras=extras)
    return Response(status, body, headers=(RETRY_AFTER,) if error.fault == "busy" else ())
