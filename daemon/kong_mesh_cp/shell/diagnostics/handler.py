"""The answers of the diagnostics listener: health, readiness and metrics."""

from __future__ import annotations

from collections.abc import Callable

from kong_mesh_cp.core.formats.prometheus_text import METRICS_CONTENT_TYPE
from kong_mesh_cp.shell.http.messages import Handler, Request, Response
from kong_mesh_cp.shell.http.plain_text import PLAIN_TEXT, plain_text_error
from kong_mesh_cp.shell.http.routing import Route, Router


def build_diagnostics(
    *,
    ready: Callable[[], bool],
    metrics: Callable[[], str],
    why_not: Callable[[], str] = lambda: "",
) -> Handler:
    """The handler of the diagnostics port.

    `ready` says whether it serves, has what it serves, and keeps what is written; `why_not`, in
    words, why that is not so; `metrics` gives a whole Prometheus exposition. None may wait.
    """

    async def show_health(_: Request) -> Response:
        return Response(200, content_type="")

    async def show_metrics(_: Request) -> Response:
        return Response(200, metrics().encode(), METRICS_CONTENT_TYPE)

    async def show_readiness(_: Request) -> Response:
        if ready():
            return Response(200, content_type="")
        return Response(503, f"not ready: {why_not()}\n".encode(), PLAIN_TEXT)

    routes = (
        Route("/healthy", "GET", show_health),
        Route("/metrics", "GET", show_metrics),
        Route("/ready", "GET", show_readiness),
    )
    return Router(routes, error_body=plain_text_error)
