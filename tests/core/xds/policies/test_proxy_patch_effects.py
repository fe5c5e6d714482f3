"""Changes of Envoy's resources themselves (docs/wire/envoy-patches.md#modifications)."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.xds.generate import generate
from kong_mesh_cp.core.xds.parts import Parts
from support.specs.sidecars import (
    NOTHING_ELSE,
    Told,
    inbound,
    instance,
    outbound,
    policy,
    told,
    web,
)
from support.specs.transparent_proxies import Json, view_of

INBOUND = "inbound:10.0.0.1:8080"
OUTBOUND = "outbound:127.0.0.1:10001"
CALLER = web(to=(outbound(10001, "pay"),))
OTHER = instance("pay", "http")
BUFFER = "envoy.filters.http.buffer"
ROUTER = "envoy.filters.http.router"
HTTP_MANAGER = "envoy.filters.network.http_connection_manager"
ECHO = "envoy.filters.network.echo"
HTTP_FILTER = f"""
name: {BUFFER}
typedConfig:
  '@type': type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer
  maxRequestBytes: 512
"""
NETWORK_FILTER = f"""
name: {ECHO}
typedConfig: {{'@type': type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo}}
"""
EXTRA = "name: extra\ntype: STATIC\nconnectTimeout: 2s"


def patch(part: str, operation: str, **members: Any) -> Json:
    return {part: {"operation": operation, **members}}


def patched(*modifications: Json, documents: tuple[Json, ...] = (CALLER, OTHER)) -> Told:
    return told(
        *documents,
        policy("MeshProxyPatch", default={"appendModifications": list(modifications)}),
    )


def timeouts(found: Told) -> dict[str, str]:
    return {name: each["connectTimeout"] for name, each in found.clusters.items()}


def http_filters(found: Told, listener: str) -> list[str]:
    return [each["name"] for each in found.filter(listener)["httpFilters"]]


def network_filters(found: Told, listener: str) -> list[str]:
    return [each["name"] for each in found.chain(listener)["filters"]]


@pytest.mark.parametrize(
    ("match", "patched_ones"),
    [
        (None, {"localhost:8080", "pay"}),
        ({}, {"localhost:8080", "pay"}),
        ({"name": "pay"}, {"pay"}),
        ({"origin": "inbound"}, {"localhost:8080"}),
        ({"origin": "outbound"}, {"pay"}),
        ({"origin": "outbound", "name": "localhost:8080"}, set()),
        ({"name": "nobody"}, set()),
        ({"name": ""}, set()),
    ],
)
def test_a_patch_is_about_those_that_match(match: Json | None, patched_ones: set[str]) -> None:
    said = {} if match is None else {"match": match}
    found = patched(patch("cluster", "Patch", value="connectTimeout: 9s", **said))
    assert {name for name, each in timeouts(found).items() if each == "9s"} == patched_ones
    assert found.complaints == []


def test_modifications_come_in_their_order_upon_each_other() -> None:
    found = patched(
        patch("cluster", "Add", value=EXTRA),
        patch("cluster", "Patch", match={"origin": "mesh-proxy-patch"}, value="connectTimeout: 1s"),
        patch("cluster", "Remove", match={"name": "pay"}),
        patch("cluster", "Patch", match={"name": "pay"}, value="connectTimeout: 7s"),
    )
    assert timeouts(found) == {"localhost:8080": "5s", "extra": "1s"}
    assert found.complaints == []


def test_what_is_added_takes_the_place_of_one_with_its_name() -> None:
    found = patched(
        patch("cluster", "Add", value=EXTRA.replace("extra", "pay")),
        patch("cluster", "Patch", match={"origin": "outbound"}, value="connectTimeout: 9s"),
    )
    assert found.clusters["pay"] == {"name": "pay", "type": "STATIC", "connectTimeout": "2s"}


def test_a_cluster_is_found_by_the_name_it_was_made_under_and_sent_under_its_own() -> None:
    rename = [{"op": "replace", "path": "/name", "value": "other"}]
    found = patched(
        patch("cluster", "Patch", match={"name": "localhost:8080"}, jsonPatches=rename),
        patch("cluster", "Patch", match={"name": "localhost:8080"}, value="connectTimeout: 9s"),
    )
    assert timeouts(found) == {"other": "9s", "pay": "5s"}


@pytest.mark.parametrize(
    ("tags", "is_matched"),
    [
        ({"kuma.io/service": "web"}, True),
        ({"kuma.io/service": "*"}, True),
        ({"kuma.io/service": "pay"}, False),
        ({"version": "*"}, False),
        ({}, True),
    ],
)
def test_listeners_are_told_by_their_tags(tags: Json, is_matched: bool) -> None:
    match = {"origin": "inbound", "tags": tags}
    found = patched(patch("listener", "Patch", match=match, value="transparent: true"))
    assert ("transparent" in found.listeners[INBOUND]) is is_matched
    assert "transparent" not in found.listeners[OUTBOUND]
    removed = patched(patch("listener", "Remove", match=match))
    assert (INBOUND not in removed.listeners) is is_matched
    filters = {"listenerTags": tags, "name": HTTP_MANAGER, "origin": "inbound"}
    emptied = patched(patch("networkFilter", "Remove", match=filters))
    assert (emptied.chain(INBOUND) == {}) is is_matched


def test_a_listener_can_be_added() -> None:
    value = "name: mine\naddress: {socketAddress: {address: 127.0.0.1, portValue: 1}}"
    found = patched(
        patch("listener", "Add", value=value),
        patch("listener", "Patch", match={"name": "mine"}, value="transparent: true"),
    )
    assert found.listeners["mine"]["transparent"] is True


@pytest.mark.parametrize(
    ("operation", "match", "expected"),
    [
        ("AddFirst", {}, [BUFFER, ROUTER]),
        ("AddLast", {}, [ROUTER, BUFFER]),
        ("AddBefore", {"name": ROUTER}, [BUFFER, ROUTER]),
        ("AddAfter", {"name": ROUTER}, [ROUTER, BUFFER]),
        ("AddBefore", {"name": "nobody"}, [ROUTER]),
        ("AddAfter", {"name": "nobody"}, [ROUTER]),
        ("AddFirst", {"listenerName": OUTBOUND}, [ROUTER]),
        ("AddFirst", {"origin": "outbound"}, [ROUTER]),
        ("AddFirst", {"listenerTags": {"kuma.io/service": "pay"}}, [ROUTER]),
    ],
)
def test_http_filters_are_put_in_their_place(
    operation: str, match: Json, expected: list[str]
) -> None:
    found = patched(patch("httpFilter", operation, match=match, value=HTTP_FILTER))
    assert http_filters(found, INBOUND) == expected


def test_http_filters_are_patched_and_removed() -> None:
    add = patch("httpFilter", "AddFirst", value=HTTP_FILTER)
    larger = HTTP_FILTER.replace("512", "1024").replace(f"name: {BUFFER}", "name: ignored")
    found = patched(add, patch("httpFilter", "Patch", match={"name": BUFFER}, value=larger))
    first = found.filter(INBOUND)["httpFilters"][0]
    assert (first["name"], first["typedConfig"]["maxRequestBytes"]) == (BUFFER, 1024)
    steps = [{"op": "replace", "path": "/maxRequestBytes", "value": 7}]
    found = patched(add, patch("httpFilter", "Patch", match={"name": BUFFER}, jsonPatches=steps))
    assert found.filter(INBOUND)["httpFilters"][0]["typedConfig"]["maxRequestBytes"] == 7
    found = patched(add, patch("httpFilter", "Remove", match={"name": BUFFER}))
    assert http_filters(found, INBOUND) == [ROUTER]


@pytest.mark.parametrize(
    ("operation", "match", "expected"),
    [
        ("AddFirst", {}, [ECHO, HTTP_MANAGER]),
        ("AddLast", {}, [HTTP_MANAGER, ECHO]),
        ("AddBefore", {"name": HTTP_MANAGER}, [ECHO, HTTP_MANAGER]),
        ("AddAfter", {"name": HTTP_MANAGER}, [HTTP_MANAGER, ECHO]),
        ("AddAfter", {"name": "nobody"}, [HTTP_MANAGER]),
    ],
)
def test_network_filters_are_put_in_their_place(
    operation: str, match: Json, expected: list[str]
) -> None:
    found = patched(patch("networkFilter", operation, match=match, value=NETWORK_FILTER))
    assert network_filters(found, INBOUND) == network_filters(found, OUTBOUND) == expected


def test_network_filters_are_patched_and_removed() -> None:
    match = {"name": HTTP_MANAGER, "listenerName": INBOUND}
    steps = [{"op": "replace", "path": "/statPrefix", "value": "mine"}]
    found = patched(patch("networkFilter", "Patch", match=match, jsonPatches=steps))
    assert found.filter(INBOUND)["statPrefix"] == "mine"
    assert found.filter(OUTBOUND)["statPrefix"] == "pay"
    found = patched(patch("networkFilter", "Remove", match=match))
    assert "filters" not in found.chain(INBOUND)
    assert network_filters(found, OUTBOUND) == [HTTP_MANAGER]


def hosts(found: Told, listener: str) -> list[str]:
    return [each["name"] for each in found.filter(listener)["routeConfig"]["virtualHosts"]]


def test_hosts_are_told_by_their_routes_and_their_name() -> None:
    value = "name: extra\ndomains: [extra.test]"
    found = patched(patch("virtualHost", "Add", match={}, value=value))
    assert (hosts(found, INBOUND), hosts(found, OUTBOUND)) == (["web", "extra"], ["pay", "extra"])
    match = {"routeConfigurationName": "outbound:pay"}
    found = patched(patch("virtualHost", "Add", match=match, value=value))
    assert (hosts(found, INBOUND), hosts(found, OUTBOUND)) == (["web"], ["pay", "extra"])
    steps = [{"op": "add", "path": "/retryPolicy/retryOn", "value": "5xx"}]
    found = patched(
        patch("virtualHost", "Patch", match={"name": "web"}, jsonPatches=steps),
        patch("virtualHost", "Patch", match={"origin": "outbound"}, value="domains: [a.test]"),
    )
    (own,), (other,) = (
        found.filter(each)["routeConfig"]["virtualHosts"] for each in (INBOUND, OUTBOUND)
    )
    assert own["retryPolicy"] == {"retryOn": "5xx"}
    assert other["domains"] == ["*", "a.test"]
    found = patched(patch("virtualHost", "Remove", match={"name": "web"}))
    assert "virtualHosts" not in found.filter(INBOUND)["routeConfig"]
    assert hosts(found, OUTBOUND) == ["pay"]


@pytest.mark.parametrize("part", ["cluster", "listener"])
def test_a_value_that_is_none_of_envoys_is_told_once_and_the_others_are_made(part: str) -> None:
    found = patched(
        patch(part, "Patch", value="connectTimeout: soon\nlistenerFiltersTimeout: soon"),
        patch("cluster", "Patch", match={"name": "pay"}, value="connectTimeout: 9s"),
    )
    assert timeouts(found) == {"localhost:8080": "5s", "pay": "9s"}
    (complaint,) = found.complaints
    assert complaint.startswith(f"MeshProxyPatch: modification 1, {part} patch: ")


def test_steps_that_do_not_apply_are_told_once_and_where_they_do_they_are_made() -> None:
    steps = [{"op": "replace", "path": "/edsClusterConfig/serviceName", "value": "x"}]
    found = patched(
        patch("cluster", "Add", value=EXTRA), patch("cluster", "Patch", jsonPatches=steps)
    )
    assert timeouts(found) == {"localhost:8080": "5s", "pay": "5s", "extra": "2s"}
    (complaint,) = found.complaints
    assert complaint.startswith(
        "MeshProxyPatch: modification 2, cluster patch of localhost:8080 (and of 2 more): "
    )


def test_a_cluster_that_asks_for_endpoints_that_nobody_has_gets_none() -> None:
    value = (
        "name: extra\ntype: EDS\nedsClusterConfig: {edsConfig: {ads: {}, resourceApiVersion: V3}}"
    )
    found = patched(patch("cluster", "Add", value=value))
    assert found.endpoints["extra"] == {"clusterName": "extra"}
    assert set(found.endpoints) == {"pay", "extra"}
    (complaint,) = found.complaints
    assert "its endpoints would come from ADS" in complaint


def test_patches_come_after_all_other_policies() -> None:
    limits = policy("MeshTimeout", rules=[{"default": {"connectionTimeout": "3s"}}])
    found = patched(
        patch("cluster", "Patch", match={"origin": "inbound"}, value="connectTimeout: 9s"),
        documents=(web(inbound("web", 8080)), limits),
    )
    assert timeouts(found) == {"localhost:8080": "9s"}


def test_two_proxies_share_what_a_patch_makes() -> None:
    documents = (
        CALLER,
        OTHER,
        policy(
            "MeshProxyPatch",
            default={
                "appendModifications": [patch("cluster", "Patch", value="connectTimeout: 9s")]
            },
        ),
    )
    parts, view = Parts(), view_of(*documents, metadata=NOTHING_ELSE)
    one, other = (generate(view, parts).snapshot for _ in range(2))
    for url, found in one.by_type.items():
        for name, resource in found.resources.items():
            assert other.of_type(url).resources[name].packed is resource.packed
