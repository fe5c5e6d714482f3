"""Responses of the resource API: authenticates, maps refusals, writes JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from itertools import chain
from typing import Final, TypeVar

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.json_text import json_pieces, json_pieces_within, json_text
from kong_mesh_cp.core.identity.refusals import AccessDeniedError, TokenRejectedError
from kong_mesh_cp.core.identity.users import ANONYMOUS, User
from kong_mesh_cp.shell.http.messages import Handler, Request, Response, StreamingResponse
from kong_mesh_cp.shell.rest_api.errors import denied, not_believed, refused, store_not_usable
from kong_mesh_cp.shell.rest_api.list_queries import next_page
from kong_mesh_cp.shell.rest_api.negotiation import refusal
from kong_mesh_cp.shell.rest_api.problem import kuma_error
from kong_mesh_cp.shell.rest_api.users import (
    Authenticate,
    is_from_foreign_page,
    requester_of,
)
from kong_mesh_cp.usecases.identity.stored_roles import RolesUnknownError
from kong_mesh_cp.usecases.resources.mesh_creation import KEYS_BUSY_SECONDS, KeysBusyError
from kong_mesh_cp.usecases.resources.queries import Listing
from kong_mesh_cp.usecases.resources.resource_refusals import Fault, ResourceRefusedError
from kong_mesh_cp.usecases.resources.sweeping import SLICE_ITEMS

T = TypeVar("T")

Answer = Callable[[User, Request], Awaitable[Response | StreamingResponse]]

FOREIGN_PAGE: Final = "a web page of another origin cannot access secrets and tokens"
SLICE_CHARACTERS: Final = 16 * 1024  # written before others have their turn: about a millisecond
PAGE_CHARACTERS_MAX: Final = 4 * 1024 * 1024  # a list that is longer ends after the item at hand
ANSWER_CHARACTERS_MAX: Final = 16 * 1024 * 1024  # of anything


def responding(authenticate: Authenticate, answer: Answer) -> Handler:
    """`answer`, which sends JSON and takes JSON, for the user who asks."""

    async def negotiated(user: User, request: Request) -> Response | StreamingResponse:
        return refusal(request) or await answer(user, request)

    return authenticated(authenticate, negotiated)


def of_secrets(answer: Answer) -> Answer:
    """`answer`, which has to do with secrets: never for a web page of another origin.

    Raises: AccessDeniedError. What such a page may read otherwise is the operator's choice
    (`apiServer.corsAllowedDomains`), and a pattern that allows too much is easily written.
    """

    async def answered(user: User, request: Request) -> Response | StreamingResponse:
        if is_from_foreign_page(request):
            raise AccessDeniedError(FOREIGN_PAGE)
        return await answer(user, request)

    return answered


def authenticated(authenticate: Authenticate, answer: Answer) -> Handler:
    """`answer` for the user who asks; every refusal becomes its response.

    A token that proves nothing comes before everything else that may be wrong.
    """

    async def answered(request: Request) -> Response | StreamingResponse:
        user = ANONYMOUS
        try:
            requester = requester_of(request)
            user = await authenticate(requester)
            if requester.foreign_page:
                user = replace(user, of_page=True)
            return await answer(user, request)
        except ResourceRefusedError as error:
            return refused(error)
        except AccessDeniedError as error:
            return denied(error, user)
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
            return store_not_usable(error)

    return answered


async def not_on_global(_user: User, _request: Request) -> Response:
    """What a global control plane answers about proxies. Raises: ResourceRefusedError."""
    raise ResourceRefusedError(Fault.READ_ONLY, "Method not allowed", "Not allowed on global CP")


async def json_response(document: object, status: int = 200) -> Response:
    """The answer that shows `document`; while a large one is written, others have their turn.

    Raises: ResourceRefusedError if it would be larger than ANSWER_CHARACTERS_MAX.
    """
    text = _Text()
    await text.write(json_pieces(document))
    return Response(status, text.body())


async def shown_list(request: Request, listing: Listing[T]) -> Response:
    """As `shown` of a list's document. One that gets too long ends early, and has a next page."""
    if len(listing.items) <= SLICE_ITEMS and listing.text_bytes <= SLICE_CHARACTERS:
        document = {
            "total": listing.total,
            "items": [*listing.items],
            "next": next_page(request, listing),
        }
        return Response(200, json_text(document))
    text = _Text()
    await text.write([f'{{\n "total": {listing.total},\n "items": ['])
    count = 0
    for item in listing.items:
        if count % SLICE_ITEMS == 0:
            await trio.lowlevel.checkpoint()
        separator = ",\n  " if count else "\n  "
        await text.write(chain((separator,), json_pieces_within(item, 2)))
        count += 1
        if text.characters > PAGE_CHARACTERS_MAX:
            break
    following = json_text(next_page(request, listing.up_to(count))).decode()
    await text.write(["\n ],\n" if count else "],\n", f' "next": {following}}}\n'])
    return Response(200, text.body())


class _Text:
    """A text that grows, with pauses."""

    def __init__(self) -> None:
        self.characters = 0
        self._written: list[bytes] = []
        self._slice: list[str] = []
        self._slice_characters = 0

    async def write(self, pieces: Iterable[str]) -> None:
        for piece in pieces:
            self._slice.append(piece)
            self._slice_characters += len(piece)
            if self._slice_characters >= SLICE_CHARACTERS:
                self._end_slice()
                await trio.lowlevel.checkpoint()
                if self.characters > ANSWER_CHARACTERS_MAX:
                    raise _too_large()

    def body(self) -> bytes:
        self._end_slice()
        body, self._written = b"".join(self._written), []
        return body

    def _end_slice(self) -> None:
        self.characters += self._slice_characters
        self._slice_characters = 0
        self._written.append("".join(self._slice).encode())
        self._slice.clear()


def _too_large() -> ResourceRefusedError:
    detail = f"it is longer than {ANSWER_CHARACTERS_MAX} characters"
    return ResourceRefusedError(Fault.TOO_LARGE, "Could not show the answer", detail)
