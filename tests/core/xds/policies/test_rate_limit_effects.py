"""How much an inbound takes (docs/wire/envoy-policies.md#rate-limits)."""

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
from support.specs.sidecars import Told, inbound, instance, policy, to_mesh, told, web

INBOUND = "inbound:10.0.0.1:8080"
HTTP = "envoy.filters.http.local_ratelimit"
NETWORK = "envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit"
RATE = {"num": 5, "interval": "10s"}
BUCKET = {"maxTokens": 5, "tokensPerFill": 5, "fillInterval": "10s"}


def limited(protocol: str, **local: object) -> Told:
    limits = policy("MeshRateLimit", rules=[{"default": {"local": local}}])
    return told(web(inbound("web", 8080, protocol)), limits)


def requests(found: Told) -> Any:
    """The limit of the only route; None: it has none."""
    (route,) = found.routes(INBOUND)
    return route.get("typedPerFilterConfig", {}).get(HTTP)


@pytest.mark.parametrize("protocol", ["http", "http2", "grpc"])
def test_the_limit_of_requests_is_on_the_route_and_its_filter_before_the_router(
    protocol: str,
) -> None:
    found = limited(protocol, http={"requestRate": RATE})
    names = [each["name"] for each in found.filter(INBOUND)["httpFilters"]]
    assert names[-2:] == [HTTP, "envoy.filters.http.router"]
    limit = requests(found)
    assert limit["tokenBucket"] == BUCKET
    assert limit["filterEnabled"]["defaultValue"] == {"numerator": 100}
    assert limit["filterEnforced"]["defaultValue"] == {"numerator": 100}
    assert {"status", "responseHeadersToAdd"}.isdisjoint(limit)


def test_the_answer_to_one_too_many_is_that_of_the_conf() -> None:
    headers = {
        "set": [{"name": "x-set", "value": "a,b"}],
        "add": [{"name": "x-add", "value": "c,d"}],
    }
    answer = {"status": 503, "headers": headers}
    limit = requests(limited("http", http={"requestRate": RATE, "onRateLimit": answer}))
    assert limit["status"] == {"code": "ServiceUnavailable"}
    overwritten = {"appendAction": "OVERWRITE_IF_EXISTS_OR_ADD"}
    assert limit["responseHeadersToAdd"] == [
        {"header": {"key": "x-add", "value": "c,d"}},
        {"header": {"key": "x-set", "value": "a"}, **overwritten},
        {"header": {"key": "x-set", "value": "b"}, **overwritten},
    ]


def test_a_status_that_envoy_does_not_know_is_told() -> None:
    found = limited("http", http={"requestRate": RATE, "onRateLimit": {"status": 418}})
    assert INBOUND not in found.listeners
    assert found.complaints == [
        f"{INBOUND}: onRateLimit of a MeshRateLimit has the status 418, which Envoy does not know"
    ]


@pytest.mark.parametrize("protocol", ["tcp", "http", "kafka"])
def test_connections_are_counted_before_all_else(protocol: str) -> None:
    first = limited(protocol, tcp={"connectionRate": RATE}).chain(INBOUND)["filters"][0]
    assert first["name"] == NETWORK
    assert first["typedConfig"]["tokenBucket"] == BUCKET
    assert first["typedConfig"]["statPrefix"] == "tcp_rate_limit"


@pytest.mark.parametrize(
    "local",
    [
        {"http": {"disabled": True, "requestRate": RATE}},
        {"http": {"onRateLimit": {"status": 503}}},
        {"tcp": {"disabled": True, "connectionRate": RATE}},
    ],
)
def test_what_is_switched_off_or_says_no_rate_limits_nothing(local: dict[str, object]) -> None:
    found = limited("http", **local)
    assert found.chain(INBOUND) == told(web()).chain(INBOUND)


def test_requests_of_what_speaks_no_http_are_not_limited() -> None:
    found = limited("tcp", http={"requestRate": RATE})
    assert found.chain(INBOUND) == told(web(inbound("web", 8080, "tcp"))).chain(INBOUND)


def test_clients_by_from_are_limited_as_by_rules() -> None:
    by_from = policy("MeshRateLimit", from_=to_mesh(local={"tcp": {"connectionRate": RATE}}))
    found = told(web(), by_from)
    assert found.chain(INBOUND) == limited("http", tcp={"connectionRate": RATE}).chain(INBOUND)


SERVICE = instance("pay", "http")
EDGE_LIMIT = about_edge("MeshRateLimit", to=to_mesh(local={"http": {"requestRate": RATE}}))


def told_limits(routes: list[Any]) -> list[int | None]:
    limits = (each.get("typedPerFilterConfig", {}).get(HTTP) for each in routes)
    return [None if each is None else each["tokenBucket"]["maxTokens"] for each in limits]


def test_all_routes_of_a_gateway_have_the_limit_unless_they_have_their_own() -> None:
    named = policy(
        "MeshRateLimit",
        "q",
        targetRef={"kind": "MeshHTTPRoute", "name": "a"},
        to=to_mesh(local={"http": {"requestRate": {**RATE, "num": 9}}}),
    )
    routes = (
        http_route(by_path("/a", to_tag("pay"), match="Exact"), name="a"),
        http_route(by_path("/b", to_tag("pay"), match="Exact"), name="b"),
    )
    found = ToldEdge(edge(), gateway(), SERVICE, *routes, EDGE_LIMIT, named)
    assert told_limits(found.table()) == [9, 5]
    # The filter is there once.
    names = [each["name"] for each in found.filter("edge:HTTP:8080")["httpFilters"]]
    assert names.count(HTTP) == 1


def test_a_gateway_counts_connections_whatever_it_speaks() -> None:
    limit = about_edge("MeshRateLimit", to=to_mesh(local={"tcp": {"connectionRate": RATE}}))
    listeners = gateway(listener(), listener(9000, "TCP"))
    routes = (http_route(by_path("/", to_tag("pay"))), tcp_route(to_tag("pay")))
    found = ToldEdge(edge(), listeners, SERVICE, *routes, limit)
    for name in ("edge:HTTP:8080", "edge:TCP:9000"):
        filters = [each["name"] for each in found.chain(name)["filters"]]
        assert filters[0] == NETWORK
        assert filters.count(NETWORK) == 1
