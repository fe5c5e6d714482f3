"""Rules, matches, host names, insights and the tables of types, as clients get them."""

from __future__ import annotations

import json

import pytest

from kong_mesh_cp.core.resources.labels import Deployment, Mode
from kong_mesh_cp.shell.rest_api.routes.resource_routes import Writable
from support.daemons.resource_api import networking
from support.daemons.rest_api import Routes

WHOLE_MESH = {"kind": "Mesh"}


async def populated() -> Routes:
    routes = Routes()
    await routes.api.put("Mesh", "m")
    for name in ("a", "b"):
        await routes.api.put("Dataplane", name, mesh="m", networking=networking())
    return routes


async def test_a_dataplane_shows_its_rules() -> None:
    shown = await (await populated()).json("/meshes/m/dataplanes/a/_rules")
    assert shown["resource"]["name"] == "a"
    assert {each["type"] for each in shown["rules"]} == {
        "MeshCircuitBreaker",
        "MeshRetry",
        "MeshTimeout",
    }


async def test_a_policy_shows_its_dataplanes_page_by_page() -> None:
    routes = await populated()
    path = "/meshes/m/meshretries/mesh-retry-all-m/_resources/dataplanes"
    shown = await routes.json(f"{path}?size=1")
    assert [each["name"] for each in shown["items"]] == ["a"]
    assert shown["next"] == f"http://localhost:5681{path}?offset=1&size=1"
    assert "next" not in await routes.json(path)
    answer = await routes.ask("GET", f"{path}?size=x&filter[foo]=y")
    assert (answer.status, json.loads(answer.body)["title"]) == (400, "Could not retrieve policy")
    answer = await routes.ask("GET", "/meshes/m/meshretries/gone/_resources/dataplanes")
    assert (answer.status, json.loads(answer.body)["title"]) == (404, "Could not retrieve policy")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("shadow=trrue", 400),
        ("shadow=true&include=x", 400),
        ("include=diff,", 400),
        ("shadow=true&include=diff", 200),
        ("shadow=T&include=diff,diff", 200),
        ("shadow=&include=", 200),
    ],
)
async def test_configurations_are_asked_for_properly(query: str, status: int) -> None:
    routes = await populated()
    answer = await routes.ask("GET", f"/meshes/m/dataplanes/a/_config?{query}")
    assert answer.status == status


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 200),
        ("?inbound=80", 200),
        ("?inbound=&outbound=", 200),
        ("?shadow=true", 200),
        ("?shadow=trrue", 400),
        ("?inbound=http", 400),
        ("?inbound=123456", 400),
        ("?inbound=1", 400),
        ("?outbound=gone", 400),
        ("?inbound=80&outbound=pay", 400),
    ],
)
async def test_explanations_are_asked_for_properly(query: str, status: int) -> None:
    routes = await populated()
    answer = await routes.ask("GET", f"/meshes/m/dataplanes/a/_explain{query}")
    assert answer.status == status


async def test_a_global_control_plane_shows_no_configuration_of_a_proxy() -> None:
    routes = Routes(writable=Writable(deployment=Deployment(mode=Mode.GLOBAL)))
    answers = [
        await routes.ask("GET", "/meshes/gone/dataplanes/a/_config"),
        await routes.ask("GET", "/meshes/gone/meshgateways/a/_config"),
        await routes.ask("GET", "/meshes/gone/dataplanes/a/_explain"),
        await routes.ask("POST", "/_preview", {}),
    ]
    for answer in answers:
        shown = json.loads(answer.body)
        assert (answer.status, shown["status"], shown["title"], shown["detail"]) == (
            405,
            405,
            "Method not allowed",
            "Not allowed on global CP",
        )


async def test_only_services_have_host_names() -> None:
    routes = await populated()
    answer = await routes.ask("GET", "/meshes/m/meshretries/mesh-retry-all-m/_hostnames")
    shown = json.loads(answer.body)
    assert answer.status == 400
    assert shown["title"] == (
        'only "meshservices,meshexternalservices,meshmultizoneservices" are available for inspection'
    )
    ports = [{"port": 80, "appProtocol": "http"}]
    selector = {"dataplaneTags": {"kuma.io/service": "backend"}}
    spec = {"selector": selector, "ports": ports}
    await routes.api.put("MeshService", "s", mesh="m", spec=spec)
    assert await routes.json("/meshes/m/meshservices/s/_hostnames") == {"items": None, "total": 0}


async def test_host_names_know_nothing_of_meshes() -> None:
    routes = await populated()
    answer = await routes.ask("GET", "/meshes/gone/meshservices/s/_hostnames")
    assert answer.status == 404
    assert json.loads(answer.body)["title"] == "could not retrieve service"


async def test_a_bad_page_of_services_cannot_be_paginated() -> None:
    answer = await (await populated()).ask("GET", "/meshes/m/service-insights?size=x")
    assert answer.status == 400
    assert json.loads(answer.body)["title"] == "Could not paginate resources"


async def test_insights_have_their_paths() -> None:
    routes = await populated()
    assert await routes.json("/meshes/m/service-insights") == {
        "total": 0,
        "items": [],
        "next": None,
    }
    assert (await routes.json("/global-insight"))["meshes"] == {"total": 1}
    assert (await routes.json("/global-insights"))["resources"]["Mesh"] == {"total": 1}
    answer = await routes.ask("GET", "/meshes/m/service-insights?type=x")
    assert answer.status == 400


async def test_types_are_listed_with_what_can_be_done_to_them() -> None:
    shown = {each["name"]: each for each in (await Routes().json("/_resources"))["resources"]}
    assert shown["MeshTimeout"]["policy"] == {
        "hasFromTargetRef": True,
        "hasToTargetRef": True,
        "isFromAsRules": True,
        "isTargetRef": True,
    }
    assert "policy" not in shown["Dataplane"]
    assert [shown[name]["readOnly"] for name in ("Mesh", "MeshInsight")] == [False, True]
    assert "Config" not in shown
    read_only = Routes(writable=Writable(deployment=Deployment(), api_read_only=True))
    assert all(each["readOnly"] for each in (await read_only.json("/_resources"))["resources"])
    policies = (await Routes().json("/policies"))["policies"]
    assert [each["name"] for each in policies] == sorted(each["name"] for each in policies)


@pytest.mark.parametrize(
    ("local", "name"), [(True, "mesh-system:admin"), (False, "mesh-system:anonymous")]
)
async def test_everybody_is_told_who_they_are(name: str, *, local: bool) -> None:
    answer = await Routes().ask("GET", "/who-am-i", local=local)
    assert json.loads(answer.body)["name"] == name
