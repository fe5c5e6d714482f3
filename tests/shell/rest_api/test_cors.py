"""The API as web pages of other origins meet it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kong_mesh_cp.shell.http.messages import Request, Response, StreamingResponse
from kong_mesh_cp.shell.rest_api.allowed_origins import AllowedOrigins
from kong_mesh_cp.shell.rest_api.cors import across_origins
from support.daemons.http_peers import Answer, get, serving

GUI = "https://gui.example.com"
OF_CORS = ("access-control-", "vary")


async def handler(request: Request) -> Response | StreamingResponse:
    if request.path == "/held":
        return StreamingResponse(b"1\n", lambda stream: stream.wait_closed(), lambda: None)
    if request.path == "/nothing":
        return Response(404)
    if request.method == "GET":
        return Response(200, b"of the API", headers=(("X", "y"),))
    return Response(405, headers=(("Allow", "GET, PUT"),))


async def ask(folder: Path, request: bytes, *domains: str) -> Answer:
    answering = across_origins(handler, AllowedOrigins(domains))
    async with serving(folder, answering) as server, server.client() as client:
        return await client.ask(request)


def preflight(path: str, *headers: str, method: str = "GET") -> bytes:
    asked = f"Access-Control-Request-Method: {method}"
    return get(path, f"Origin: {GUI}", asked, *headers).replace(b"GET", b"OPTIONS", 1)


def of_cors(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith(OF_CORS)}


async def test_an_answer_may_be_read_by_a_page_of_an_allowed_origin(tmp_path: Path) -> None:
    answer = await ask(tmp_path, get("/meshes", f"Origin: {GUI}"), ".*")

    assert (answer.body, answer.headers["x"]) == (b"of the API", "y")
    assert of_cors(answer) == {
        "access-control-allow-origin": GUI,
        "access-control-expose-headers": "Access-Control-Allow-Origin",
        "vary": "Origin",
    }


async def test_an_error_may_be_read_as_well(tmp_path: Path) -> None:
    request = get("/meshes", f"Origin: {GUI}").replace(b"GET", b"PUT", 1)
    answer = await ask(tmp_path, request, ".*")
    assert (answer.status, of_cors(answer)["access-control-allow-origin"]) == (405, GUI)


@pytest.mark.parametrize(
    ("domains", "headers"), [((), {}), (("https://other[.]example",), {"vary": "Origin"})]
)
async def test_other_origins_get_the_answer_and_browsers_keep_it_from_them(
    tmp_path: Path, domains: tuple[str, ...], headers: dict[str, str]
) -> None:
    answer = await ask(tmp_path, get("/meshes", f"Origin: {GUI}"), *domains)
    assert (answer.body, of_cors(answer)) == (b"of the API", headers)


async def test_a_preflight_of_another_origin_is_a_request_as_any_other(tmp_path: Path) -> None:
    assert (await ask(tmp_path, preflight("/meshes"), "https://other[.]example")).status == 405


async def test_without_an_origin_only_caches_hear_that_there_are_some(tmp_path: Path) -> None:
    assert of_cors(await ask(tmp_path, get("/meshes"), ".*")) == {"vary": "Origin"}


async def test_where_none_is_allowed_nothing_is_added(tmp_path: Path) -> None:
    assert of_cors(await ask(tmp_path, get("/meshes"))) == {}


async def test_a_preflight_hears_which_methods_the_path_takes(tmp_path: Path) -> None:
    answer = await ask(tmp_path, preflight("/meshes"), ".*")

    assert (answer.status, answer.body) == (200, b"")
    assert of_cors(answer)["access-control-allow-methods"] == "GET,PUT"
    assert of_cors(answer)["access-control-allow-origin"] == GUI


@pytest.mark.parametrize(
    "request_",
    [
        preflight("/meshes", method="DELETE"),
        preflight("/nothing"),
        preflight("/meshes", "Access-Control-Request-Headers: x-mine"),
    ],
)
async def test_a_preflight_for_more_is_allowed_nothing(tmp_path: Path, request_: bytes) -> None:
    answer = await ask(tmp_path, request_, ".*")
    assert (answer.status, of_cors(answer)) == (200, {"vary": "Origin"})


async def test_an_options_that_is_no_preflight_is_the_apis(tmp_path: Path) -> None:
    request = get("/meshes", f"Origin: {GUI}").replace(b"GET", b"OPTIONS", 1)
    assert (await ask(tmp_path, request, ".*")).status == 405
