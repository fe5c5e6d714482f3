"""The older paths of inspection over a store: proxies of policies, and policies of proxies.

Source: docs/wire/inspection.md#older-paths
"""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.identity.access import StaticAccess
from kong_mesh_cp.core.identity.users import ADMIN
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.usecases.inspection.attachment_inspector import AttachmentInspector
from kong_mesh_cp.usecases.inspection.inspected_types import ATTACHED
from kong_mesh_cp.usecases.resources.resource_refusals import ResourceRefusedError
from support.daemons.resource_api import ResourceApi
from support.suites.turns import share_of_loop

ANY = [{"match": {"kuma.io/service": "*"}}]
WHOLE = {"type": "dataplane"}


def _service(name: str) -> dict[str, str]:
    return {"kuma.io/service": name}


async def _mesh() -> tuple[ResourceApi, AttachmentInspector]:
    api = ResourceApi()
    await api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    web = {
        "address": "192.168.0.1",
        "inbound": [{"port": 80, "tags": _service("web")}],
        "outbound": [{"port": 10001, "tags": _service("db")}],
    }
    await api.put("Dataplane", "web-1", mesh="m", networking=web)
    edge = {"address": "192.168.0.2", "gateway": {"type": "BUILTIN", "tags": _service("edge")}}
    await api.put("Dataplane", "edge-1", mesh="m", networking=edge)
    access = StaticAccess()
    return api, AttachmentInspector(api.replica, api.reading, access)


async def _gateway(api: ResourceApi) -> None:
    listeners = [{"port": 80, "protocol": "HTTP"}]
    selectors = [{"match": _service("edge")}]
    await api.put(
        "MeshGateway", "edge", mesh="m", selectors=selectors, conf={"listeners": listeners}
    )
    rule = {
        "matches": [{"path": {"match": "PREFIX", "value": "/"}}],
        "backends": [{"weight": 1, "destination": _service("web")}],
    }
    conf = {"http": {"rules": [rule]}}
    await api.put("MeshGatewayRoute", "route-1", mesh="m", selectors=selectors, conf=conf)


async def _retry(api: ResourceApi) -> None:
    await api.put(
        "MeshRetry",
        "r",
        mesh="m",
        spec={
            "targetRef": {"kind": "Mesh"},
            "to": [{"targetRef": {"kind": "Mesh"}, "default": {"tcp": {"maxConnectAttempt": 2}}}],
        },
    )


async def _timeout(api: ResourceApi) -> None:
    conf = {"connectTimeout": "5s"}
    await api.put("Timeout", "t", mesh="m", sources=ANY, destinations=ANY, conf=conf)


async def _affected(attaching: AttachmentInspector, type_name: str, name: str) -> list[Any]:
    shown = await attaching.dataplanes_of_policy(ADMIN, TYPES[type_name], "m", name)
    items = shown["items"]
    assert isinstance(items, list)
    assert shown["total"] == len(items)
    return items


async def test_a_proxy_shows_its_policies_by_place_without_their_specs() -> None:
    api, attaching = await _mesh()
    await _retry(api)
    await _timeout(api)
    shown: Any = await attaching.policies_of_dataplane(ADMIN, "m", "web-1")
    assert list(shown) == ["kind", "total", "items"]
    assert shown["kind"] == "SidecarDataplane"
    whole, outbound = shown["items"]
    (retry,) = whole["matchedPolicies"]["MeshRetry"]
    assert {key: retry[key] for key in ("type", "mesh", "name")} == {
        "type": "MeshRetry",
        "mesh": "m",
        "name": "r",
    }
    assert "spec" not in retry
    assert outbound["name"] == "127.0.0.1:10001"
    assert [each["name"] for each in outbound["matchedPolicies"]["Timeout"]] == ["t"]


async def test_a_policy_with_a_target_affects_the_whole_of_the_proxies_it_selects() -> None:
    api, attaching = await _mesh()
    await _retry(api)
    assert await _affected(attaching, "MeshRetry", "r") == [
        {
            "kind": "SidecarDataplane",
            "dataplane": {"mesh": "m", "name": "web-1"},
            "attachments": [WHOLE],
        }
    ]


async def test_a_policy_of_the_older_generation_affects_where_it_is_the_best() -> None:
    api, attaching = await _mesh()
    await _timeout(api)
    assert await _affected(attaching, "Timeout", "t") == [
        {
            "kind": "SidecarDataplane",
            "dataplane": {"mesh": "m", "name": "web-1"},
            "attachments": [{"type": "outbound", "name": "127.0.0.1:10001", "service": "db"}],
        }
    ]
    conf = {"connectTimeout": "6s"}
    better = [{"match": _service("db")}]
    await api.put("Timeout", "u", mesh="m", sources=ANY, destinations=better, conf=conf)
    assert await _affected(attaching, "Timeout", "t") == []
    assert len(await _affected(attaching, "Timeout", "u")) == 1


