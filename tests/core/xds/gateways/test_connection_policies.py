"""Policies of the older generation at a gateway (docs/wire/gateways.md#older-policies)."""

from __future__ import annotations

from typing import Any

import pytest

from support.specs.edges import (
    TCP,
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
from support.specs.sidecars import instance, older, tags, to_mesh

SERVICES = (instance("pay", "http"), instance("audit", "http", last=3))
ROUTE = http_route(by_path("/x", to_tag("pay"), to_tag("audit"), match="Exact"))
OLDER_TCP = {
    "type": "MeshGatewayRoute",
    "mesh": "m",
    "name": "o",
    "selectors": [{"match": tags("edge")}],
    "conf": {"tcp": {"rules": [{"backends": [{"weight": 1, "destination": tags("pay")}]}]}},
}
RETRY = older("Retry", by="edge", conf={"tcp": {"maxConnectAttempts": 3}})


def told(*documents: Any) -> ToldEdge:
    return ToldEdge(edge(), gateway(), *SERVICES, ROUTE, *documents)


def test_clusters_get_the_policy_of_their_service() -> None:
    limits = {"connectTimeout": "4s"}
    broken = {"thresholds": {"maxConnections": 2}}
    probed = {"interval": "1s", "timeout": "1s", "unhealthyThreshold": 1, "healthyThreshold": 1}
    found = told(
        older("Timeout", to="pay", by="edge", conf=limits),
        older("CircuitBreaker", to="pay", by="edge", conf=broken),
        older("HealthCheck", to="pay", by="edge", conf=probed),
    )
    pay, audit = found.cluster("pay"), found.cluster("audit")
    assert pay["connectTimeout"] == "4s"
    assert pay["circuitBreakers"] == {"thresholds": [{"maxConnections": 2}]}
    assert "tcpHealthCheck" in pay["healthChecks"][0]
    assert audit["connectTimeout"] == "5s"
    assert not {"circuitBreakers", "healthChecks"} & audit.keys()


def test_routes_get_what_limits_requests() -> None:
    found = told(
        older("Timeout", by="edge", conf={"http": {"requestTimeout": "6s"}}),
        older("Retry", by="edge", conf={"http": {"numRetries": 3}}),
        older("RateLimit", by="edge", conf={"http": {"requests": 5, "interval": "1s"}}),
    )
    (route,) = found.table()
    assert route["route"]["timeout"] == "6s"
    assert route["route"]["retryPolicy"]["numRetries"] == 3
    limit = route["typedPerFilterConfig"]["envoy.filters.http.local_ratelimit"]
    assert limit["tokenBucket"]["maxTokens"] == 5


def test_a_route_to_several_has_the_policy_for_any_service() -> None:
    found = told(
        older("Timeout", "a", to="pay", by="edge", conf={"http": {"requestTimeout": "6s"}}),
        older("Timeout", "b", to="*", by="edge", conf={"http": {"requestTimeout": "7s"}}),
    )
    (route,) = found.table()
    assert route["route"]["timeout"] == "7s"


def test_without_one_for_any_the_oldest_counts() -> None:
    found = told(
        older("Timeout", "z", to="audit", by="edge", conf={"http": {"requestTimeout": "6s"}}),
        older("Timeout", "a", to="pay", by="edge", conf={"http": {"requestTimeout": "7s"}}),
    )
    (route,) = found.table()
    assert route["route"]["timeout"] == "6s"


def test_what_is_about_other_sources_says_nothing() -> None:
    found = told(older("Timeout", by="other", conf={"connectTimeout": "4s"}))
    assert found.cluster("pay")["connectTimeout"] == "5s"


def test_policies_of_the_newer_generation_have_the_last_word_but_for_rates() -> None:
    rate = {"local": {"http": {"requestRate": {"num": 9, "interval": "1s"}}}}
    found = told(
        older("Timeout", by="edge", conf={"http": {"requestTimeout": "6s"}}),
        older("RateLimit", by="edge", conf={"http": {"requests": 5, "interval": "1s"}}),
        about_edge("MeshTimeout", to=to_mesh(http={"requestTimeout": "8s"})),
        about_edge("MeshRateLimit", to=to_mesh(**rate)),
    )
    (route,) = found.table()
    assert route["route"]["timeout"] == "8s"
    limit = route["typedPerFilterConfig"]["envoy.filters.http.local_ratelimit"]
    assert limit["tokenBucket"]["maxTokens"] == 5


@pytest.mark.parametrize(("route", "attempts"), [(OLDER_TCP, 3), (tcp_route(to_tag("pay")), None)])
def test_connections_are_tried_again_where_an_older_route_sends_them(
    route: Any, attempts: int | None
) -> None:
    found = ToldEdge(edge(), gateway(listener(9000, "TCP")), *SERVICES, route, RETRY)
    assert found.filter(TCP).get("maxConnectAttempts") == attempts
