"""The API's own document as it is served."""

from __future__ import annotations

import json
import socket

import yaml

from kong_mesh_cp.shell.http.messages import Request, Response, StreamingResponse
from kong_mesh_cp.shell.http.operations import Operation
from kong_mesh_cp.shell.http.plain_text import plain_text_error
from kong_mesh_cp.shell.http.routing import Route, Router
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.rest_api.routes.openapi_routes import document_routes


async def said(_: Request) -> Response:
    return Response(200)


ABOUT = Operation(id="getThing", summary="A thing", tag="Things", answers=("Index",))


def router() -> Router:
    routes = [
        Route("/meshes/{mesh}/things/{name}", "GET", said, ABOUT),
        Route("/silent", "GET", said),
    ]
    own = [*document_routes(routes)]
    return Router([*own, *routes], error_body=plain_text_error)


async def got(router: Router, path: str, *, base_path: str = "", method: str = "GET") -> Response:
    with socket.socket() as nobody:
        peer = Peer(nobody, address=("192.0.2.1", 4711))
        headers = {"accept": "text/html, image/png"}  # a browser's; nothing is negotiated here
        answer = await router(Request(method, path, {}, headers, b"", peer, base_path=base_path))
    assert not isinstance(answer, StreamingResponse)
    return answer


async def test_it_is_there_as_yaml_and_as_json_for_everybody() -> None:
    routes = router()
    as_yaml = await got(routes, "/api-docs/openapi.yaml")
    as_json = await got(routes, "/api-docs/openapi.json")

    assert (as_yaml.status, as_yaml.content_type) == (200, "application/yaml")
    assert (as_json.status, as_json.content_type) == (200, "application/json")
    document = json.loads(as_json.body)
    assert yaml.load(as_yaml.body, yaml.CSafeLoader) == document
    assert list(document["paths"]) == ["/meshes/{mesh}/things/{name}"]


async def test_it_is_made_once() -> None:
    routes = router()
    first = await got(routes, "/api-docs/openapi.yaml")
    second = await got(routes, "/api-docs/openapi.yaml")

    assert first.body is second.body


async def test_it_says_below_which_path_the_api_lies() -> None:
    answer = await got(router(), "/api-docs/openapi.json", base_path="/mesh")

    assert [each["url"] for each in json.loads(answer.body)["servers"]] == ["/mesh"]


async def test_an_operation_names_what_stands_before_its_own_code() -> None:
    document = json.loads((await got(router(), "/api-docs/openapi.json")).body)
    operation = document["paths"]["/meshes/{mesh}/things/{name}"]["get"]

    assert sorted(operation["responses"]) == [
        *("200", "400", "401", "403", "404", "405", "406", "415", "500")
    ]
    assert [each["$ref"].rpartition("/")[2] for each in operation["parameters"]] == [
        "meshPath",
        "namePath",
    ]


async def test_nothing_is_beside_the_two_files() -> None:
    assert (await got(router(), "/api-docs")).status == 404
    assert (await got(router(), "/api-docs/openapi.yaml", method="PUT")).status == 405
