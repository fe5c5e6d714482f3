"""Answers of the API for web pages of other origins."""

from __future__ import annotations

from dataclasses import replace

from kong_mesh_cp.shell.http.messages import Handler, Request, Response, StreamingResponse
from kong_mesh_cp.shell.rest_api.allowed_origins import (
    VARY,
    AllowedOrigins,
    answer_headers,
    is_preflight,
    preflight_headers,
)


def across_origins(handler: Handler, allowed: AllowedOrigins) -> Handler:
    """`handler`, whose answers the pages of allowed origins may read.

    No path takes OPTIONS: what `handler` refuses a preflight with says which methods it takes.
    """
    if not allowed:
        return handler

    async def answer(request: Request) -> Response | StreamingResponse:
        origin = request.headers.get("origin", "")
        response = await handler(request)
        if isinstance(response, StreamingResponse):
            return response
        if origin not in allowed:
            return replace(response, headers=(*response.headers, VARY))
        if is_preflight(request.method, request.headers):
            methods = dict(response.headers).get("Allow", "").split(", ")
            headers = preflight_headers(origin, request.headers, methods)
            return Response(200, content_type="", headers=headers)
        return replace(response, headers=(*response.headers, *answer_headers(origin)))

    return answer
