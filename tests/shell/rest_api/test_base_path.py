"""An API that lies under a path."""

from __future__ import annotations

import socket

import pytest

from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.rest_api.base_path import below
from kong_mesh_cp.shell.rest_api.list_queries import next_page
from kong_mesh_cp.usecases.resources.queries import Listing

NOBODY = Peer(socket.socket.__new__(socket.socket))
MORE: Listing[object] = Listing(items=(), total=9, next_offset=4)


async def shown_path(request: Request) -> Response:
    return Response(200, (next_page(request, MORE) or "").encode())


@pytest.mark.parametrize(
    ("base", "path", "inside"),
    [
        ("/", "/meshes", "/meshes"),
        ("/mesh", "/mesh/meshes", "/mesh/meshes"),
        ("/mesh", "/mesh", "/mesh/"),
        ("/a/b", "/a/b/meshes", "/a/b/meshes"),
    ],
)
async def test_paths_below_the_base_are_answered_and_keep_it_in_addresses(
    base: str, path: str, inside: str
) -> None:
    request = Request("GET", path, {}, {"host": "cp:5681"}, b"", NOBODY)
    answer = await below(base, shown_path)(request)
    assert isinstance(answer, Response)
    assert answer.body.decode() == f"http://cp:5681{inside}?offset=4"


@pytest.mark.parametrize("path", ["/", "/meshes", "/meshx", "/mes"])
async def test_nothing_lies_beside_the_base(path: str) -> None:
    request = Request("GET", path, {}, {}, b"", NOBODY)
    answer = await below("/mesh", shown_path)(request)
    assert isinstance(answer, Response)
    assert (answer.status, answer.body) == (404, b"404: Page Not Found")
