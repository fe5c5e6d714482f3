"""The console beside the API: which requests are for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.shell.console.place import Place
from kong_mesh_cp.shell.http.messages import Handler, Request, Response, StreamingResponse

if TYPE_CHECKING:
    from kong_mesh_cp.shell.console import pages
else:  # with the first browser
    pages = lazy_import("kong_mesh_cp.shell.console.pages")


def with_console(handler: Handler, place: Place) -> Handler:
    """`handler`, and beside it the console. Its files are read for the first who asks."""
    console: Handler | None = None
    below = f"{place.base_path}/"

    async def answer(request: Request) -> Response | StreamingResponse:
        nonlocal console
        if request.path != place.base_path and not request.path.startswith(below):
            return await handler(request)
        if console is None:
            console = pages.Console(place)
        return await console(request)

    return answer
