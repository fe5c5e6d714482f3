"""The answers of the diagnostics listener: health, readiness and metrics."""

from __future__ import annotations

from collections.abc import Callable

from kong_mesh_cp.core.formats.prometheus_text import METRICS_CONTENT_TYPE
from kong_mesh_cp.shell.http.messages import Handler, Request, Response
from kong_mesh_cp.shell.http.plain_text import plain_text_error
from kong_mesh_cp.shell.http.routing import Route, Router


def build_diagnostics(*, ready: Callable[[], bool], metrics: Callable[[], str]) -> Handler:
    """The handler of the diagnostics port.

    `ready` says whether it serves, has what it serves, and can use its store; `metrics` gives a
    whole Prometheus exposition. Neither may wait.
    """

    async def show_health(_: Request) -> Response:
        return Response(200, content_type="")

    async def show_metrics(_: Request) -> Response:
        return Response(200, metrics().encode(), METRICS_CONTENT_TYPE)

    async def show_readiness(_: Request) -> Response:
        return Response(200 if ready() else 503, content_type="")

    routes = (
        Route("/healthy", "GET", show_health),
        Route("/metrics", "GET", show_metrics),
        Route("/ready", "GET", show_readiness),
    )
    return Router(routes, error_body=plain_text_error)
