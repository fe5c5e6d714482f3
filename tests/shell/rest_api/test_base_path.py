"""An API that lies under a path."""

from __future__ import annotations

import socket

import pytest

from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.rest_api.base_path import below, redirecting_to_clean_paths
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


@pytest.mark.parametrize(
    ("path", "query", "location"),
    [
        ("//meshes", "", "/meshes"),
        ("/./meshes", "", "/meshes"),
        ("/meshes//default", "size=1", "/meshes/default?size=1"),
        ("/meshes/../zones/", "", "/zones/"),
        ("/meshes/a b//", "name=%C3%A4", "/meshes/a%20b/?name=%C3%A4"),
        ("//evil.example//..", "", "/"),
        ("/\\evil.example//x", "", "/%5Cevil.example/x"),
        ("/../../..//", "", "/"),
        ("/a//b", "x=\r\nSet-Cookie:a", "/a/b?x=%0D%0ASet-Cookie:a"),
    ],
)
@pytest.mark.parametrize("base", ["/", "/mesh"])
async def test_a_path_with_slashes_or_dots_too_many_is_redirected_within_the_api(
    base: str, path: str, query: str, location: str
) -> None:
    handler = below(base, redirecting_to_clean_paths(shown_path))
    prefix = "" if base == "/" else base
    request = Request("GET", prefix + path, {}, {}, b"", NOBODY, raw_query=query)
    answer = await handler(request)
    assert isinstance(answer, Response)
    assert (answer.status, answer.headers) == (307, (("Location", prefix + location),))


@pytest.mark.parametrize("path", ["/", "/meshes", "/meshes/", "/meshes/.a", "/meshes/a..b"])
async def test_a_clean_path_is_answered(path: str) -> None:
    request = Request("GET", path, {}, {"host": "cp"}, b"", NOBODY)
    answer = await redirecting_to_clean_paths(shown_path)(request)
    assert answer.status == 200
