"""Endpoints that are asked whether they are well (docs/wire/envoy-policies.md#health-checks)."""

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
from support.specs.sidecars import inbound, instance, outbound, policy, to_mesh, told, web

CALLER = web(to=(outbound(10001, "pay"),))
OWN_TAGS = "&kuma.io/protocol=http&&kuma.io/service=web&&kuma.io/zone=default&"


def cluster(protocol: str, **conf: object) -> Any:
    checks = policy("MeshHealthCheck", to=to_mesh(**conf))
    found = told(CALLER, instance("pay", protocol), checks)
    assert found.complaints == []
    return found.clusters["pay"]


def check(protocol: str, **conf: object) -> Any:
    """The only one; None: there is none."""
    checks = cluster(protocol, **conf).get("healthChecks", [None])
    assert len(checks) == 1
    return checks[0]


@pytest.mark.parametrize(
    ("protocol", "conf", "kind"),
    [
        ("http", {"http": {}, "tcp": {}}, "httpHealthCheck"),
        ("http2", {"http": {}}, "httpHealthCheck"),
        ("grpc", {"grpc": {}, "http": {}}, "grpcHealthCheck"),
        ("tcp", {"tcp": {}, "http": {}}, "tcpHealthCheck"),
        ("http", {"http": {"disabled": True}, "tcp": {}}, "tcpHealthCheck"),
        ("grpc", {"grpc": {"disabled": True}, "tcp": {}}, "tcpHealthCheck"),
    ],
)
def test_the_check_is_of_the_kind_that_fits_the_protocol(
    protocol: str, conf: dict[str, object], kind: str
) -> None:
    assert kind in check(protocol, **conf)


@pytest.mark.parametrize(
    ("protocol", "conf"),
    [
        ("http", {"tcp": {}}),
        ("grpc", {"http": {}, "tcp": {}}),
        ("tcp", {"http": {}}),
        ("tcp", {"tcp": {"disabled": True}}),
        ("http", {"http": {"disabled": True}, "tcp": {"disabled": True}}),
        ("kafka", {"http": {}, "tcp": {}, "grpc": {}}),
        ("", {"http": {}, "tcp": {}, "grpc": {}}),
    ],
)
def test_nothing_is_checked_in_another_way(protocol: str, conf: dict[str, object]) -> None:
    assert check(protocol, **conf) is None


def test_what_is_not_said_has_a_default() -> None:
    assert check("tcp", tcp={}) == {
        "interval": "60s",
        "timeout": "15s",
        "unhealthyThreshold": 5,
        "healthyThreshold": 1,
        "tcpHealthCheck": {},
    }


def test_times_and_thresholds_are_those_of_the_conf() -> None:
    found = check(
        "grpc",
        grpc={"serviceName": "shop.Pay", "authority": "pay.test"},
        interval="2s",
        timeout="1s",
        unhealthyThreshold=3,
        healthyThreshold=2,
        initialJitter="3s",
        intervalJitter="4s",
        intervalJitterPercent=5,
        noTrafficInterval="6s",
        reuseConnection=False,
        alwaysLogHealthCheckFailures=True,
        eventLogPath="/var/log/health",
    )
    (sink,) = found.pop("eventLogger")
    assert sink["name"] == "envoy.health_check.event_sinks.file"
    assert sink["typedConfig"]["eventLogPath"] == "/var/log/health"
    assert found == {
        "interval": "2s",
        "timeout": "1s",
        "unhealthyThreshold": 3,
        "healthyThreshold": 2,
        "initialJitter": "3s",
        "intervalJitter": "4s",
        "intervalJitterPercent": 5,
        "noTrafficInterval": "6s",
        "reuseConnection": False,
        "alwaysLogHealthCheckFailures": True,
        "grpcHealthCheck": {"serviceName": "shop.Pay", "authority": "pay.test"},
    }


