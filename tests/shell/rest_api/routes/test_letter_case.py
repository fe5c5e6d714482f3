"""Names of members in another case of letters (docs/wire/resource-api.md#letter-case)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kong_mesh_cp.shell.http.messages import Response
from support.daemons.rest_api import Routes

Json = dict[str, Any]

MESH: Json = {"targetRef": {"kind": "Mesh"}}
IDLE: Json = {"idleTimeout": "1h"}
TIMEOUTS = "/meshes/m/meshtimeouts/x"


async def routes_with_mesh() -> Routes:
    routes = Routes()
    await routes.api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    return routes


def timeout(spec: Json) -> Json:
    return {"type": "MeshTimeout", "mesh": "m", "name": "x", "spec": spec}


def warnings(answer: Response) -> list[str]:
    assert answer.status in {200, 201}, answer.body
    told: list[str] = json.loads(answer.body).get("warnings", [])
    return told


def violations(answer: Response) -> list[tuple[str, str]]:
    assert answer.status == 400, answer.body
    found = json.loads(answer.body)["invalid_parameters"]
    return [(each["field"], each["reason"]) for each in found]


async def test_names_of_policies_are_read_in_any_case() -> None:
    routes = await routes_with_mesh()
    body = {
        "type": "MeshTrafficPermission",
        "Mesh": "default",
        "mesh": "m",
        "name": "deny-db",
        "Labels": {"a": "b"},
        "spec": {
            "targetref": {"KIND": "MeshSubset", "tags": {"kuma.io/service": "db"}},
            "From": [{"targetRef": {"kind": "Mesh"}, "DEFAULT": {"Action": "Deny"}}],
        },
    }
    path = "/meshes/m/meshtrafficpermissions/deny-db"
    told = warnings(await routes.ask("PUT", path, body))
    assert [each for each in told if "unknown" in each] == []
    shown = await routes.json(path)
    assert shown["labels"]["a"] == "b"
    assert shown["spec"] == {
        "targetRef": {"kind": "MeshSubset", "tags": {"kuma.io/service": "db"}},
        "from": [{"targetRef": {"kind": "Mesh"}, "default": {"action": "Deny"}}],
    }


async def test_backends_of_a_route_are_read_in_any_case() -> None:
    routes = await routes_with_mesh()
    refs = [
        {"kind": "MeshService", "name": "a", "weight": 90},
        {"kind": "MeshService", "name": "b", "Weight": 10},
    ]
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "default": {"backendrefs": refs},
    }
    to = [{"targetRef": {"kind": "MeshService", "name": "a"}, "rules": [rule]}]
    body = {"type": "MeshHTTPRoute", "mesh": "m", "name": "r", "spec": {**MESH, "to": to}}
    path = "/meshes/m/meshhttproutes/r"
    assert warnings(await routes.ask("PUT", path, body)) == []
    (stored,) = (await routes.json(path))["spec"]["to"]
    assert [each["weight"] for each in stored["rules"][0]["default"]["backendRefs"]] == [90, 10]


async def test_a_service_is_read_in_any_case() -> None:
    routes = await routes_with_mesh()
    spec = {
        "selector": {"dataplanetags": {"kuma.io/service": "api"}},
        "ports": [{"port": 80, "targetport": 8080, "appprotocol": "http"}],
    }
    body = {"type": "MeshService", "mesh": "m", "name": "api", "Labels": {"a": "b"}, "spec": spec}
    path = "/meshes/m/meshservices/api"
    assert warnings(await routes.ask("PUT", path, body)) == []
    shown = await routes.json(path)
    assert shown["labels"]["a"] == "b"
    assert shown["spec"]["selector"] == {"dataplaneTags": {"kuma.io/service": "api"}}
    assert shown["spec"]["ports"] == [{"port": 80, "targetPort": 8080, "appProtocol": "http"}]


async def test_what_the_schema_asks_for_it_asks_for_by_its_name() -> None:
    routes = await routes_with_mesh()
    body = {"Type": "MeshTimeout", "Mesh": "m", "Name": "x", "Spec": {}}
    answer = await routes.ask("PUT", TIMEOUTS, body)
    told = [reason.lstrip(".") for field, reason in violations(answer) if not field]
    assert told == [
        "type in body is required",
        "name in body is required",
        "spec in body is required",
    ]


async def test_a_default_of_the_schema_wins_over_a_name_that_comes_before_it() -> None:
    """So does Kuma, which fills in defaults before it looks at case; here it is told."""
    routes = await routes_with_mesh()
    spec = {"ports": [{"port": 80, "AppProtocol": "http"}]}
    body = {"type": "MeshService", "mesh": "m", "name": "s", "spec": spec}
    (told,) = warnings(await routes.ask("PUT", "/meshes/m/meshservices/s", body))
    assert told == (
        'unknown member spec.ports[0].AppProtocol: it has no effect; did you mean "appProtocol"?'
    )
    assert (await routes.json("/meshes/m/meshservices/s"))["spec"]["ports"][0][
        "appProtocol"
    ] == "tcp"


async def test_names_of_the_older_types_are_exact_but_those_that_all_have() -> None:
    routes = await routes_with_mesh()
    body = {"Type": "Mesh", "Name": "w", "Labels": {"a": "b"}, "Networking": {}}
    assert warnings(await routes.ask("PUT", "/meshes/w", body)) == [
        'unknown member Networking: it has no effect; did you mean "networking"?'
    ]
    assert (await routes.json("/meshes/w"))["labels"] == {"a": "b"}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"targetRef": {"kind": "Mesh"}, "targetref": {"proxyTypes": ["Sidecar"]}}, ["Sidecar"]),
        ({"TARGETREF": {"proxyTypes": ["Sidecar"]}, "targetRef": {"kind": "Mesh"}}, ["Sidecar"]),
        (
            {
                "targetRef": {"kind": "Mesh", "proxyTypes": ["Gateway"]},
                "targetref": {"ProxyTypes": ["Sidecar"]},
            },
            ["Sidecar"],
        ),
    ],
)
async def test_what_stands_in_two_cases_is_merged_and_the_last_one_wins(
    given: Json, stored: list[str]
) -> None:
    routes = await routes_with_mesh()
    spec = {**given, "to": [{**MESH, "default": IDLE}]}
    assert warnings(await routes.ask("PUT", TIMEOUTS, timeout(spec))) == []
    shown = await routes.json(TIMEOUTS)
    assert shown["spec"]["targetRef"] == {"kind": "Mesh", "proxyTypes": stored}


async def test_what_stands_in_two_cases_with_two_types_is_refused() -> None:
    routes = await routes_with_mesh()
    spec = {"to": [{"targetRef": {"kind": "Mesh", "Kind": 5}, "default": IDLE}]}
    answer = await routes.ask("PUT", TIMEOUTS, timeout(spec))
    assert answer.status == 400
    assert "Kind" in json.loads(answer.body)["detail"]


async def test_letters_that_go_folds_to_ascii_are_folded() -> None:
    routes = await routes_with_mesh()
    ref = {"kind": "MeshService", "name": "a", "\u017fectionName": "http"}
    spec = {"to": [{"targetRef": ref, "default": {"idleTimeout": "1h"}}]}
    assert warnings(await routes.ask("PUT", TIMEOUTS, timeout(spec))) == []
    (to,) = (await routes.json(TIMEOUTS))["spec"]["to"]
    assert to["targetRef"]["sectionName"] == "http"
