"""What the API has no route for is explained to clients that take an explanation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kong_mesh_cp.shell.rest_api.unrouted import Unrouted
from support.daemons.rest_api import Routes

PATHS = [
    "/",
    "/meshes",
    "/meshes/{mesh}",
    "/meshes/{mesh}/dataplanes",
    "/meshes/{mesh}/dataplanes/{name}",
    "/meshes/{mesh}/dataplanes/{name}/_rules",
    "/meshes/{mesh}/meshtimeouts/{name}",
    "/zones/{name}",
    "/zones/_overview",
]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("/mesh", "/meshes"),
        ("/Meshes/default", "/meshes/default"),
        ("/meshes/default/dataplane", "/meshes/default/dataplanes"),
        ("/meshes/default/MeshTimeout/slow", "/meshes/default/meshtimeouts/slow"),
        ("/meshes/default/dataplanes/backend/rules", "/meshes/default/dataplanes/backend/_rules"),
        ("/zones/_overwiew", "/zones/_overview"),
        ("/nothing-like-it", None),
        ("/meshes/default/dataplanes/backend/_rules/more", None),
        ("/meshes/default/secretz", None),
        ("/meshes/{}", None),
        ("/" + "meshes" * 100, None),
    ],
)
def test_the_nearest_path_is_named(asked: str, meant: str | None) -> None:
    assert Unrouted(PATHS).nearest(asked) == meant


async def routes_with_mesh() -> Routes:
    routes = Routes()
    await routes.api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    return routes


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html, application/json;q=0"])
@pytest.mark.parametrize(
    ("asked", "title", "said"),
    [
        (
            ("GET", "/meshes/m/dataplane", {}),
            "404: Page Not Found",
            {"code": "not-found", "hint": "Did you mean /meshes/m/dataplanes?"},
        ),
        (
            ("GET", "/unknown", {}),
            "404: Page Not Found",
            {"hint": "GET /api-docs lists every path and method."},
        ),
        (
            ("POST", "/meshes/m", {}),
            "405: Method Not Allowed",
            {
                "code": "method-not-allowed",
                "detail": "this path takes GET, PUT, DELETE, not POST",
                "hint": "PUT creates a resource, or replaces it as a whole.",
            },
        ),
        (
            ("POST", "/meshes", {}),
            "405: Method Not Allowed",
            {
                "detail": "this path takes GET, not POST",
                "hint": "PUT /meshes/NAME creates a resource, or replaces it as a whole.",
            },
        ),
        (
            ("PUT", "/meshes/m/dataplanes", {}),
            "405: Method Not Allowed",
            {
                "hint": "PUT /meshes/m/dataplanes/NAME creates a resource, or replaces it as a whole."
            },
        ),
        (
            ("PUT", "/meshes/m/dataplanes/_overview", {}),
            "405: Method Not Allowed",
            {"hint": "GET /api-docs lists every path and method."},
        ),
        (
            ("PUT", "/meshes/m", {"content-type": "application/x-www-form-urlencoded"}),
            "415: Unsupported Media Type",
            {
                "code": "unsupported-media-type",
                "detail": 'the body is sent as "application/x-www-form-urlencoded"',
                "hint": "Send JSON, with the header Content-Type: application/json; YAML is for"
                " kumactl apply -f.",
            },
        ),
        (
            ("PUT", "/meshes/m", {"content-type": ""}),
            "415: Unsupported Media Type",
            {"detail": "the body has no Content-Type"},
        ),
    ],
)
async def test_the_remedy_is_in_the_answer_where_the_client_takes_json(
    asked: tuple[str, str, dict[str, str]], title: str, said: dict[str, Any], accept: str
) -> None:
    method, path, headers = asked
    routes = await routes_with_mesh()
    answer = await routes.ask(method, path, b"{}", {"accept": accept, **headers})

    error = json.loads(answer.body)
    assert answer.content_type == "application/json"
    assert (answer.status, error["title"]) == (int(title[:3]), title)
    assert error | said == error


async def test_a_method_that_is_not_taken_still_names_those_that_are() -> None:
    answer = await (await routes_with_mesh()).ask("POST", "/meshes/m", {}, {"accept": "*/*"})
    assert ("Allow", "GET, PUT, DELETE") in answer.headers


@pytest.mark.parametrize("path", ["dataplanes/_overview/_rules", "dataplanes/{}/_rules"])
async def test_a_name_that_is_a_word_of_the_table_is_explained_like_any_other(path: str) -> None:
    routes = await routes_with_mesh()
    answer = await routes.ask("POST", f"/meshes/m/{path}", {}, {"accept": "*/*"})
    assert (answer.status, json.loads(answer.body)["code"]) == (405, "method-not-allowed")


async def test_a_resource_that_is_missing_is_refused_as_before() -> None:
    answer = await (await routes_with_mesh()).ask("GET", "/meshes/x", b"", {"accept": "*/*"})
    assert (answer.status, json.loads(answer.body)["title"]) == (
        404,
        "Could not retrieve a resource",
    )
