"""The path under which the whole API lies, for a proxy in front that gives it only a part."""

from __future__ import annotations

from kong_mesh_cp.shell.http.messages import Handler, Request, Response, StreamingResponse
from kong_mesh_cp.shell.http.plain_text import plain_text_error


def below(base: str, handler: Handler) -> Handler:
    """`handler` for the paths below `base`, which it does not see; nothing lies beside it."""
    if base == "/":
        return handler

    async def stripped(request: Request) -> Response | StreamingResponse:
        path = request.path.removeprefix(base)
        if path == request.path or (path and not path.startswith("/")):
            return plain_text_error(404, "not-found", "there is nothing under this path")
        request.path, request.base_path = path or "/", base
        return await handler(request)

    return stripped
