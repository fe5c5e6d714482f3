"""Paths of the API before they are routed: what they lie under, and in which form."""

from __future__ import annotations

import posixpath
from urllib.parse import quote

from kong_mesh_cp.shell.http.messages import Handler, Request, Response, StreamingResponse
from kong_mesh_cp.shell.http.plain_text import plain_text_error

_PATH_AS_IT_IS = "/$&+,:;=@"  # what Go leaves alone in a path
_QUERY_AS_IT_IS = _PATH_AS_IT_IS + "%?!'()*[]"


def address_of(path: str, query: str = "") -> str:
    """`path`, percent-encoded as Go does it, with the query as it was sent."""
    address = quote(path, _PATH_AS_IT_IS)
    return f"{address}?{quote(query, _QUERY_AS_IT_IS)}" if query else address


def redirecting_to_clean_paths(handler: Handler) -> Handler:
    """`handler` for paths without doubled slashes and dots; others are redirected, as Go's mux
    does: a base address with a slash too many works with it.
    """

    async def cleaned(request: Request) -> Response | StreamingResponse:
        if "//" in request.path or "/." in request.path:
            clean = _clean(request.path)
            if clean != request.path:
                address = address_of(request.base_path + clean, request.raw_query)
                return Response(307, content_type="", headers=(("Location", address),))
        return await handler(request)

    return cleaned


def _clean(path: str) -> str:
    """A path with one slash at its beginning: with two it would name another host."""
    clean = "/" + posixpath.normpath(path).lstrip("/")
    return f"{clean}/" if path.endswith("/") and clean != "/" else clean


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