async def test_a_gateway_is_affected_through_its_routes() -> None:
    api, attaching = await _mesh()
    await _gateway(api)
    await _timeout(api)
    gateway, sidecar = await _affected(attaching, "Timeout", "t")
    assert gateway == {
        "kind": "MeshGatewayDataplane",
        "dataplane": {"mesh": "m", "name": "edge-1"},
        "gateway": {"mesh": "m", "name": "edge"},
        "listeners": [
            {
                "port": 80,
                "protocol": "HTTP",
                "hosts": [
                    {
                        "hostName": "*",
                        "routes": [{"route": "route-1", "destinations": [_service("web")]}],
                    }
                ],
            }
        ],
    }
    assert sidecar["kind"] == "SidecarDataplane"
    shown: Any = await attaching.policies_of_dataplane(ADMIN, "m", "edge-1")
    assert shown["gateway"] == {"mesh": "m", "name": "edge"}
    (route,) = shown["listeners"][0]["hosts"][0]["routes"]
    (destination,) = route["destinations"]
    assert destination["tags"] == _service("web")
    assert destination["policies"]["Timeout"]["name"] == "t"
    assert "policies" not in shown


async def test_a_log_of_everything_affects_a_gateway_as_a_whole() -> None:
    api, attaching = await _mesh()
    await api.put("TrafficLog", "l", mesh="m", sources=ANY, destinations=ANY)
    gateway, _ = await _affected(attaching, "TrafficLog", "l")
    assert gateway == {
        "kind": "MeshGatewayDataplane",
        "dataplane": {"mesh": "m", "name": "edge-1"},
        "gateway": {"mesh": "", "name": ""},
    }
    shown: Any = await attaching.policies_of_dataplane(ADMIN, "m", "edge-1")
    assert shown["listeners"] == []
    assert shown["policies"]["TrafficLog"]["name"] == "l"


async def test_gateways_and_their_routes_name_their_proxies() -> None:
    api, attaching = await _mesh()
    await _gateway(api)
    expected = {"total": 1, "items": [{"dataplane": {"mesh": "m", "name": "edge-1"}}]}
    assert await attaching.dataplanes_of_gateway(ADMIN, "m", "edge") == expected
    assert await attaching.dataplanes_of_route(ADMIN, "m", "route-1") == expected


async def test_every_policy_that_can_be_attached_can_be_asked() -> None:
    _, attaching = await _mesh()
    assert len(ATTACHED) == 16 + 11
    for type_name in ATTACHED:
        assert await _affected(attaching, type_name, "not there") == []


async def test_a_shadow_policy_affects_nobody() -> None:
    api, attaching = await _mesh()
    spec = {"targetRef": {"kind": "Mesh"}, "default": {"backends": []}}
    labels = {"kuma.io/effect": "shadow"}
    await api.put("MeshTrace", "t", mesh="m", spec=spec, labels=labels)
    assert await _affected(attaching, "MeshTrace", "t") == []


async def test_what_is_not_there_is_said_with_the_words_of_the_original() -> None:
    _, attaching = await _mesh()
    for ask, title in (
        (attaching.policies_of_dataplane, "Could not get MatchedPolicies"),
        (attaching.rules_of_dataplane, "Could not get MatchedPolicies"),
        (attaching.dataplanes_of_gateway, "Could not find MeshGateway"),
        (attaching.dataplanes_of_route, "Could not find MeshGatewayRoute"),
    ):
        with pytest.raises(ResourceRefusedError) as refusal:
            await ask(ADMIN, "m", "none")
        assert (refusal.value.fault, refusal.value.title) == ("not-found", title)
        with pytest.raises(ResourceRefusedError) as refusal:
            await ask(ADMIN, "no mesh", "none")
        assert refusal.value.title == "Failed to retrieve Mesh"


async def test_others_have_their_turns_while_many_selectors_are_held_against_proxies() -> None:
    api, attaching = await _mesh()
    tags = {f"t{number}": "x" for number in range(10)}
    for number in range(10):
        inbounds = [{"port": port, "tags": _service("web") | tags} for port in range(1, 20)]
        networking = {"address": "192.168.0.1", "inbound": inbounds}
        await api.put("Dataplane", f"many-{number}", mesh="m", networking=networking)
        selectors = [{"match": {"kuma.io/service": "*", **tags, "n": str(n)}} for n in range(50)]
        name = f"permission-{number}"
        await api.put(
            "TrafficPermission", name, mesh="m", sources=ANY, destinations=[*selectors, *ANY]
        )

    row = TYPES["TrafficPermission"]

    async def ask() -> None:
        answer = await attaching.dataplanes_of_policy(ADMIN, row, "m", "permission-9")
        assert answer["total"] == 11

    assert await share_of_loop(ask) < 0.5
