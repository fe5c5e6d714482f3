"""The API's description of itself: `GET /api-docs/openapi.yaml`, and the same as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import trio

from kong_mesh_cp.core.formats.json_text import json_text
from kong_mesh_cp.core.formats.yaml_text import yaml_text
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.shell.http.messages import Handler, Request, Response
from kong_mesh_cp.shell.http.operations import JSON, Operation
from kong_mesh_cp.shell.http.routing import Route

if TYPE_CHECKING:
    from kong_mesh_cp.shell.rest_api.openapi import document
else:
    document = lazy_import("kong_mesh_cp.shell.rest_api.openapi.document")

YAML = "application/yaml"  # RFC 9512
TAG = "Documentation"


def document_routes(routes: Sequence[Route]) -> Iterator[Route]:
    """The document of `routes`, a table that these routes may still be put into themselves."""
    for name, media_type, write in (
        ("openapi.json", JSON, json_text),
        ("openapi.yaml", YAML, yaml_text),
    ):
        form = name.rpartition(".")[2]
        about = Operation(
            id=f"getDocumentAs{form.title()}",
            summary=f"This document, as {form.upper()}",
            tag=TAG,
            answers=("Document",),
            answer_type=media_type,
            negotiates=False,
            authenticates=False,
        )
        yield Route(f"/api-docs/{name}", "GET", _kept(routes, media_type, write), about)


def _kept(routes: Sequence[Route], media_type: str, write: Callable[[object], bytes]) -> Handler:
    """Made for the first who asks, in a thread, then kept: routes and types do not change."""
    made: bytes | None = None
    making = trio.Lock()

    def make(base_path: str) -> bytes:
        # A start does not wait for what few ask for.
        return write(document.openapi_document(routes, base_path))

    async def answer(request: Request) -> Response:
        nonlocal made
        async with making:
            if made is None:
                made = await trio.to_thread.run_sync(make, request.base_path)
        return Response(200, made, media_type)

    return answer
