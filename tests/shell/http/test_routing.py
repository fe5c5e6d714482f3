from __future__ import annotations

import socket

import pytest

from kong_mesh_cp.shell.http.messages import Request, Response, StreamingResponse
from kong_mesh_cp.shell.http.plain_text import plain_text_error
from kong_mesh_cp.shell.http.routing import Route, Router
from kong_mesh_cp.shell.listening.peer import Peer


async def show(request: Request) -> Response:
    return Response(200, repr(sorted(request.captured.items())).encode())


async def replace(_: Request) -> Response:
    return Response(200, b"replaced")


TABLE = (
    Route("/meshes", "GET", show),
    Route("/meshes/default", "GET", show),
    Route("/meshes/{mesh}", "GET", show),
    Route("/meshes/{mesh}", "PUT", replace),
    Route("/meshes/{mesh}/dataplanes/{name}", "GET", show),
)


async def routed(method: str, path: str) -> Response:
    with socket.socket() as nobody:
        request = Request(method, path, {}, {}, b"", Peer(nobody))
        answer = await Router(TABLE, error_body=plain_text_error)(request)
    assert not isinstance(answer, StreamingResponse)
    return answer


@pytest.mark.parametrize(
    ("path", "captured"),
    [
        ("/meshes", "[]"),
        ("/meshes/default", "[]"),
        ("/meshes/other", "[('mesh', 'other')]"),
        ("/meshes/a.b", "[('mesh', 'a.b')]"),
        ("/meshes/m/dataplanes/d", "[('mesh', 'm'), ('name', 'd')]"),
    ],
)
async def test_a_path_finds_its_row_and_an_exact_one_wins(path: str, captured: str) -> None:
    assert (await routed("GET", path)).body.decode() == captured


@pytest.mark.parametrize(
    "path", ["/", "/meshes/", "/meshes/a/b", "/Meshes", "/meshes/m/dataplanes/", "*"]
)
async def test_an_unknown_path_is_not_found(path: str) -> None:
    answer = await routed("GET", path)

    assert (answer.status, answer.body) == (404, b"404: Page Not Found")
    assert answer.content_type == "text/plain; charset=utf-8"


async def test_a_known_path_says_which_methods_it_takes() -> None:
    answer = await routed("DELETE", "/meshes/m")

    assert (answer.status, answer.body) == (405, b"405: Method Not Allowed")
    assert answer.headers == (("Allow", "GET, PUT"),)


async def test_head_goes_where_get_goes() -> None:
    assert (await routed("HEAD", "/meshes")).status == 200


@pytest.mark.parametrize("table", [TABLE[::-1], (TABLE[0], TABLE[0])])
def test_a_table_is_sorted_and_has_no_row_twice(table: tuple[Route, ...]) -> None:
    with pytest.raises(ValueError, match="not sorted, or has a row twice"):
        Router(table, error_body=plain_text_error)


async def test_a_literal_segment_that_leads_nowhere_gives_way_to_a_pattern() -> None:
    table = (Route("/m/a/b", "GET", show), Route("/m/{x}/{y}", "GET", show))
    with socket.socket() as nobody:
        request = Request("GET", "/m/a/c", {}, {}, b"", Peer(nobody))
        answer = await Router(table, error_body=plain_text_error)(request)
    assert isinstance(answer, Response)
    assert answer.body == b"[('x', 'a'), ('y', 'c')]"


def test_the_parts_of_a_path_have_one_name_each() -> None:
    table = (Route("/m/{a}", "GET", show), Route("/m/{b}", "PUT", replace))
    with pytest.raises(ValueError, match="two ways to call its parts"):
        Router(table, error_body=plain_text_error)
