"""The rules of one proxy and the proxies of one policy, from what is stored.

Source: docs/wire/inspection.md#rules-of-a-proxy, docs/wire/inspection.md#proxies-of-a-policy
"""

from __future__ import annotations

from typing import Any, cast

import pytest

from kong_mesh_cp.core.identity.users import ADMIN, ANONYMOUS, User
from kong_mesh_cp.core.resources.inline_secrets import MASK
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.usecases.resources.queries import ListQuery
from kong_mesh_cp.usecases.resources.resource_refusals import ResourceRefusedError
from support.daemons.resource_api import ResourceApi, inbound, networking

ALLOW = {"from": [{"targetRef": {"kind": "Mesh"}, "default": {"action": "Allow"}}]}


async def populated() -> ResourceApi:
    api = ResourceApi()
    await api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    for name in ("web", "api"):
        await api.put("Dataplane", name, mesh="m", networking=networking(inbound(name)))
    gateway = networking(gateway={"type": "BUILTIN", "tags": {"kuma.io/service": "edge"}})
    await api.put("Dataplane", "edge", mesh="m", networking=gateway)
    selectors = [{"match": {"kuma.io/service": "edge"}}]
    conf = {"listeners": [{"port": 80, "protocol": "HTTP"}]}
    await api.put("MeshGateway", "g", mesh="m", selectors=selectors, conf=conf)
    return api


async def proxies(api: ResourceApi, type_name: str, name: str) -> list[object]:
    resource_type = TYPES[type_name]
    page = await api.inspecting.dataplanes(ADMIN, resource_type, "m", name, ListQuery())
    assert page.total == len(page.items)
    return [each["name"] for each in page.items]


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ({"kind": "Mesh"}, ["api", "edge", "web"]),
        ({"kind": "MeshSubset", "tags": {"kuma.io/service": "web"}}, ["web"]),
        ({"kind": "Mesh", "proxyTypes": ["Gateway"]}, ["edge"]),
    ],
)
async def test_a_policy_is_about_the_proxies_it_selects(
    target: dict[str, object], names: list[str]
) -> None:
    api = await populated()
    spec = {
        "targetRef": target,
        "to": [{"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": "1s"}}],
    }
    await api.put("MeshTimeout", "p", mesh="m", spec=spec)
    assert await proxies(api, "MeshTimeout", "p") == names


async def test_a_service_is_the_proxies_with_its_tags() -> None:
    api = await populated()
    spec = {"selector": {"dataplaneTags": {"kuma.io/service": "api"}}, "ports": [{"port": 80}]}
    await api.put("MeshService", "s", mesh="m", spec=spec)
    assert await proxies(api, "MeshService", "s") == ["api"]


async def test_legacy_policies_select_by_tags_and_those_of_connections_by_both_ends() -> None:
    api = await populated()
    anything = [{"match": {"kuma.io/service": "*"}}]
    await api.put("ProxyTemplate", "t", mesh="m", selectors=anything, conf={"imports": []})
    web, to_api = ([{"match": {"kuma.io/service": name}}] for name in ("web", "api"))
    await api.put("TrafficPermission", "p", mesh="m", sources=web, destinations=to_api)
    assert await proxies(api, "ProxyTemplate", "t") == ["api", "edge", "web"]
    assert await proxies(api, "TrafficPermission", "p") == ["api", "web"]


async def test_rules_show_what_a_policy_says_of_a_proxy() -> None:
    api = await populated()
    await api.put("MeshTrafficPermission", "p", mesh="m", spec=ALLOW)
    shown = await api.inspecting.dataplane_rules(ADMIN, "m", "web")
    about = cast("Any", shown["rules"])[0]
    assert about["type"] == "MeshTrafficPermission"
    assert about["fromRules"][0]["rules"][0]["conf"] == {"action": "Allow"}


async def test_a_gateway_has_rules_too() -> None:
    api = await populated()
    to = [{"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": "1s"}}]
    await api.put("MeshTimeout", "p", mesh="m", spec={"targetRef": {"kind": "Mesh"}, "to": to})
    shown = await api.inspecting.gateway_rules(ADMIN, "m", "g")
    assert [each["type"] for each in cast("Any", shown["rules"])] == ["MeshTimeout"]


