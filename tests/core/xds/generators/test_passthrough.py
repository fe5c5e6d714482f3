"""What no other listener takes (docs/wire/virtual-addresses.md#passthrough)."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.xds.names import CLUSTER, LISTENER
from support.specs.transparent_proxies import (
    Json,
    inbound,
    made_for,
    mesh,
    proxy,
    shown,
    web,
)

IPV4 = {"inbound:passthrough:ipv4", "outbound:passthrough:ipv4"}
BOTH = {*IPV4, "inbound:passthrough:ipv6", "outbound:passthrough:ipv6"}


def passing(named: dict[str, Json]) -> set[str]:
    return {name for name in named if "passthrough" in name}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("UnSpecified", BOTH), ("DualStack", BOTH), ("IPv6", BOTH), ("IPv4", IPV4)],
)
def test_each_version_of_ip_has_a_listener_and_a_cluster_for_each_direction(
    mode: str, expected: set[str]
) -> None:
    made = made_for(web(ipFamilyMode=mode))
    assert passing(shown(made, LISTENER)) == passing(shown(made, CLUSTER)) == expected


def test_the_listeners_hand_connections_on_to_where_they_were_meant_for() -> None:
    listeners = shown(made_for(web(redirectPortInbound=1006, redirectPortOutbound=1001)), LISTENER)
    ports = {}
    for name in BOTH:
        assert listeners[name]["useOriginalDst"] is True
        address = listeners[name]["address"]["socketAddress"]
        ports[name] = (address["address"], address["portValue"])
        (chain,) = listeners[name]["filterChains"]
        assert chain["filters"][0]["typedConfig"]["cluster"] == name
    assert ports == {
        "inbound:passthrough:ipv4": ("0.0.0.0", 1006),
        "inbound:passthrough:ipv6": ("::", 1006),
        "outbound:passthrough:ipv4": ("0.0.0.0", 1001),
        "outbound:passthrough:ipv6": ("::", 1001),
    }


def test_only_the_way_in_has_a_source_address_that_is_not_redirected() -> None:
    clusters = shown(made_for(web()), CLUSTER)
    sources = {
        name: clusters[name].get("upstreamBindConfig", {}).get("sourceAddress", {}).get("address")
        for name in BOTH
    }
    assert sources == {
        "inbound:passthrough:ipv4": "127.0.0.6",
        "inbound:passthrough:ipv6": "::6",
        "outbound:passthrough:ipv4": None,
        "outbound:passthrough:ipv6": None,
    }
    assert all(clusters[name]["type"] == "ORIGINAL_DST" for name in BOTH)


def test_a_mesh_that_forbids_passthrough_has_the_listeners_out_but_nothing_behind() -> None:
    closed = mesh(networking={"outbound": {"passthrough": False}})
    made = made_for(closed, web())
    assert passing(shown(made, LISTENER)) == BOTH
    assert passing(shown(made, CLUSTER)) == {each for each in BOTH if each.startswith("inbound")}
    opened = mesh(networking={"outbound": {"passthrough": True}})
    assert passing(shown(made_for(opened, web()), CLUSTER)) == BOTH


def test_a_proxy_without_redirection_has_none_of_it() -> None:
    made = made_for(proxy("web-1", "10.0.0.1", inbound("web")))
    assert passing(shown(made, LISTENER)) == passing(shown(made, CLUSTER)) == set()
    assert passing(shown(made_for(web(redirectPortOutbound=0)), LISTENER)) == set()


@pytest.mark.parametrize("address", ["10.0.0.1", "fd00::1"])
@pytest.mark.parametrize("mode", ["UnSpecified", "IPv4"])
def test_the_other_listeners_bind_no_port(address: str, mode: str) -> None:
    listeners = shown(made_for(web(address, ipFamilyMode=mode)), LISTENER)
    others = {
        name: listener.get("bindToPort")
        for name, listener in listeners.items()
        if "passthrough" not in name and not name.startswith("kuma:")
    }
    assert len(others) == 2
    assert set(others.values()) == {False}


@pytest.mark.parametrize(
    ("address", "mode", "source"),
    [
        ("10.0.0.1", "UnSpecified", "127.0.0.6"),
        ("10.0.0.1", "IPv4", "127.0.0.6"),
        ("fd00::1", "UnSpecified", "::6"),
        ("fd00::1", "IPv4", None),
    ],
)
def test_the_application_is_called_from_an_address_that_is_not_redirected(
    address: str, mode: str, source: str | None
) -> None:
    cluster = shown(made_for(web(address, ipFamilyMode=mode)), CLUSTER)["localhost:8080"]
    assert cluster.get("upstreamBindConfig", {}).get("sourceAddress", {}).get("address") == source


def test_an_application_on_loopback_is_called_from_there() -> None:
    own = inbound("web", 8080, serviceAddress="127.0.0.1")
    document = proxy("web-1", "10.0.0.1", own)
    document["networking"]["transparentProxying"] = {
        "redirectPortInbound": 15006,
        "redirectPortOutbound": 15001,
    }
    assert "upstreamBindConfig" not in shown(made_for(document), CLUSTER)["localhost:8080"]
