"""The API before the control plane is ready: requests wait, and then hear that it starts."""

from __future__ import annotations

from typing import Final

import trio

from kong_mesh_cp.shell.http.messages import (
    RETRY_AFTER,
    Handler,
    Request,
    Response,
    StreamingResponse,
)
from kong_mesh_cp.shell.rest_api.problem import kuma_error

WAIT_SECONDS: Final = 10.0  # a first start makes its keys in less, and few clients give up before
_DETAIL: Final = (
    "what a control plane has from its start on (the default mesh, its keys, the administrator's"
    " token) is not there yet"
)
_HINT: Final = (
    "Ask again in a moment. If it stays: the line defaults-not-made in the log of kong-mesh-cp says"
    " what is in the way."
)


class Opening:
    """Puts a wait before the API until `open` is called: who is answered finds all there is."""

    def __init__(self) -> None:
        self._opened = trio.Event()

    def open(self) -> None:
        self._opened.set()

    def before(self, handler: Handler) -> Handler:
        """`handler`, once it is open; 503 `starting` for those who have waited WAIT_SECONDS."""

        async def answer(request: Request) -> Response | StreamingResponse:
            if not self._opened.is_set():
                with trio.move_on_after(WAIT_SECONDS):
                    await self._opened.wait()
                if not self._opened.is_set():
                    return _starting()
            return await handler(request)

        return answer


def _starting() -> Response:
    body = kuma_error(
        503, "The control plane is starting", _DETAIL, extras={"code": "starting", "hint": _HINT}
    )
    return Response(503, body, headers=(RETRY_AFTER,))