@pytest.mark.parametrize(
    ("labels", "zone", "origin"),
    [({"kuma.io/zone": "default"}, "default", "zone"), ({}, "s", "global")],
)
async def test_a_service_has_the_host_names_of_the_generators_that_match(
    labels: dict[str, str], zone: str, origin: str
) -> None:
    # The generators are of the zone `default`: one zone's own, and global for all others.
    api = await populated()
    ports = [{"port": 80, "appProtocol": "http"}]
    selector = {"meshService": {"matchLabels": {"team": "a"}}}
    await api.put(
        "MeshMultiZoneService",
        "s",
        mesh="m",
        labels=labels,
        spec={"selector": selector, "ports": ports},
    )
    for name, template in (
        ("one", "{{ .DisplayName }}.{{ .Zone }}"),
        ("two", '{{label "none"}}.x'),
    ):
        by_origin = {"meshMultiZoneService": {"matchLabels": {"kuma.io/origin": origin}}}
        spec = {"template": template, "selector": by_origin}
        await api.put("HostnameGenerator", name, spec=spec)
    found = await api.inspecting.hostnames(ADMIN, TYPES["MeshMultiZoneService"], "m", "s")
    assert found == {f"s.{zone}": [zone]}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, "s.s"),
        ({"kuma.io/display-name": "shop"}, "s.shop"),
        ({"kuma.io/display-name": ""}, "s."),
    ],
)
async def test_a_template_tells_the_name_from_what_users_call_it(
    labels: dict[str, str], expected: str
) -> None:
    api = await populated()
    await api.put("MeshService", "s", mesh="m", labels={"a": "b", **labels}, spec={})
    spec = {
        "template": "{{ .Name }}.{{ .DisplayName }}",
        "selector": {"meshService": {"matchLabels": {"a": "b"}}},
    }
    await api.put("HostnameGenerator", "g", spec=spec)

    found = await api.inspecting.hostnames(ADMIN, TYPES["MeshService"], "m", "s")
    assert [*found] == [expected]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{{ "team" | label }}.x', ["shop.x"]),
        ("{{ .Name -}} .x", ["s.x"]),
        ('{{/* none */}}{{ label "other" }}', []),
        ('{{ label "empty" }}', []),
    ],
)
async def test_a_template_makes_the_name_that_is_in_the_status_of_the_service(
    template: str, expected: list[str]
) -> None:
    api = await populated()
    await api.put("MeshService", "s", mesh="m", labels={"team": "shop", "empty": ""}, spec={})
    spec = {"template": template, "selector": {"meshService": {}}}
    await api.put("HostnameGenerator", "g", spec=spec)

    found = await api.inspecting.hostnames(ADMIN, TYPES["MeshService"], "m", "s")
    assert [*found] == expected


@pytest.mark.parametrize(
    ("ask", "title"),
    [
        ("dataplane_rules", "Could not retrieve Dataplane"),
        ("gateway_rules", "Could not retrieve MeshGateway"),
    ],
)
async def test_what_is_not_there_has_no_rules(ask: str, title: str) -> None:
    api = await populated()
    with pytest.raises(ResourceRefusedError) as error:
        await getattr(api.inspecting, ask)(ADMIN, "m", "gone")
    assert error.value.title == title


async def test_who_may_not_read_secrets_sees_the_mask_whoever_asked_before() -> None:
    api = await populated()
    value = "name: a\nprivate_key: {inline_string: a-key}"
    mods = [{"cluster": {"operation": "Add", "value": value}}]
    spec = {"targetRef": {"kind": "Mesh"}, "default": {"appendModifications": mods}}
    await api.put("MeshProxyPatch", "p", mesh="m", spec=spec)

    async def patch(user: User) -> object:
        (shown,) = cast("Any", await api.inspecting.dataplane_rules(user, "m", "web"))["rules"]
        return shown["proxyRule"]["conf"]["appendModifications"][0]["cluster"]["value"]

    assert [await patch(user) for user in (ADMIN, ANONYMOUS, ADMIN, ANONYMOUS)] == [
        value,
        MASK,
        value,
        MASK,
    ]


async def test_what_changes_shows_in_the_next_answer() -> None:
    api = await populated()
    spec = {"targetRef": {"kind": "MeshSubset", "tags": {"kuma.io/service": "web"}}, **ALLOW}
    await api.put("MeshTrafficPermission", "p", mesh="m", spec=spec)
    assert await proxies(api, "MeshTrafficPermission", "p") == ["web"]

    await api.put("Dataplane", "api", mesh="m", networking=networking(inbound("web")))
    assert await proxies(api, "MeshTrafficPermission", "p") == ["api", "web"]

    spec["targetRef"] = {"kind": "MeshSubset", "tags": {"kuma.io/service": "edge"}}
    await api.put("MeshTrafficPermission", "p", mesh="m", spec=spec)
    assert await proxies(api, "MeshTrafficPermission", "p") == ["edge"]
    shown = await api.inspecting.dataplane_rules(ADMIN, "m", "web")
    assert shown["rules"] == []


async def test_a_policy_about_a_route_is_about_the_proxies_of_the_route() -> None:
    api = await populated()
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "default": {}}
    to = [{"targetRef": {"kind": "MeshService", "name": "api"}, "rules": [rule]}]
    about_web = {"kind": "MeshSubset", "tags": {"kuma.io/service": "web"}}
    await api.put("MeshHTTPRoute", "r", mesh="m", spec={"targetRef": about_web, "to": to})
    timeout = [{"targetRef": {"kind": "Mesh"}, "default": {"http": {"requestTimeout": "1s"}}}]
    for name, route in (("p", "r"), ("lost", "gone")):
        spec = {"targetRef": {"kind": "MeshHTTPRoute", "name": route}, "to": timeout}
        await api.put("MeshTimeout", name, mesh="m", spec=spec)

    assert await proxies(api, "MeshTimeout", "p") == ["web"]
    assert await proxies(api, "MeshTimeout", "lost") == []


async def test_a_name_narrows_the_proxies_down_and_no_later_answer() -> None:
    api = await populated()
    await api.put("MeshTrafficPermission", "p", mesh="m", spec=ALLOW)
    row = TYPES["MeshTrafficPermission"]

    page = await api.inspecting.dataplanes(ADMIN, row, "m", "p", ListQuery(name="w"))

    assert [each["name"] for each in page.items] == ["web"]
    assert await proxies(api, "MeshTrafficPermission", "p") == ["api", "edge", "web"]
