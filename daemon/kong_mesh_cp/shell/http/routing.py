"""Which handler answers which request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kong_mesh_cp.shell.http.messages import ErrorBody, Handler, HeldResponse, Request, Response

_NAME = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """One row of a route table. `{name}` in `path` takes one segment, into `request.captured`."""

    path: str
    method: str
    handler: Handler


class Router:
    """A handler made of routes. An exact path wins over a pattern; GET answers HEAD, too.

    Raises: ValueError for a table that is not sorted by path and method, or has a row twice:
    a table is read more often than written.
    """

    def __init__(self, routes: Sequence[Route], *, error_body: ErrorBody) -> None:
        """`error_body` words 404 `not-found` and 405 `method-not-allowed`."""
        rows = [(route.path, route.method) for route in routes]
        if rows != sorted(set(rows)):
            raise ValueError(f"the route table is not sorted, or has a row twice: {rows}")
        self._error_body = error_body
        self._exact: dict[str, dict[str, Handler]] = {}
        self._patterns: dict[re.Pattern[str], dict[str, Handler]] = {}
        for route in routes:
            if _NAME.search(route.path):
                methods = self._patterns.setdefault(_compiled(route.path), {})
            else:
                methods = self._exact.setdefault(route.path, {})
            methods[route.method] = route.handler

    async def __call__(self, request: Request) -> Response | HeldResponse:
        methods = self._exact.get(request.path)
        if methods is None:
            methods = self._captured(request)
        if methods is None:
            return self._error_body(404, "not-found", "there is nothing under this path")
        handler = methods.get(request.method)
        if handler is None and request.method == "HEAD":
            handler = methods.get("GET")
        if handler is None:
            return self._not_allowed(methods)
        return await handler(request)

    def _captured(self, request: Request) -> dict[str, Handler] | None:
        for pattern, methods in self._patterns.items():
            match = pattern.fullmatch(request.path)
            if match is not None:
                request.captured = match.groupdict()
                return methods
        return None

    def _not_allowed(self, methods: dict[str, Handler]) -> Response:
        message = "this path does not take this method"
        response = self._error_body(405, "method-not-allowed", message)
        allow = ("Allow", ", ".join(sorted(methods)))
        return replace(response, headers=(*response.headers, allow))


def _compiled(path: str) -> re.Pattern[str]:
    literals = _NAME.split(path)  # literal, name, literal, name, … literal
    parts = [
        f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part)
        for index, part in enumerate(literals)
    ]
    return re.compile("".join(parts))
