"""The calls of the admission socket about keys, for root and the daemon's own user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from kong_mesh_cp.core.errors import ControlPlaneError, StateError
from kong_mesh_cp.core.formats.json_text import json_text
from kong_mesh_cp.core.identity.audit import Source
from kong_mesh_cp.core.identity.refusals import SigningKeyNotFoundError
from kong_mesh_cp.core.identity.users import ADMIN
from kong_mesh_cp.shell.admission_socket.problems import problem_response
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.usecases.identity.key_requests import DATAPLANE, Document, KeyRequests
from kong_mesh_cp.usecases.ports.secrets import SEALING_KEY_CONFLICTS
from kong_mesh_cp.usecases.resources.mesh_creation import KeysBusyError
from kong_mesh_cp.usecases.resources.resource_refusals import Fault, ResourceRefusedError

# Who may ask has been asked: root is the administrator, as on the API over loopback.
_Call = Callable[[KeyRequests, Source, Request], Awaitable[Document]]


class KeyCalls:
    """`shell.admission_socket.routes.KeyAnswers`: imported when resources are served."""

    def __init__(self, requests: KeyRequests) -> None:
        self._requests = requests

    async def __call__(self, name: str, request: Request, source: Source) -> Response:
        try:
            document = await _CALLS[name](self._requests, source, request)
        except ControlPlaneError as error:
            return problem_response(_status_of(error), error.code, _reason(error), error.hint)
        return Response(200, json_text(document))


def _status_of(error: ControlPlaneError) -> int:
    """The HTTP status that goes with an error of these calls."""
    match error:
        case SigningKeyNotFoundError() | ResourceRefusedError(fault=Fault.NOT_FOUND):
            return 404
        case ResourceRefusedError(fault=Fault.READ_ONLY):
            return 405
        case ResourceRefusedError(fault=Fault.INVALID):
            return 400
        case KeysBusyError():
            return 503
        case StateError(code=code) if code not in SEALING_KEY_CONFLICTS:
            return 500
        case _:
            return 409


def _reason(error: ControlPlaneError) -> str:
    if isinstance(error, ResourceRefusedError) and error.violations:
        return "; ".join(f"{each.field}: {each.message}" for each in error.violations)
    return error.message


def _series(request: Request) -> tuple[str, str]:
    """The kind of token, and its mesh."""
    mesh = request.captured.get("mesh", "")
    return (DATAPLANE if mesh else request.captured["series"]), mesh


async def _list(requests: KeyRequests, _source: Source, request: Request) -> Document:
    return await requests.signing_keys(ADMIN, request.captured.get("mesh", ""))


async def _rotate(requests: KeyRequests, source: Source, request: Request) -> Document:
    return await requests.rotate(ADMIN, source, *_series(request))


async def _retire(requests: KeyRequests, source: Source, request: Request) -> Document:
    kind, mesh = _series(request)
    await requests.retire(ADMIN, source, kind, request.captured["serial"], mesh)
    return {}


async def _revoke(requests: KeyRequests, source: Source, request: Request) -> Document:
    kind, mesh = _series(request)
    await requests.revoke(ADMIN, source, kind, request.captured["token"], mesh)
    return {}


async def _list_sealing(requests: KeyRequests, _source: Source, _request: Request) -> Document:
    return await requests.sealing_keys(ADMIN)


async def _rotate_sealing(requests: KeyRequests, source: Source, _request: Request) -> Document:
    return await requests.rotate_sealing(ADMIN, source)


async def _retire_sealing(requests: KeyRequests, source: Source, _request: Request) -> Document:
    return await requests.retire_sealing(ADMIN, source)


_CALLS: Final[Mapping[str, _Call]] = {
    "list": _list,
    "rotate": _rotate,
    "retire": _retire,
    "revoke": _revoke,
    "list-sealing": _list_sealing,
    "rotate-sealing": _rotate_sealing,
    "retire-sealing": _retire_sealing,
}
