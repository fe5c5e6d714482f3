"""What a proxy takes from its application (docs/wire/envoy-names.md#outbounds)."""

from __future__ import annotations

import hashlib

import pytest

from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from kong_mesh_cp.core.xds.proxy_view import GenerationTerms
from support.specs.sidecars import inbound, instance, outbound, policy, tags, told, web
from support.specs.transparent_proxies import Json

LISTENER = "outbound:127.0.0.1:10001"
CALLER = web(to=(outbound(10001, "pay"),))
V1 = hashlib.sha256(b"kuma.io/servicepayversionv1").hexdigest()[:16]


def addresses(assignment: Json) -> list[str]:
    return [
        each["endpoint"]["address"]["socketAddress"]["address"]
        for locality in assignment.get("endpoints", [])
        for each in locality["lbEndpoints"]
    ]


def test_an_outbound_listens_on_the_machine_itself_unless_it_says_where() -> None:
    own = {**outbound(10002, "pay"), "address": "127.0.0.9"}
    found = told(web(to=(outbound(10001, "pay"), own)), instance("pay"))
    outbounds = {each for each in found.listeners if each.startswith("outbound")}
    assert outbounds == {LISTENER, "outbound:127.0.0.9:10002"}
    listener = found.listeners[LISTENER]
    assert listener["trafficDirection"] == "OUTBOUND"
    assert listener["metadata"]["filterMetadata"]["io.kuma.tags"] == tags("pay")


def test_a_cluster_gets_its_endpoints_apart_and_speaks_http2_with_other_proxies() -> None:
    cluster = told(CALLER, instance("pay")).clusters["pay"]
    assert cluster["type"] == "EDS"
    assert cluster["edsClusterConfig"] == {"edsConfig": {"ads": {}, "resourceApiVersion": "V3"}}
    (options,) = cluster["typedExtensionProtocolOptions"].values()
    assert options["explicitHttpConfig"] == {"http2ProtocolOptions": {}}
    assert "transportSocket" not in cluster


@pytest.mark.parametrize(
    ("protocols", "filters"),
    [
        (("http",), ["http_connection_manager"]),
        (("grpc", "http2"), ["http_connection_manager"]),
        (("http", "http2"), ["tcp_proxy"]),
        (("kafka",), ["kafka_broker", "tcp_proxy"]),
        (("", "http"), ["tcp_proxy"]),
        (("tls",), []),
        (("mysql",), []),
    ],
)
def test_the_protocol_is_what_all_instances_have_in_common(
    protocols: tuple[str, ...], filters: list[str]
) -> None:
    others = [instance("pay", each, last) for last, each in enumerate(protocols, 2)]
    chain = told(CALLER, *others).chain(LISTENER)
    assert [each["name"].rpartition(".")[2] for each in chain.get("filters", [])] == filters


def test_a_service_without_instances_is_carried_as_tcp_to_nobody() -> None:
    found = told(CALLER)
    assert found.filter(LISTENER)["cluster"] == "pay"
    assert found.endpoints["pay"] == {"clusterName": "pay"}


def test_paths_are_normalized_before_they_are_compared() -> None:
    assert told(CALLER, instance("pay", "http")).filter(LISTENER)["normalizePath"] is True


def test_internal_addresses_are_those_of_ipv4_whatever_the_proxy_says() -> None:
    terms = GenerationTerms(internal=(("10.0.0.0", 8), ("fd00::", 8)))
    metadata = ProxyMetadata(ipv6=True)
    found = told(CALLER, instance("pay", "http"), metadata=metadata, terms=terms)
    (cidr,) = found.filter(LISTENER)["internalAddressConfig"]["cidrRanges"]
    assert cidr["addressPrefix"] == "10.0.0.0"


def test_some_instances_of_a_service_are_a_cluster_of_their_own() -> None:
    found = told(
        web(to=(outbound(10001, "pay", version="v1"), outbound(10002, "pay"))),
        instance("pay", "tcp", 2, version="v1"),
        instance("pay", "tcp", 3, version="v2"),
    )
    name = f"pay-{V1}"
    assert found.filter(LISTENER)["cluster"] == name
    assert addresses(found.endpoints[name]) == ["10.0.0.2"]
    assert addresses(found.endpoints["pay"]) == ["10.0.0.2", "10.0.0.3"]


def test_an_instance_that_is_not_ready_or_ignored_gets_nothing() -> None:
    def other(last: int, **state: object) -> Json:
        found = instance("pay", "tcp", last)
        found["networking"]["inbound"][0].update(state)
        return found

    found = told(CALLER, other(2), other(3, state="NotReady"), other(4, state="Ignored"))
    assert addresses(found.endpoints["pay"]) == ["10.0.0.2"]


