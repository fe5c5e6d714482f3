"""Requests of proxies that are no calls: `/bootstrap`, and nothing else."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.shell.http.messages import RETRY_AFTER, Handler, Request, Response

TEXT: Final = "text/plain; charset=utf-8"
PATH: Final = "/bootstrap"

_SERVICE_UNAVAILABLE: Final = 503


def dp_server_error(status: int, code: str, message: str) -> Response:
    """An `ErrorBody`: kuma-dp shows the text as it is."""
    headers = (RETRY_AFTER,) if status == _SERVICE_UNAVAILABLE else ()
    return Response(status, f"{code}: {message}\n".encode(), TEXT, headers)


def dp_server_handler(bootstrap: Handler) -> Handler:
    """`bootstrap` for its path, whatever the method is."""

    async def handle(request: Request) -> Response:
        if request.path != PATH:
            # As Go's servers say it. The API's own text would tell kuma-dp that this is its port.
            return Response(404, b"404 page not found\n", TEXT)
        answer = await bootstrap(request)
        assert isinstance(answer, Response)  # noqa: S101 — it holds no stream open
        return answer

    return handle
