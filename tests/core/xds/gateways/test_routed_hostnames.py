"""Which requests of a gateway's hosts a route is for (docs/wire/gateways.md#routes)."""

from __future__ import annotations

from typing import Any

import pytest

from support.specs.edges import (
    AT_EDGE,
    HTTP,
    TCP,
    ToldEdge,
    by_path,
    edge,
    gateway,
    http_route,
    listener,
    tcp_route,
    to_tag,
)
from support.specs.sidecars import instance

SERVICES = (instance("pay", "http"), instance("audit", "http", last=3))
PAY, AUDIT = to_tag("pay"), to_tag("audit")


def told(*documents: Any) -> ToldEdge:
    return ToldEdge(edge(), *SERVICES, *documents)


def paths(routes: list[Any]) -> list[str]:
    return [each["match"].get("prefix") or each["match"]["path"] for each in routes]


def test_a_route_without_host_names_is_for_the_listeners_own() -> None:
    found = told(gateway(listener(hostname="a.example")), http_route(by_path("/x", PAY)))
    assert list(found.hosts()) == ["a.example"]
    assert found.tables["edge:HTTP:8080:*"]["virtualHosts"][0]["domains"] == ["a.example"]


def test_host_names_of_routes_are_hosts_where_the_listener_is_wider() -> None:
    named = http_route(by_path("/x", PAY), hostnames=("b.example", "*.a.example", "other.org"))
    found = told(gateway(listener(hostname="*.example")), named)
    # The more exact first; what the listener is not for is not there.
    assert list(found.hosts()) == ["b.example", "*.a.example"]


def test_wider_names_come_behind_those_that_are_meant_exactly() -> None:
    found = told(
        gateway(),
        http_route(by_path("/exact", PAY), name="a", hostnames=("x.example",)),
        http_route(by_path("/wide", AUDIT), name="b", hostnames=("*.example",)),
        http_route(by_path("/any", AUDIT), name="c"),
    )
    hosts = {name: set(paths(routes)) for name, routes in found.hosts().items()}
    assert list(hosts) == ["x.example", "*.example", "*"]
    assert hosts["x.example"] == {"/exact", "/exact/", "/wide", "/wide/", "/any", "/any/"}
    assert hosts["*.example"] == {"/wide", "/wide/", "/any", "/any/"}
    assert hosts["*"] == {"/any", "/any/"}


def test_what_a_more_exact_listener_is_for_does_not_come_to_the_others() -> None:
    found = told(
        gateway(listener(hostname="*"), listener(hostname="x.example", tags={"for": "x"})),
        http_route(by_path("/x", PAY), hostnames=("x.example", "y.example")),
    )
    names = found.hosts()
    assert list(names) == ["x.example", "y.example"]
    clusters = {
        name: routes[0]["route"]["weightedClusters"]["clusters"][0]["name"]
        for name, routes in names.items()
    }
    # Each host has the clusters of its listener's tags.
    assert clusters["x.example"] != clusters["y.example"]


def test_hosts_without_tls_have_one_chain() -> None:
    listeners = gateway(listener(hostname="a.example"), listener(hostname="b.example"))
    found = told(listeners, http_route(by_path("/x", PAY)))
    assert list(found.hosts()) == ["a.example", "b.example"]
    assert found.filter(HTTP)["rds"]["routeConfigName"] == "edge:HTTP:8080:*"


def test_a_listener_is_chosen_by_its_tags() -> None:
    one = listener(8080, tags={"port": "one"})
    other = listener(8081, tags={"port": "other"})
    chosen = {**AT_EDGE, "tags": {"port": "other"}}
    found = told(gateway(one, other), http_route(by_path("/x", PAY), target=chosen))
    assert paths(found.table("edge:HTTP:8081:*")) == ["/x", "/x/"]
    # The other one is there, and says that it has no route.
    (answer,) = found.table("edge:HTTP:8080:*")
    assert answer["directResponse"]["status"] == 404


def test_of_two_routes_for_the_same_requests_the_later_one_in_the_store_counts() -> None:
    found = told(
        gateway(),
        http_route(by_path("/x", PAY), name="a"),
        http_route(by_path("/x", AUDIT), by_path("/y", AUDIT), name="b"),
    )
    sent_to = {
        each["match"].get("path", ""): each["route"]["weightedClusters"]["clusters"][0]["name"]
        for each in found.table()
    }
    assert sent_to["/x"].startswith("audit-")


@pytest.mark.parametrize(
    "target", [{"kind": "Mesh"}, {"kind": "MeshSubset", "tags": {"kuma.io/service": "edge"}}]
)
def test_a_route_of_a_service_that_selects_the_gateway_counts(target: dict[str, Any]) -> None:
    service = {"kind": "MeshService", "name": "pay"}
    found = told(gateway(), http_route(by_path("/x", PAY), target=target, to=service))
    assert paths(found.table()) == ["/x", "/x/"]


def test_routes_of_connections_are_for_ports_of_tcp_alone() -> None:
    found = told(gateway(listener(9000, "TCP"), listener()), tcp_route(to_tag("pay", 3), AUDIT))
    shares = found.filter(TCP)["weightedClusters"]["clusters"]
    assert [(each["name"].partition("-")[0], each["weight"]) for each in shares] == [
        ("audit", 1),
        ("pay", 3),
    ]
    (answer,) = found.table()
    assert answer["directResponse"]["status"] == 404


def test_each_host_of_tls_has_the_clusters_of_its_own_routes() -> None:
    passed = {"mode": "PASSTHROUGH"}
    names = ("a.example", "b.example")
    listeners = [
        listener(9443, "TLS", hostname=each, tls=passed, tags={"for": each}) for each in names
    ]
    found = told(
        gateway(*listeners),
        tcp_route(PAY, name="a", target={**AT_EDGE, "tags": {"for": "a.example"}}),
        tcp_route(AUDIT, name="b", target={**AT_EDGE, "tags": {"for": "b.example"}}),
    )
    chains = found.listeners["edge:TLS:9443"]["filterChains"]
    assert [
        (
            each["filterChainMatch"]["serverNames"],
            each["filters"][0]["typedConfig"]["cluster"].partition("-")[0],
        )
        for each in chains
    ] == [(["a.example"], "pay"), (["b.example"], "audit")]
