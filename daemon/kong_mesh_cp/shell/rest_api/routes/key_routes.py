"""The keys of tokens, and the key of secrets at rest, over HTTP. No answer holds a key.

These paths are this product's own. A type of resource cannot take them: Kuma's newer ones have no
hyphen in their paths, and the older ones are all there (core/resources/registry.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ControlPlaneError, StateError
from kong_mesh_cp.core.identity.refusals import (
    AccessDeniedError,
    SigningKeyNotFoundError,
    TokenRejectedError,
)
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.http.operations import Operation
from kong_mesh_cp.shell.http.routing import Route
from kong_mesh_cp.shell.rest_api.auditing import asked_from
from kong_mesh_cp.shell.rest_api.problem import kuma_error
from kong_mesh_cp.shell.rest_api.responding import (
    Answer,
    authenticated,
    json_response,
    of_secrets,
    responding,
)
from kong_mesh_cp.shell.rest_api.users import Authenticate
from kong_mesh_cp.shell.rest_api.write_queries import require_no_flags
from kong_mesh_cp.usecases.identity.key_requests import DATAPLANE, Document, KeyRequests
from kong_mesh_cp.usecases.ports.secrets import SEALING_KEY_CONFLICTS
from kong_mesh_cp.usecases.resources.mesh_creation import KeysBusyError
from kong_mesh_cp.usecases.resources.resource_refusals import ResourceRefusedError

TAG: Final = "Keys"
_NOT_DONE: Final = "Could not change the keys"

_OWN_RESPONSES: Final = (
    AccessDeniedError,
    KeysBusyError,
    ResourceRefusedError,
    TokenRejectedError,
)

_LIST: Final = Operation(
    id="listSigningKeys",
    summary="The keys that sign the tokens of users and zones",
    tag=TAG,
    description="For administrators. `unusable`: what is stored under that name is no key.",
    answers=("SigningKeys",),
)
_ROTATE: Final = Operation(
    id="rotateSigningKey",
    summary="Add a key that signs from now on; the earlier ones go on validating",
    tag=TAG,
    answers=("SigningKey",),
    refuses=(409, 503),
    negotiates=False,
)
_RETIRE: Final = Operation(
    id="retireSigningKey",
    summary="Take out a key that does not sign any more; what it has signed is void",
    tag=TAG,
    answers=("Deleted",),
    refuses=(409,),
)
_REVOKE: Final = Operation(
    id="revokeToken",
    summary="Void one token by its id",
    tag=TAG,
    answers=("Deleted",),
    refuses=(409,),
    negotiates=False,
)
_LIST_SEALING: Final = Operation(
    id="listSealingKeys",
    summary="The ids of the keys that secrets at rest are sealed with",
    tag=TAG,
    answers=("SealingKeys",),
)
_ROTATE_SEALING: Final = Operation(
    id="rotateSealingKey",
    summary="Seal all secrets with a new key",
    tag=TAG,
    answers=("SealingKeyRotation",),
    refuses=(409,),
    negotiates=False,
)
_RETIRE_SEALING: Final = Operation(
    id="retireSealingKeys",
    summary="Forget the sealing keys of before",
    tag=TAG,
    answers=("SealingKeyRetirement",),
    refuses=(409,),
    negotiates=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRoutes:
    """For administrators, and for no web page of another origin."""

    requests: KeyRequests
    authenticate: Authenticate

    def routes(self) -> Iterator[Route]:
        for above, mesh in (("", ""), ("/meshes/{mesh}", "OfMesh")):
            keys = f"{above}/signing-keys"
            one = keys if mesh else f"{keys}/{{series}}"
            for path, method, answer, about in (
                (keys, "GET", self._list, _LIST),
                (f"{one}/rotate", "POST", self._rotate, _ROTATE),
                (f"{one}/{{serial}}", "DELETE", self._retire, _RETIRE),
                (f"{one}/revocations/{{token}}", "PUT", self._revoke, _REVOKE),
            ):
                yield self._route(path, method, answer, _of(about, mesh))
        for path, method, answer, about in (
            ("/sealing-key", "GET", self._list_sealing, _LIST_SEALING),
            ("/sealing-key/rotate", "POST", self._rotate_sealing, _ROTATE_SEALING),
            ("/sealing-key/retire", "POST", self._retire_sealing, _RETIRE_SEALING),
        ):
            yield self._route(path, method, answer, about)

    def _route(self, path: str, method: str, answer: Asked, about: Operation) -> Route:
        guarded = of_secrets(_explaining(answer))
        respond = responding if about.negotiates else authenticated
        return Route(path, method, respond(self.authenticate, guarded), about)

    async def _list(self, user: User, request: Request) -> Document:
        return await self.requests.signing_keys(user, request.captured.get("mesh", ""))

    async def _rotate(self, user: User, request: Request) -> Document:
        return await self.requests.rotate(user, asked_from(request), *_series(request))

    async def _retire(self, user: User, request: Request) -> Document:
        kind, mesh = _series(request)
        serial = request.captured["serial"]
        await self.requests.retire(user, asked_from(request), kind, serial, mesh)
        return {}

    async def _revoke(self, user: User, request: Request) -> Document:
        kind, mesh = _series(request)
        token = request.captured["token"]
        await self.requests.revoke(user, asked_from(request), kind, token, mesh)
        return {}

    async def _list_sealing(self, user: User, request: Request) -> Document:  # noqa: ARG002
        return await self.requests.sealing_keys(user)

    async def _rotate_sealing(self, user: User, request: Request) -> Document:
        return await self.requests.rotate_sealing(user, asked_from(request))

    async def _retire_sealing(self, user: User, request: Request) -> Document:
        return await self.requests.retire_sealing(user, asked_from(request))


Asked = Callable[[User, Request], Awaitable[Document]]


def _of(about: Operation, mesh: str) -> Operation:
    if not mesh:
        return about
    summary = "The keys that sign the tokens of proxies in a mesh"
    return replace(
        about, id=f"{about.id}{mesh}", summary=summary if about is _LIST else about.summary
    )


def _series(request: Request) -> tuple[str, str]:
    """The kind of token, and its mesh."""
    mesh = request.captured.get("mesh", "")
    return (DATAPLANE if mesh else request.captured["series"]), mesh


def _explaining(asked: Asked) -> Answer:
    """`asked` with the refusals of its own as responses, with their codes and remedies."""

    async def answer(user: User, request: Request) -> Response:
        if request.method != "GET":
            require_no_flags(request)
        try:
            return await json_response(await asked(user, request))
        except _OWN_RESPONSES:
            raise
        except SigningKeyNotFoundError as error:
            return _problem(404, "Signing Key not found", error)
        except StateError as error:
            if error.code not in SEALING_KEY_CONFLICTS:
                raise
            return _problem(409, _NOT_DONE, error)
        except ControlPlaneError as error:
            return _problem(409, _NOT_DONE, error)

    return answer


def _problem(status: int, title: str, error: ControlPlaneError) -> Response:
    extras = {"code": error.code, "hint": error.hint}
    return Response(status, kuma_error(status, title, error.message, extras=extras))
