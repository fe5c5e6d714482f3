"""What a proxy hands to its application (docs/wire/envoy-names.md#inbounds)."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from kong_mesh_cp.core.xds.proxy_view import GenerationTerms
from support.specs.sidecars import inbound, instance, policy, tags, told, web

LISTENER = "inbound:10.0.0.1:8080"
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def version(cluster: dict[str, object]) -> list[str]:
    """The version of HTTP that a cluster speaks, as Envoy calls its options."""
    options = cluster.get("typedExtensionProtocolOptions", {})
    assert isinstance(options, dict)
    return list(options.get(HTTP_OPTIONS, {}).get("explicitHttpConfig", {}))


def test_an_inbound_listens_at_its_address_and_shows_its_tags() -> None:
    listener = told(web()).listeners[LISTENER]
    assert listener["trafficDirection"] == "INBOUND"
    assert listener["enableReusePort"] is False
    assert listener["address"]["socketAddress"] == {"address": "10.0.0.1", "portValue": 8080}
    # What is put into a zone gets its tag.
    own = {**tags("web", "http"), "kuma.io/zone": "default"}
    assert listener["metadata"]["filterMetadata"]["io.kuma.tags"] == own
    assert "bindToPort" not in listener
    assert "listenerFilters" not in listener


@pytest.mark.parametrize(
    ("protocol", "filters", "http"),
    [
        ("http", ["http_connection_manager"], ["httpProtocolOptions"]),
        ("HTTP2", ["http_connection_manager"], ["http2ProtocolOptions"]),
        ("grpc", ["http_connection_manager"], ["http2ProtocolOptions"]),
        ("kafka", ["kafka_broker", "tcp_proxy"], []),
        ("tcp", ["tcp_proxy"], []),
        ("tls", ["tcp_proxy"], []),
        ("mysql", ["tcp_proxy"], []),
        ("carrier-pigeon", ["tcp_proxy"], []),
        ("", ["tcp_proxy"], []),
    ],
)
def test_the_protocol_says_through_which_filters_it_goes(
    protocol: str, filters: list[str], http: list[str]
) -> None:
    found = told(web(inbound("web", 8080, protocol)))
    names = [each["name"].rpartition(".")[2] for each in found.chain(LISTENER)["filters"]]
    assert names == filters
    assert version(found.clusters["localhost:8080"]) == http


def test_calls_of_grpc_are_counted_before_they_are_routed() -> None:
    found = told(web(inbound("web", 8080, "grpc")))
    filters = [each["name"].rpartition(".")[2] for each in found.filter(LISTENER)["httpFilters"]]
    assert filters == ["grpc_stats", "router"]


def test_a_client_is_who_its_certificate_says_and_its_own_words_do_not_reach_the_application() -> (
    None
):
    manager = told(web()).filter(LISTENER)
    assert manager["forwardClientCertDetails"] == "SANITIZE_SET"
    assert manager["setCurrentClientCertDetails"] == {"uri": True}
    assert manager["routeConfig"]["requestHeadersToRemove"] == ["x-kuma-tags"]


@pytest.mark.parametrize(("ipv6", "found"), [(True, ["10.0.0.0", "fd00::"]), (False, ["10.0.0.0"])])
def test_internal_addresses_are_those_of_the_settings(ipv6: bool, found: list[str]) -> None:
    terms = GenerationTerms(internal=(("10.0.0.0", 8), ("fd00::", 8)))
    manager = told(web(), metadata=ProxyMetadata(ipv6=ipv6), terms=terms).filter(LISTENER)
    ranges = manager["internalAddressConfig"]["cidrRanges"]
    assert [each["addressPrefix"] for each in ranges] == found


def test_without_settings_only_the_machine_itself_is_internal() -> None:
    manager = told(web(), metadata=ProxyMetadata(ipv6=True)).filter(LISTENER)
    ranges = manager["internalAddressConfig"]["cidrRanges"]
    assert [each["addressPrefix"] for each in ranges] == ["127.0.0.1", "::1"]


@pytest.mark.parametrize(
    ("members", "place"),
    [
        ({}, ("10.0.0.1", 8080)),
        ({"servicePort": 9000}, ("10.0.0.1", 9000)),
        ({"serviceAddress": "127.0.0.1"}, ("127.0.0.1", 8080)),
        ({"address": "10.0.0.9", "servicePort": 9000}, ("10.0.0.9", 9000)),
    ],
)
def test_the_application_is_where_the_inbound_says_or_where_the_proxy_is(
    members: dict[str, Any], place: tuple[str, int]
) -> None:
    found = told(web(inbound("web", 8080, **members)))
    cluster = found.clusters[f"localhost:{place[1]}"]
    ((endpoint,),) = [each["lbEndpoints"] for each in cluster["loadAssignment"]["endpoints"]]
    address = endpoint["endpoint"]["address"]["socketAddress"]
    assert (address["address"], address["portValue"]) == place
    assert cluster["type"] == "STATIC"
    assert cluster["altStatName"] == f"localhost_{place[1]}"


def test_inbounds_may_share_the_port_of_an_application() -> None:
    found = told(
        web(
            inbound("web", 8080, "http", servicePort=9000),
            inbound("admin", 8081, "http", servicePort=9000),
        )
    )
    assert set(found.listeners) == {LISTENER, "inbound:10.0.0.1:8081"}
    assert set(found.clusters) == {"localhost:9000"}
    assert found.filter("inbound:10.0.0.1:8081")["routeConfig"]["name"] == "inbound:admin"


def test_what_is_not_ready_and_what_is_ignored_still_has_a_listener() -> None:
    found = told(web(inbound("a", 80, state="NotReady"), inbound("b", 81, state="Ignored")))
    assert set(found.listeners) == {"inbound:10.0.0.1:80", "inbound:10.0.0.1:81"}


def test_an_ipv6_address_stands_in_brackets() -> None:
    found = told(web(inbound("web", 8080, address="fd00::1")))
    assert set(found.listeners) == {"inbound:[fd00::1]:8080"}


@pytest.mark.parametrize(
    ("address", "source"), [("10.0.0.1", "127.0.0.6"), ("fd00::7", "::6"), ("127.0.0.1", None)]
)
def test_a_transparent_proxy_reaches_its_application_without_being_redirected(
    address: str, source: str | None
) -> None:
    redirected = {"redirectPortInbound": 15006, "redirectPortOutbound": 15001}
    own = inbound("web", 8080, serviceAddress=address)
    found = told(web(own, transparentProxying=redirected))
    cluster = found.clusters["localhost:8080"]
    from_ = cluster.get("upstreamBindConfig", {}).get("sourceAddress", {}).get("address")
    assert from_ == source
    assert found.listeners[LISTENER]["bindToPort"] is False


def test_the_limits_before_policies_are_longer_than_those_of_callers() -> None:
    manager = told(web()).filter(LISTENER)
    assert manager["streamIdleTimeout"] == "3600s"


def test_what_a_policy_makes_impossible_is_left_out_and_told_and_nothing_else() -> None:
    broken = policy(
        "MeshCircuitBreaker",
        targetRef={"kind": "Dataplane", "sectionName": "bad"},
        rules=[
            {
                "default": {
                    "outlierDetection": {
                        "detectors": {"successRate": {"standardDeviationFactor": "much"}}
                    }
                }
            }
        ],
    )
    found = told(web(inbound("web", 8080), inbound("b", 81, name="bad")), instance("pay"), broken)
    assert set(found.clusters) == {"localhost:8080"}
    assert [each.partition(":")[0] for each in found.complaints] == ["localhost"]