def test_an_http_check_tells_whose_it_is_and_what_it_expects() -> None:
    changes = {
        "set": [{"name": "x-set", "value": "a"}],
        "add": [{"name": "x-add", "value": "b,c"}],
    }
    conf = {"path": "/well", "expectedStatuses": [200, 204], "requestHeadersToAdd": changes}
    found = check("http2", http=conf)["httpHealthCheck"]
    told_headers = [
        (each["header"]["key"], each["header"].get("value"), each.get("appendAction", "APPEND"))
        for each in found["requestHeadersToAdd"]
    ]
    assert told_headers == [
        ("x-kuma-tags", OWN_TAGS, "APPEND"),
        ("x-add", "b", "APPEND"),
        ("x-add", "c", "APPEND"),
        ("x-set", "a", "OVERWRITE_IF_EXISTS_OR_ADD"),
    ]
    assert found["path"] == "/well"
    assert found["codecClientType"] == "HTTP2"
    assert found["expectedStatuses"] == [
        {"start": "200", "end": "201"},
        {"start": "204", "end": "205"},
    ]
    assert check("http", http={})["httpHealthCheck"]["path"] == "/"


def test_the_tags_are_those_of_all_inbounds() -> None:
    own = (inbound("web", 8080, "http"), inbound("api", 8081, "grpc"))
    checks = policy("MeshHealthCheck", to=to_mesh(http={}))
    found = told(web(*own, to=(outbound(10001, "pay"),)), instance("pay", "http"), checks)
    (made,) = found.clusters["pay"]["healthChecks"]
    (header,) = made["httpHealthCheck"]["requestHeadersToAdd"]
    assert header["header"]["value"] == (
        "&kuma.io/protocol=grpc,http&&kuma.io/service=api,web&&kuma.io/zone=default&"
    )
    # Requests of the application are another matter.
    assert "requestHeadersToAdd" not in found.filter("outbound:127.0.0.1:10001")["routeConfig"]


def test_bytes_are_in_hexadecimal_digits_and_none_are_left_out() -> None:
    found = check("tcp", tcp={"send": "ab", "receive": ["c", ""]})["tcpHealthCheck"]
    assert found == {"send": {"text": "6162"}, "receive": [{"text": "63"}]}
    assert check("tcp", tcp={"send": "", "receive": [""]})["tcpHealthCheck"] == {}


def test_when_to_panic_is_said_with_and_without_a_check() -> None:
    found = cluster("kafka", tcp={}, healthyPanicThreshold="62.5", failTrafficOnPanic=False)
    assert "healthChecks" not in found
    assert found["commonLbConfig"] == {
        "healthyPanicThreshold": {"value": 62.5},
        "zoneAwareLbConfig": {},
    }
    on = cluster("http", http={}, failTrafficOnPanic=True)["commonLbConfig"]
    assert on == {"zoneAwareLbConfig": {"failTrafficOnPanic": True}}


def test_a_service_that_routes_alone_lead_to_is_not_checked_nor_limited() -> None:
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "default": {"backendRefs": [{"kind": "MeshService", "name": "other"}]},
    }
    entry = {"targetRef": {"kind": "MeshService", "name": "pay"}, "rules": [rule]}
    documents = (
        instance("pay", "http"),
        instance("other", "http", 3),
        policy("MeshHTTPRoute", to=[entry]),
        policy("MeshHealthCheck", to=to_mesh(http={})),
        policy("MeshCircuitBreaker", to=to_mesh(connectionLimits={"maxConnections": 3})),
    )
    by_route = told(CALLER, *documents).clusters["other"]
    assert {"healthChecks", "circuitBreakers"}.isdisjoint(by_route)
    called = told(web(to=(outbound(10001, "pay"), outbound(10002, "other"))), *documents)
    assert {"healthChecks", "circuitBreakers"} <= set(called.clusters["other"])


def test_a_gateway_checks_a_cluster_once_however_many_routes_lead_there() -> None:
    found = ToldEdge(
        edge(),
        gateway(listener(hostname="a.example"), listener(hostname="b.example")),
        instance("pay", "http"),
        http_route(by_path("/x", to_tag("pay")), by_path("/y", to_tag("pay"))),
        about_edge("MeshHealthCheck", to=to_mesh(interval="5s", http={"path": "/up"})),
    )
    (check,) = found.cluster("pay")["healthChecks"]
    assert check["httpHealthCheck"]["path"] == "/up"


def test_a_gateway_checks_what_connections_go_to_by_tcp() -> None:
    found = ToldEdge(
        edge(),
        gateway(listener(9000, "TCP")),
        instance("pay", "http"),
        tcp_route(to_tag("pay")),
        about_edge("MeshHealthCheck", to=to_mesh(tcp={}, http={"path": "/up"})),
    )
    (check,) = found.cluster("pay")["healthChecks"]
    assert check["tcpHealthCheck"] == {}
