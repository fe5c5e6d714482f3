"""What MeshGatewayRoutes do at a gateway (docs/wire/gateways.md#older-routes)."""

from __future__ import annotations

from typing import Any

import pytest

from support.specs.edges import TCP, ToldEdge, edge, gateway, listener
from support.specs.sidecars import instance, tags
from support.specs.transparent_proxies import Json

SERVICES = (instance("pay", "http"), instance("audit", "http", last=3))


def to(service: str, weight: int = 1, **others: str) -> Json:
    return {"weight": weight, "destination": tags(service, **others)}


def rule(*backends: Json, path: str = "/", filters: tuple[Json, ...] = (), **match: object) -> Json:
    matches = [{"path": {"match": "EXACT", "value": path}, **match}]
    return {"matches": matches, "backends": [*backends], "filters": [*filters]}


def older_route(
    *rules: Json, name: str = "r", hostnames: tuple[str, ...] = (), kind: str = "http", **at: str
) -> Json:
    conf: Json = {"rules": [*rules]}
    if hostnames:
        conf["hostnames"] = [*hostnames]
    return {
        "type": "MeshGatewayRoute",
        "mesh": "m",
        "name": name,
        "selectors": [{"match": tags("edge", **at)}],
        "conf": {kind: conf},
    }


def told(*documents: Any) -> ToldEdge:
    return ToldEdge(edge(), *SERVICES, *documents)


def services(routes: list[Any]) -> list[list[str]]:
    """Where each route leads."""
    return [
        [each["name"].rpartition("-")[0] for each in route["route"]["weightedClusters"]["clusters"]]
        for route in routes
        if "route" in route
    ]


def test_a_listener_has_the_routes_that_select_it_by_its_tags() -> None:
    inner = listener(8081, tags={"port": "inner"})
    found = told(gateway(listener(), inner), older_route(rule(to("pay")), port="inner"))
    assert services(found.table("edge:HTTP:8081:*")) == [["pay"]]
    (nothing,) = found.table("edge:HTTP:8080:*")
    assert nothing["directResponse"]["status"] == 404


def test_connections_and_requests_have_routes_of_their_own() -> None:
    both = gateway(listener(), listener(9000, "TCP"))
    connections = older_route({"backends": [to("audit", 7), to("pay", 3)]}, name="t", kind="tcp")
    found = told(both, older_route(rule(to("pay"))), connections)
    assert services(found.table()) == [["pay"]]
    shares = found.filter(TCP)["weightedClusters"]["clusters"]
    assert [(each["name"].rpartition("-")[0], each["weight"]) for each in shares] == [
        ("audit", 7),
        ("pay", 3),
    ]


def test_names_of_a_route_are_hosts_of_the_listener_for_any() -> None:
    named = older_route(rule(to("audit")), name="a", hostnames=("a.example", "*.b.example"))
    found = told(gateway(), named, older_route(rule(to("pay"), path="/any"), name="b"))
    assert {host: services(routes) for host, routes in found.hosts().items()} == {
        "a.example": [["audit"]],
        "*.b.example": [["audit"]],
        "*": [["pay"]],
    }


def test_a_wildcard_of_a_route_is_for_all_hosts_below_it() -> None:
    hosts = gateway(listener(), listener(hostname="x.b.example"), listener(hostname="x.c.example"))
    wide = older_route(rule(to("audit"), path="/wide"), name="a", hostnames=("*.b.example",))
    found = told(hosts, wide, older_route(rule(to("pay")), name="b"))
    assert {host: services(routes) for host, routes in found.hosts().items()} == {
        "x.c.example": [["pay"]],
        "x.b.example": [["audit"], ["pay"]],
        "*.b.example": [["audit"]],
        "*": [["pay"]],
    }


def test_a_host_has_no_routes_for_other_names() -> None:
    other = older_route(rule(to("pay")), hostnames=("other.example",))
    found = told(gateway(listener(hostname="a.example")), other)
    (nothing,) = found.table()
    assert nothing["directResponse"]["status"] == 404


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (
            {"rewrite": {"replaceFull": "/x", "hostToBackendHostname": True}},
            {"regexRewrite": {"pattern": {"regex": ".*"}, "substitution": "/x"},
             "autoHostRewrite": True},
        ),
        (
            {"requestHeader": {"set": [{"name": "host", "value": "h.example"}]}},
            {"hostRewriteLiteral": "h.example"},
        ),
        ({"mirror": {"percentage": 0, "backend": to("audit")}}, {}),
    ],
    ids=("rewrite", "host", "no-mirror"),
)  # fmt: skip
def test_filters_change_what_is_passed_on(filters: Json, expected: Json) -> None:
    (route,) = told(gateway(), older_route(rule(to("pay"), filters=(filters,)))).table()
    action = route["route"]
    assert {each: action[each] for each in expected} == expected
    assert ("requestMirrorPolicies" in action) is False


def test_a_share_of_requests_is_mirrored_to_a_cluster_of_its_own() -> None:
    mirror = {"mirror": {"percentage": 12.5, "backend": to("audit")}}
    found = told(gateway(), older_route(rule(to("pay"), filters=(mirror,))))
    (route,) = found.table()
    (policy,) = route["route"]["requestMirrorPolicies"]
    assert policy["cluster"] in found.clusters
    fraction = policy["runtimeFraction"]["defaultValue"]
    assert fraction == {"numerator": 1250, "denominator": "TEN_THOUSAND"}


def test_headers_of_several_filters_add_up() -> None:
    def response(**changes: object) -> Json:
        return {"responseHeader": changes}

    filters = (
        response(set=[{"name": "x-one", "value": "1"}], remove=["x-gone"]),
        response(add=[{"name": "x-two", "value": "2"}]),
    )
    (route,) = told(gateway(), older_route(rule(to("pay"), filters=filters))).table()
    assert [each["header"]["key"] for each in route["responseHeadersToAdd"]] == ["X-One", "X-Two"]
    assert route["responseHeadersToRemove"] == ["x-gone"]


def test_a_redirect_leads_to_the_port_of_the_listener() -> None:
    redirect = {"redirect": {"hostname": "h.example", "status_code": 308}}
    (route,) = told(gateway(), older_route(rule(filters=(redirect,)))).table()
    assert route["redirect"] == {
        "hostRedirect": "h.example",
        "portRedirect": 8080,
        "responseCode": "PERMANENT_REDIRECT",
        "stripQuery": True,
    }
