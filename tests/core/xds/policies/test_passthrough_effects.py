"""What may leave a mesh without a service for it (docs/wire/envoy-passthrough.md#modes)."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.xds.generate import generate
from kong_mesh_cp.core.xds.names import CLUSTER, LISTENER
from kong_mesh_cp.core.xds.parts import Parts
from support.specs.sidecars import policy
from support.specs.transparent_proxies import (
    Json,
    inbound,
    made_for,
    mesh,
    proxy,
    shown,
    view_of,
    web,
)

V4, V6 = "outbound:passthrough:ipv4", "outbound:passthrough:ipv6"
CLOSED = mesh(networking={"outbound": {"passthrough": False}})
TLS = {"type": "Domain", "value": "example.com", "protocol": "tls", "port": 443}


def passing(mode: str | None, *matches: Json) -> Json:
    said = {} if mode is None else {"passthroughMode": mode}
    return policy("MeshPassthrough", default={**said, "appendMatch": list(matches)})


def http(
    value: str, *, port: int | None = 80, kind: str = "Domain", protocol: str = "http"
) -> Json:
    match = {"type": kind, "value": value, "protocol": protocol}
    return match if port is None else {**match, "port": port}


def chains(*documents: Json, listener: str = V4) -> list[Any]:
    return shown(made_for(*documents), LISTENER)[listener]["filterChains"]  # type: ignore[no-any-return]


def hosts(chain: Any) -> dict[str, Any]:
    routes = chain["filters"][0]["typedConfig"]["routeConfig"]
    return {each["name"]: each for each in routes["virtualHosts"]}


def open_clusters(*documents: Json) -> set[str]:
    return set(shown(made_for(*documents), CLUSTER)) & {V4, V6}


@pytest.mark.parametrize(
    ("mode", "is_open"), [("All", True), ("None", False), ("Matched", False), (None, False)]
)
@pytest.mark.parametrize("own_mesh", [mesh(), CLOSED])
def test_the_mode_of_the_policy_counts_before_the_meshs(
    mode: str | None, is_open: bool, own_mesh: Json
) -> None:
    found = open_clusters(own_mesh, web(), passing(mode))
    assert found == ({V4, V6} if is_open else set())


@pytest.mark.parametrize("mode", ["All", "None"])
def test_matches_are_for_the_mode_matched_alone(mode: str) -> None:
    (chain,) = chains(web(), passing(mode, TLS))
    assert chain["filters"][0]["typedConfig"]["cluster"] == V4


def test_matches_take_the_place_of_what_was_open() -> None:
    (chain,) = chains(web(), passing("Matched", TLS))
    name = "meshpassthrough_tls_example.com_443"
    assert chain["name"] == name
    assert chain["filterChainMatch"] == {
        "transportProtocol": "tls",
        "serverNames": ["example.com"],
        "destinationPort": 443,
    }
    assert chain["filters"][0]["typedConfig"]["cluster"] == name
    cluster = shown(made_for(web(), passing("Matched", TLS)), CLUSTER)[name]
    assert (cluster["type"], cluster["lbPolicy"]) == ("ORIGINAL_DST", "CLUSTER_PROVIDED")


def test_a_listener_without_a_way_of_its_version_of_ip_stays_as_it_was() -> None:
    only_v6 = passing("Matched", {"type": "IP", "value": "fd00::1", "protocol": "tcp"})
    (kept,) = chains(web(), only_v6)
    assert kept["filters"][0]["typedConfig"]["cluster"] == V4
    (chain,) = chains(web(), only_v6, listener=V6)
    assert chain["filterChainMatch"]["prefixRanges"] == [
        {"addressPrefix": "fd00::1", "prefixLen": 128}
    ]


def test_a_proxy_of_ipv4_alone_has_no_clusters_of_ipv6() -> None:
    both = passing(
        "Matched", *({**TLS, "type": "IP", "value": each} for each in ("192.0.2.1", "fd00::1"))
    )
    found = shown(made_for(web(ipFamilyMode="IPv4"), both), CLUSTER)
    assert {each for each in found if each.startswith("meshpassthrough")} == {
        "meshpassthrough_tls_192.0.2.1_443"
    }


def test_domains_by_http_are_hosts_and_all_others_get_503() -> None:
    (chain,) = chains(web(), passing("Matched", http("a.example.com"), http("*.example.org")))
    assert chain["filterChainMatch"]["applicationProtocols"] == ["http/1.1", "h2c"]
    found = hosts(chain)
    assert list(found) == ["a.example.com", "*.example.org", "no_match"]
    assert found["a.example.com"]["domains"] == ["a.example.com", "a.example.com:80"]
    assert found["*.example.org"]["domains"] == ["*.example.org", "*.example.org:80"]
    assert found["no_match"]["routes"][0]["directResponse"]["status"] == 503


def test_a_domain_for_all_ports_is_matched_with_any() -> None:
    (chain,) = chains(web(), passing("Matched", http("a.example.com", port=None)))
    assert hosts(chain)["a.example.com"]["domains"] == ["a.example.com", "a.example.com:*"]


def test_any_domain_leaves_nothing_for_the_answer_503() -> None:
    (chain,) = chains(web(), passing("Matched", http("*")))
    assert list(hosts(chain)) == ["*"]
    (secured,) = chains(web(), passing("Matched", {**TLS, "value": "*"}))
    assert "serverNames" not in secured["filterChainMatch"]


def test_an_address_by_http_is_one_host() -> None:
    (chain,) = chains(web(), passing("Matched", http("192.0.2.0/24", kind="CIDR")))
    (host,) = hosts(chain).values()
    assert host["domains"] == ["*"]
    assert host["routes"][0]["route"]["cluster"] == "meshpassthrough_http_192.0.2.0/24_80"


@pytest.mark.parametrize(
    ("protocol", "is_http2"), [("http", False), ("http2", True), ("grpc", True)]
)
def test_what_speaks_http2_is_called_so(protocol: str, is_http2: bool) -> None:
    made = made_for(web(), passing("Matched", http("a.example.com", protocol=protocol)))
    cluster = shown(made, CLUSTER)[f"meshpassthrough_{protocol}_a.example.com_80"]
    assert ("http2ProtocolOptions" in str(cluster)) is is_http2


def test_nobody_listens_to_what_a_client_of_mysql_does_not_say() -> None:
    servers = [
        {"type": "IP", "value": "192.0.2.1", "protocol": "mysql", "port": port}
        for port in (3306, 3307)
    ]

    def filters(*matches: Json) -> Any:
        found = shown(made_for(web(), passing("Matched", *matches)), LISTENER)[V4]
        return {each["name"].split(".")[-1]: each for each in found["listenerFilters"]}

    one = filters(servers[0])
    assert list(one) == ["original_dst", "tls_inspector", "http_inspector"]
    silent = {"destinationPortRange": {"start": 3306, "end": 3307}}
    assert one["tls_inspector"]["filterDisabled"] == silent
    assert one["http_inspector"]["filterDisabled"] == silent
    rules = filters(*servers)["tls_inspector"]["filterDisabled"]["orMatch"]["rules"]
    assert [each["destinationPortRange"]["start"] for each in rules] == [3307, 3306]
    assert all("filterDisabled" not in each for each in filters(TLS).values())


def complaints(*documents: Json) -> list[str]:
    made = generate(view_of(*documents), Parts())
    return [each.reason for each in made.complaints if each.about == "MeshPassthrough"]


def test_a_proxy_that_is_no_transparent_one_keeps_all_and_is_told_so() -> None:
    assert complaints(proxy("web-1", "10.0.0.1", inbound("web")), passing("None")) == [
        "policy doesn't support proxy running without transparent-proxy"
    ]


def test_a_match_that_cannot_be_told_apart_is_told_and_the_others_hold() -> None:
    both = passing(
        "Matched",
        http("a.example.com", port=None),
        http("b.example.com", port=None, protocol="grpc"),
    )
    (reason,) = complaints(web(), both)
    assert reason.startswith("grpc to b.example.com: ")


def test_matches_of_several_policies_are_joined() -> None:
    one, other = passing("Matched", TLS), passing(None, {**TLS, "value": "example.org"})
    found = chains(web(), {**one, "name": "a"}, {**other, "name": "b"})
    assert {each["filterChainMatch"]["serverNames"][0] for each in found} == {
        "example.com",
        "example.org",
    }
