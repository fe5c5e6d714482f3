"""The route table: which handler answers which request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.shell.http.messages import (
    ErrorBody,
    Handler,
    Request,
    Response,
    StreamingResponse,
)
from kong_mesh_cp.shell.http.operations import Operation

# In which order `Allow` names them.
_METHODS = ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Route:
    """One row of a route table. `{name}` in `path` takes one segment, into `request.captured`.

    `about` is what a document of the listener says of it; a listener without one needs none.
    """

    path: str
    method: str
    handler: Handler
    about: Operation | None = None


@dataclass(slots=True)
class _Segment:
    """What may follow a part of a path. `names` are what its `{…}`s are called, by method."""

    below: dict[str, _Segment] = field(default_factory=dict)
    any: _Segment | None = None
    methods: dict[str, Handler] = field(default_factory=dict)
    names: tuple[str, ...] = ()


class Router:
    """A handler made of routes. A literal segment wins over a pattern; GET answers HEAD, too.

    The time for a request does not depend on the number of routes.
    Raises: ValueError for a table that is not sorted by path and method, or has a row twice:
    a table is read more often than written.
    """

    def __init__(self, routes: Sequence[Route], *, error_body: ErrorBody) -> None:
        """`error_body` words 404 `not-found` and 405 `method-not-allowed`."""
        rows = [(route.path, route.method) for route in routes]
        if rows != sorted(set(rows)):
            raise ValueError(f"the route table is not sorted, or has a row twice: {rows}")
        self._error_body = error_body
        self._root = _Segment()
        self._exact: dict[str, _Segment] = {}  # without a name in them: one look finds these
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        segment, names = self._root, list[str]()
        for part in route.path.split("/"):
            if part.startswith("{"):
                names.append(part[1:-1])
                if segment.any is None:
                    segment.any = _Segment()
                segment = segment.any
            else:
                segment = segment.below.setdefault(part, _Segment())
        if segment.methods and segment.names != tuple(names):
            raise ValueError(f"one path has two ways to call its parts: {route.path}")
        segment.names = tuple(names)
        segment.methods[route.method] = route.handler
        if not names:
            self._exact[route.path] = segment

    async def __call__(self, request: Request) -> Response | StreamingResponse:
        captured: list[str] = []
        found = self._exact.get(request.path)
        if found is None:
            found = _find(self._root, request.path.split("/"), 0, captured)
        if found is None:
            return self._error_body(404, "not-found", "there is nothing under this path")
        handler = found.methods.get(request.method)
        if handler is None and request.method == "HEAD":
            handler = found.methods.get("GET")
        if handler is None:
            return self._not_allowed(found.methods)
        if captured:
            request.captured = dict(zip(found.names, captured, strict=True))
        return await handler(request)

    def _not_allowed(self, methods: dict[str, Handler]) -> Response:
        message = "this path does not take this method"
        response = self._error_body(405, "method-not-allowed", message)
        allow = ("Allow", ", ".join(sorted(methods, key=_METHODS.index)))
        return replace(response, headers=(*response.headers, allow))


def _find(segment: _Segment, parts: list[str], at: int, captured: list[str]) -> _Segment | None:
    """Where `parts` lead from `segment` on. As deep as the table's longest path at the most."""
    if at == len(parts):
        return segment if segment.methods else None
    literal = segment.below.get(parts[at])
    if literal is not None and (found := _find(literal, parts, at + 1, captured)) is not None:
        return found
    if segment.any is None or not parts[at]:
        return None
    captured.append(parts[at])
    found = _find(segment.any, parts, at + 1, captured)
    if found is None:
        captured.pop()
    return found
