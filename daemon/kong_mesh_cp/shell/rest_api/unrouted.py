"""What a client should have asked, where the API has no such path or method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.shell.http.messages import Handler, Request, Response, StreamingResponse
from kong_mesh_cp.shell.http.plain_text import PLAIN_TEXT, plain_text_error
from kong_mesh_cp.shell.http.routing import Route, Router
from kong_mesh_cp.shell.rest_api.negotiation import explained

if TYPE_CHECKING:
    import difflib
else:
    difflib = lazy_import("difflib")

NEAR_MIN: Final = 0.75  # difflib's ratio: 1 is the same
OF_ROUTER: Final = frozenset({404, 405})  # statuses of requests that have no route
PATH_CHARACTERS_MAX: Final = 256  # of a path that is compared with others
_DOCUMENT = "GET /api-docs lists every path and method."


@dataclass(slots=True)
class _Branch:
    """What may follow a part of a path."""

    below: dict[str, _Branch] = field(default_factory=dict)
    ends: bool = False
    is_written: bool = False  # by PUT


def explaining_router(table: Sequence[Route]) -> Handler:
    """A router of `table`, which is sorted, that says what to ask where it has no route."""
    router = Router(table, error_body=plain_text_error)
    written = [route.path for route in table if route.method == "PUT"]
    unrouted = Unrouted((route.path for route in table), written)

    async def handle(request: Request) -> Response | StreamingResponse:
        response = await router(request)
        if (
            isinstance(response, Response)
            and response.status in OF_ROUTER
            and response.content_type == PLAIN_TEXT  # resources are refused as JSON
        ):
            return unrouted.explained(request, response)
        return response

    return handle


class Unrouted:
    """Explains the answers of a router to requests that it has no route for."""

    def __init__(self, paths: Iterable[str], written: Iterable[str] = ()) -> None:
        """`paths` as a route table has them, with `{name}` for what stands for one segment;
        `written`: those among them that take PUT.
        """
        self._root = _Branch()
        for path in paths:
            self._branch(path).ends = True
        for path in written:
            self._branch(path).is_written = True

    def _branch(self, path: str) -> _Branch:
        branch = self._root
        for part in path.split("/"):
            name = "{}" if part.startswith("{") else part
            branch = branch.below.setdefault(name, _Branch())
        return branch

    def explained(self, request: Request, response: Response) -> Response:
        """`response`, which is a 404 or 405 of the router, with what to ask instead."""
        if response.status == 404:
            near = self.nearest(request.path)
            hint = _DOCUMENT if near is None else f"Did you mean {request.base_path}{near}?"
            message = "there is nothing under this path"
            return explained(request, response, "not-found", message, hint)
        allowed = next(value for name, value in response.headers if name == "Allow")
        message = f"this path takes {allowed}, not {request.method}"
        hint = _DOCUMENT
        if request.method in {"POST", "PATCH"} and "PUT" in allowed:
            hint = "PUT creates a resource, or replaces it as a whole."
        elif request.method in {"POST", "PUT", "PATCH"} and self._has_written_items(request.path):
            path = f"{request.base_path}{request.path}"
            hint = f"PUT {path}/NAME creates a resource, or replaces it as a whole."
        return explained(request, response, "method-not-allowed", message, hint)

    def _has_written_items(self, path: str) -> bool:
        """Whether `path`, which is one of the table, is that of a list whose items take PUT."""
        branch = self._root
        for part in path.split("/"):
            following = branch.below.get(part) or branch.below.get("{}")
            if following is None:  # a name that is a word elsewhere: the router has gone back
                return False
            branch = following
        item = branch.below.get("{}")
        return item is not None and item.is_written

    def nearest(self, path: str) -> str | None:
        """The path of the table that `path` may be a misspelling of."""
        if len(path) > PATH_CHARACTERS_MAX:
            return None
        branch, found = self._root, list[str]()
        for part in path.split("/"):
            name = self._nearest_part(part, branch)
            if name is None:
                return None
            branch = branch.below[name]
            found.append(part if name == "{}" else name)
        return "/".join(found) if branch.ends and "/".join(found) != path else None

    @staticmethod
    def _nearest_part(part: str, branch: _Branch) -> str | None:
        if part in branch.below and part != "{}":
            return part
        near = difflib.get_close_matches(part.lower(), branch.below.keys() - {"{}"}, 1, NEAR_MIN)
        if near:
            return near[0]
        return "{}" if "{}" in branch.below and part else None
