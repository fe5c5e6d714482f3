"""The older paths of inspection, as clients get them.

Source: docs/wire/inspection.md#older-paths, docs/wire/resource-api.md#routes
"""

from __future__ import annotations

import json

import pytest

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.usecases.ports.resource_store import Put
from support.daemons.resource_api import networking
from support.daemons.rest_api import Routes

OPEN = {"id": "1", "connectTime": "2026-01-01T00:00:00Z"}


async def populated() -> Routes:
    routes = Routes()
    await routes.api.put("Mesh", "m")
    await routes.api.put("Dataplane", "a", mesh="m", networking=networking())
    return routes


async def test_policies_and_rules_of_a_proxy_are_shown() -> None:
    routes = await populated()
    shown = await routes.json("/meshes/m/dataplanes/a/policies")
    assert shown["kind"] == "SidecarDataplane"
    assert set(shown["items"][0]["matchedPolicies"]) == {
        "MeshCircuitBreaker",
        "MeshRetry",
        "MeshTimeout",
    }
    rules = await routes.json("/meshes/m/dataplanes/a/rules")
    assert {each["policyType"] for each in rules["items"]} == {"MeshTimeout"}


@pytest.mark.parametrize(
    "type_name",
    [
        resource_type.name
        for resource_type in TYPES.values()
        if resource_type.is_policy and not resource_type.kong_only
    ],
)
async def test_every_policy_that_is_about_proxies_shows_them(type_name: str) -> None:
    routes = await populated()
    path = f"/meshes/m/{TYPES[type_name].path}/none/dataplanes"
    answer = await routes.ask("GET", path)
    if type_name == "VirtualOutbound":  # it gives names to services
        assert answer.status == 404
        assert not answer.body.startswith(b"{")
    elif type_name == "MeshGatewayRoute":
        assert json.loads(answer.body)["title"] == "Could not find MeshGatewayRoute"
    else:
        assert json.loads(answer.body) == {"total": 0, "items": []}


async def test_a_default_policy_shows_the_proxies_it_affects() -> None:
    routes = await populated()
    shown = await routes.json("/meshes/m/meshretries/mesh-retry-all-m/dataplanes")
    (item,) = shown["items"]
    assert item["dataplane"] == {"mesh": "m", "name": "a"}
    assert item["attachments"] == [{"type": "dataplane"}]


async def test_a_gateway_shows_its_proxies() -> None:
    routes = await populated()
    answer = await routes.ask("GET", "/meshes/m/meshgateways/none/dataplanes")
    assert (answer.status, json.loads(answer.body)["title"]) == (404, "Could not find MeshGateway")


async def test_a_zone_is_active_while_it_is_connected_and_enabled() -> None:
    routes = await populated()
    assert await routes.json("/status/zones") is None
    for name, enabled in (("east", True), ("west", False), ("north", True)):
        await routes.api.put("Zone", name, enabled=enabled)
        if name != "north":
            key = ResourceKey("ZoneInsight", "", name)
            spec = json.dumps({"subscriptions": [OPEN]})
            await routes.api.store.apply([Put(key=key, spec=spec, at=routes.api.now)])
    assert await routes.json("/status/zones") == [
        {"name": "east", "active": True},
        {"name": "north", "active": False},
        {"name": "west", "active": False},
    ]


@pytest.mark.parametrize("asked", ["xds", "stats", "clusters"])
@pytest.mark.parametrize(
    ("path", "type_name", "title"),
    [
        ("/meshes/m/dataplanes", "Dataplane", "Could not get dataplane resource"),
        ("/zoneingresses", "ZoneIngress", "Could not get zone ingress resource"),
        ("/zoneegresses", "ZoneEgress", "Could not get zone ingress resource"),
    ],
)
async def test_envoy_of_a_proxy_that_is_not_connected_cannot_be_asked(
    asked: str, path: str, type_name: str, title: str
) -> None:
    routes = await populated()
    missing = await routes.ask("GET", f"{path}/none/{asked}")
    assert (missing.status, json.loads(missing.body)["title"]) == (404, title)
    mesh = "m" if type_name == "Dataplane" else ""
    key = ResourceKey(type_name, mesh, "there")
    await routes.api.store.apply([Put(key=key, spec="{}", at=routes.api.now)])
    answer = await routes.ask("GET", f"{path}/there/{asked}?include_eds=true")
    assert answer.status == 400
    shown = json.loads(answer.body)
    assert shown["title"] == "Could not execute admin operation"
    assert shown["detail"] == (
        f'the admin API of {type_name} "there" cannot be reached: '
        "it is not connected to this control plane"
    )
    assert shown["code"] == "resource-not-connected"
    assert shown["hint"]


async def test_envoy_is_asked_for_nothing_else() -> None:
    routes = await populated()
    assert (await routes.ask("GET", "/meshes/m/dataplanes/a/quitquitquit")).status == 404
