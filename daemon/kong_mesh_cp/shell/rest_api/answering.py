"""From a use case to a response: who asks, what was refused, what is shown."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.identity.refusals import AccessDeniedError, TokenRejectedError
from kong_mesh_cp.core.identity.users import ANONYMOUS, User
from kong_mesh_cp.core.wire.json_text import json_pieces
from kong_mesh_cp.core.wire.problem import kuma_error
from kong_mesh_cp.shell.http.messages import Handler, HeldResponse, Request, Response
from kong_mesh_cp.shell.rest_api.errors import denied, not_believed, refused
from kong_mesh_cp.shell.rest_api.negotiation import refusal
from kong_mesh_cp.shell.rest_api.users import (
    Authenticate,
    is_from_foreign_page,
    requester_of,
)
from kong_mesh_cp.usecases.resources.births import KEYS_BUSY_SECONDS, KeysBusyError
from kong_mesh_cp.usecases.resources.refusals import ResourceRefusedError
from kong_mesh_cp.usecases.stored_roles import RolesUnknownError

Answer = Callable[[User, Request], Awaitable[Response | HeldResponse]]

FOREIGN_PAGE: Final = "a web page of another origin cannot access secrets and tokens"
SLICE_CHARACTERS: Final = 16 * 1024  # written before others have their turn: about a millisecond

log = logging.getLogger(__name__)


def answering(authenticate: Authenticate, answer: Answer) -> Handler:
    """`answer`, which sends JSON and takes JSON, for the user who asks."""

    async def negotiated(user: User, request: Request) -> Response | HeldResponse:
        return refusal(request) or await answer(user, request)

    return authenticated(authenticate, negotiated)


def of_secrets(answer: Answer) -> Answer:
    """`answer`, which has to do with secrets: for no web page of another origin, whoever asks.

    Raises: AccessDeniedError. What such a page may read otherwise is the operator's choice
    (`apiServer.corsAllowedDomains`), and a pattern that allows too much is easily written.
    """

    async def answered(user: User, request: Request) -> Response | HeldResponse:
        if is_from_foreign_page(request):
            raise AccessDeniedError(FOREIGN_PAGE)
        return await answer(user, request)

    return answered


def authenticated(authenticate: Authenticate, answer: Answer) -> Handler:
    """`answer` for the user who asks; every refusal becomes its response.

    A token that proves nothing comes before everything else that may be wrong.
    """

    async def answered(request: Request) -> Response | HeldResponse:
        user = ANONYMOUS
        try:
            user = await authenticate(requester_of(request))
            return await answer(user, request)
        except ResourceRefusedError as error:
            return refused(error)
        except AccessDeniedError as error:
            return denied(error.message, user)
        except TokenRejectedError as error:
            return not_believed(error)
        except RolesUnknownError as error:
            title = "Access cannot be decided"
            return Response(503, kuma_error(503, title, error.message))
        except KeysBusyError as error:
            extras = {"code": error.code, "hint": error.hint}
            body = kuma_error(503, "Keys cannot be made now", error.message, extras=extras)
            return Response(503, body, headers=(("Retry-After", str(KEYS_BUSY_SECONDS)),))
        except StateError as error:
            log.error("store-not-usable: %s. %s", error.message, error.hint)
            title, detail = "Could not use the store", "Internal Server Error"
            return Response(500, kuma_error(500, title, detail))

    return answered


async def shown(document: object, status: int = 200) -> Response:
    """The answer that shows `document`; while a large one is written, others have their turn."""
    text: list[bytes] = []
    slice_: list[str] = []
    characters = 0
    for piece in json_pieces(document):
        slice_.append(piece)
        characters += len(piece)
        if characters >= SLICE_CHARACTERS:
            text.append("".join(slice_).encode())
            slice_.clear()
            characters = 0
            await trio.lowlevel.checkpoint()
    text.append("".join(slice_).encode())
    return Response(status, b"".join(text))
