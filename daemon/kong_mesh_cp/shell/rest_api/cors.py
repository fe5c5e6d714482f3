"""Answers of the API for web pages of other origins."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from kong_mesh_cp.core.wire.cors import (
    AllowedOrigins,
    answer_headers,
    is_preflight,
    preflight_headers,
)
from kong_mesh_cp.shell.http.messages import Handler, HeldResponse, Request, Response


def across_origins(
    handler: Handler, allowed: AllowedOrigins, methods_at: Callable[[str], Collection[str]]
) -> Handler:
    """`handler`, whose answers the pages of allowed origins may read.

    `methods_at` says what a path takes; nothing for a path that does not exist. A preflight is
    answered here and reaches nobody else.
    """

    async def answer(request: Request) -> Response | HeldResponse:
        origin = request.headers.get("origin")
        if not origin or origin not in allowed:
            return await handler(request)
        if is_preflight(request.method, request.headers):
            methods = methods_at(request.path)
            headers = preflight_headers(origin, request.headers, methods)
            return Response(200, content_type="", headers=headers)
        response = await handler(request)
        if isinstance(response, HeldResponse):
            return response
        return replace(response, headers=(*response.headers, *answer_headers(origin)))

    return answer