def test_endpoints_are_by_zone_and_address_with_their_tags() -> None:
    found = told(
        CALLER,
        instance("pay", "tcp", 3, version="v1"),
        instance("pay", "tcp", 2),
    )
    (locality,) = found.endpoints["pay"]["endpoints"]
    # What is put into a zone gets its tag.
    assert locality["locality"] == {"zone": "default"}
    assert addresses(found.endpoints["pay"]) == ["10.0.0.2", "10.0.0.3"]
    first, second = locality["lbEndpoints"]
    assert first["loadBalancingWeight"] == 1
    shown = second["metadata"]["filterMetadata"]
    assert shown["envoy.lb"] == shown["envoy.transport_socket_match"]
    assert shown["envoy.lb"] == {
        "kuma.io/protocol": "tcp",
        "kuma.io/zone": "default",
        "version": "v1",
    }


def test_an_instance_behind_nat_is_reached_where_it_says() -> None:
    other = instance("pay", "tcp")
    other["networking"]["advertisedAddress"] = "192.0.2.1"
    assert addresses(told(CALLER, other).endpoints["pay"]) == ["192.0.2.1"]


def test_a_route_makes_the_clusters_that_it_sends_to() -> None:
    split = {
        "backendRefs": [
            {"kind": "MeshService", "name": "pay", "weight": 90},
            {"kind": "MeshServiceSubset", "name": "pay", "tags": {"version": "v1"}, "weight": 10},
        ]
    }
    entry = {"targetRef": {"kind": "MeshService", "name": "pay"}, "rules": [{"default": split}]}
    found = told(CALLER, instance("pay", "tcp"), policy("MeshTCPRoute", to=[entry]))
    assert found.filter(LISTENER)["weightedClusters"]["clusters"] == [
        {"name": "pay", "weight": 90},
        {"name": f"pay-{V1}", "weight": 10},
    ]
    assert set(found.clusters) == {"localhost:8080", "pay", f"pay-{V1}"}


def routed(type_name: str, **rule: object) -> Json:
    entry = {"targetRef": {"kind": "MeshService", "name": "pay"}, "rules": [rule]}
    return policy(type_name, type_name.lower(), to=[entry])


def elsewhere(name: str) -> Json:
    return {"backendRefs": [{"kind": "MeshService", "name": name}]}


def test_connections_to_a_service_of_http_are_routed_as_such_where_no_request_is() -> None:
    found = told(
        CALLER,
        instance("pay", "http"),
        instance("copy", "http", 3),
        routed("MeshTCPRoute", default=elsewhere("copy")),
    )
    assert found.filter(LISTENER)["cluster"] == "copy"
    # As the original has it: what its requests would come to is there, too.
    assert set(found.clusters) == {"localhost:8080", "copy", "pay"}


def test_routes_of_requests_do_not_count_for_a_service_that_is_not_of_http() -> None:
    anything = [{"path": {"type": "PathPrefix", "value": "/"}}]
    found = told(
        CALLER,
        instance("pay", "tcp"),
        instance("copy", "http", 3),
        routed("MeshHTTPRoute", matches=anything, default=elsewhere("copy")),
    )
    assert found.filter(LISTENER)["cluster"] == "pay"
    assert set(found.clusters) == {"localhost:8080", "copy", "pay"}


def test_where_requests_have_nowhere_to_go_nothing_listens() -> None:
    anything = [{"path": {"type": "PathPrefix", "value": "/"}}]
    found = told(
        CALLER,
        instance("pay", "http"),
        routed("MeshHTTPRoute", matches=anything, default=elsewhere("nobody")),
    )
    assert LISTENER not in found.listeners
    assert set(found.clusters) == {"localhost:8080"}
    assert found.complaints == []


def test_where_connections_have_nowhere_to_go_they_end() -> None:
    nowhere = {"backendRefs": [{"kind": "MeshService", "name": "pay", "weight": 0}]}
    found = told(CALLER, instance("pay", "tcp"), routed("MeshTCPRoute", default=nowhere))
    assert found.chain(LISTENER) == {}


def test_of_a_strict_mesh_a_service_is_spoken_to_in_the_meshs_tls() -> None:
    strict = {
        "type": "Mesh",
        "name": "m",
        "skipCreatingInitialPolicies": ["*"],
        "mtls": {"enabledBackend": "ca-1", "backends": [{"name": "ca-1", "type": "builtin"}]},
    }
    found = told(strict, CALLER, instance("pay", "http"))
    tls = found.clusters["pay"]["transportSocket"]["typedConfig"]
    assert tls["sni"] == "pay{mesh=m}"
    assert "alpnProtocols" in tls["commonTlsContext"]


def test_two_outbounds_to_one_service_share_its_cluster() -> None:
    found = told(
        web(inbound("web", 8080), to=(outbound(10001, "pay"), outbound(10002, "pay"))),
        instance("pay"),
    )
    assert set(found.clusters) == {"localhost:8080", "pay"}
    assert set(found.endpoints) == {"pay"}
