"""Errors, delays and narrow lines on purpose (docs/wire/envoy-policies.md#faults)."""

from __future__ import annotations

from typing import Any

import pytest

from support.specs.edges import (
    ToldEdge,
    about_edge,
    by_path,
    edge,
    gateway,
    http_route,
    listener,
    tcp_route,
    to_tag,
)
from support.specs.sidecars import (
    Told,
    inbound,
    instance,
    outbound,
    policy,
    to_mesh,
    told,
    web,
)
from support.specs.transparent_proxies import Json

INBOUND = "inbound:10.0.0.1:8080"
OUTBOUND = "outbound:127.0.0.1:10001"
FAULT = "envoy.filters.http.fault"
ABORT = {"abort": {"httpStatus": 503, "percentage": 50}}
DELAY = {"delay": {"value": "2s", "percentage": "7.5"}}


def faulty(*sources: Json, protocol: str = "http") -> Told:
    return told(
        web(inbound("web", 8080, protocol)), policy("MeshFaultInjection", from_=list(sources))
    )


def source(*faults: Json, **target: object) -> Json:
    return {"targetRef": {"kind": "Mesh", **target}, "default": {"http": list(faults)}}


def filters(found: Told) -> list[Any]:
    """Without their types."""
    return [
        {key: value for key, value in each["typedConfig"].items() if key != "@type"}
        for each in found.filter(INBOUND)["httpFilters"]
        if each["name"] == FAULT
    ]


@pytest.mark.parametrize("protocol", ["http", "http2", "grpc"])
def test_each_fault_is_a_filter_before_the_router(protocol: str) -> None:
    found = faulty(source(ABORT, DELAY), protocol=protocol)
    assert filters(found) == [
        {"abort": {"httpStatus": 503, "percentage": {"numerator": 50}}},
        {
            "delay": {
                "fixedDelay": "2s",
                "percentage": {"numerator": 750, "denominator": "TEN_THOUSAND"},
            }
        },
    ]
    assert found.filter(INBOUND)["httpFilters"][-1]["name"] == "envoy.filters.http.router"


def test_what_speaks_no_http_has_no_faults() -> None:
    found = faulty(source(ABORT), protocol="tcp")
    assert found.chain(INBOUND) == told(web(inbound("web", 8080, "tcp"))).chain(INBOUND)


@pytest.mark.parametrize(
    ("limit", "kbps"), [("64kbps", "64"), ("50 Mbps", "50000"), ("2Gbps", "2000000")]
)
def test_a_limit_of_responses_is_in_kbps(limit: str, kbps: str) -> None:
    narrow = {"responseBandwidth": {"limit": limit, "percentage": "0.001"}}
    assert filters(faulty(source(narrow))) == [
        {
            "responseRateLimit": {
                "fixedLimit": {"limitKbps": kbps},
                "percentage": {"numerator": 10, "denominator": "MILLION"},
            }
        }
    ]


@pytest.mark.parametrize("limit", ["0kbps", "5kkbps", "Mbps"])
def test_a_limit_that_is_none_is_told(limit: str) -> None:
    found = faulty(source({"responseBandwidth": {"limit": limit, "percentage": 1}}))
    (complaint,) = found.complaints
    assert complaint == (
        f"{INBOUND}: a responseBandwidth of a MeshFaultInjection has a limit that is no number of "
        "kbps, Mbps or Gbps above 0"
    )


def test_clients_are_known_by_the_tags_that_their_proxies_tell() -> None:
    found = faulty(
        source(ABORT, kind="MeshService", name="crawler"),
        source(DELAY, kind="MeshSubset", tags={"version": "1.2", "env": "dev"}),
    )
    headers = {
        tuple(sorted(each.keys() - {"headers"})): [
            (header["stringMatch"]["safeRegex"]["regex"], header.get("invertMatch", False))
            for header in each["headers"]
        ]
        for each in filters(found)
    }
    both = r".*&env=[^&]*dev[,&].*&version=[^&]*1\.2[,&].*"
    crawler = ".*&kuma.io/service=[^&]*crawler[,&].*"
    assert ("delay",) in headers
    assert (both, False) in headers["delay",] or (both, True) in headers["delay",]
    assert (crawler, False) in headers["abort",] or (crawler, True) in headers["abort",]


def test_proxies_tell_their_tags_where_somebody_may_ask_for_them() -> None:
    caller, pay = web(to=(outbound(10001, "pay"),)), instance("pay", "http")
    about = {"kind": "MeshService", "name": "somebody-else"}
    faults = policy("MeshFaultInjection", targetRef=about, from_=[source(ABORT)])
    value = "&kuma.io/protocol=http&&kuma.io/service=web&&kuma.io/zone=default&"
    assert told(caller, pay, faults).filter(OUTBOUND)["routeConfig"]["requestHeadersToAdd"] == [
        {"header": {"key": "x-kuma-tags", "value": value}}
    ]
    others = policy("MeshTimeout", to=to_mesh(connectionTimeout="1s"))
    assert "requestHeadersToAdd" not in told(caller, pay, others).filter(OUTBOUND)["routeConfig"]


def test_a_gateway_has_faults_behind_its_own_filters() -> None:
    faults = {"http": [{"abort": {"httpStatus": 503, "percentage": 50}}]}
    found = ToldEdge(
        edge(),
        gateway(listener(), listener(9000, "TCP")),
        instance("pay", "http"),
        http_route(by_path("/x", to_tag("pay"))),
        tcp_route(to_tag("pay")),
        about_edge("MeshFaultInjection", to=to_mesh(**faults)),
    )
    filters = found.filter("edge:HTTP:8080")["httpFilters"]
    assert [each["name"] for each in filters[-2:]] == [
        "envoy.filters.http.fault",
        "envoy.filters.http.router",
    ]
    assert filters[-2]["typedConfig"]["abort"]["httpStatus"] == 503
    assert [each["name"] for each in found.chain("edge:TCP:9000")["filters"]] == [
        "envoy.filters.network.tcp_proxy"
    ]
