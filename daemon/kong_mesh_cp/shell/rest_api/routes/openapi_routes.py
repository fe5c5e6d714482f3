"""The API's description of itself: `GET /api-docs/openapi.yaml`, and the same as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import trio

from kong_mesh_cp.core.formats.json_text import json_text
from kong_mesh_cp.shell.http.messages import Handler, Request, Response
from kong_mesh_cp.shell.http.operations import JSON, Operation
from kong_mesh_cp.shell.http.routing import Route
from kong_mesh_cp.shell.rest_api.openapi.yaml_text import yaml_text

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
        from kong_mesh_cp.shell.rest_api.openapi.document import openapi_document  # noqa: PLC0415

        return write(openapi_document(routes, base_path))

    async def answer(request: Request) -> Response:
        nonlocal made
        async with making:
            if made is None:
                made = await trio.to_thread.run_sync(make, request.base_path)
        return Response(200, made, media_type)

    return answer
