"""How long a proxy waits (docs/wire/envoy-policies.md#timeouts)."""

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
    to_service,
    told,
    web,
)

INBOUND = "inbound:10.0.0.1:8080"
OUTBOUND = "outbound:127.0.0.1:10001"
CALLER = web(to=(outbound(10001, "pay"),))
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
ALL = {
    "connectionTimeout": "1s",
    "idleTimeout": "2s",
    "http": {
        "requestTimeout": "3s",
        "streamIdleTimeout": "4s",
        "maxStreamDuration": "5s",
        "maxConnectionDuration": "6s",
        "requestHeadersTimeout": "7s",
    },
}


def common(told_: Told, cluster: str) -> Any:
    options = told_.clusters[cluster]["typedExtensionProtocolOptions"][HTTP_OPTIONS]
    return options.get("commonHttpProtocolOptions", {})


def test_an_inbound_without_a_policy_has_the_defaults() -> None:
    found = told(web())
    (route,) = found.routes(INBOUND)
    assert (route["route"]["timeout"], route["route"]["idleTimeout"]) == ("15s", "1800s")
    assert found.clusters["localhost:8080"]["connectTimeout"] == "5s"
    assert common(found, "localhost:8080") == {
        "idleTimeout": "3600s",
        "maxStreamDuration": "0s",
        "maxConnectionDuration": "0s",
    }


@pytest.mark.parametrize("members", [{"from": to_mesh(**ALL)}, {"rules": [{"default": ALL}]}])
def test_an_inbound_waits_as_its_policy_says(members: dict[str, Any]) -> None:
    found = told(web(), policy("MeshTimeout", targetRef={"kind": "Mesh"}, **members))
    (route,) = found.routes(INBOUND)
    assert (route["route"]["timeout"], route["route"]["idleTimeout"]) == ("3s", "4s")
    assert found.filter(INBOUND)["requestHeadersTimeout"] == "7s"
    assert found.clusters["localhost:8080"]["connectTimeout"] == "1s"
    assert common(found, "localhost:8080") == {
        "idleTimeout": "2s",
        "maxStreamDuration": "5s",
        "maxConnectionDuration": "6s",
    }


def test_idle_connections_are_closed_by_the_cluster_alone() -> None:
    manager = told(web()).filter(INBOUND)
    assert manager["commonHttpProtocolOptions"]["idleTimeout"] == "0s"
    # Of streams by the route, the manager's own limit is longer.
    assert manager["streamIdleTimeout"] == "3600s"


def test_what_speaks_no_http_has_an_idle_time_in_its_listener() -> None:
    own = inbound("web", 8080, "tcp")
    assert told(web(own)).filter(INBOUND)["idleTimeout"] == "3600s"
    limits = policy("MeshTimeout", from_=to_mesh(**ALL), to=to_mesh(**ALL))
    found = told(web(own, to=(outbound(10001, "pay"),)), instance("pay", "tcp"), limits)
    assert found.filter(INBOUND)["idleTimeout"] == "2s"
    assert found.filter(OUTBOUND)["idleTimeout"] == "2s"
    assert "commonHttpProtocolOptions" not in str(found.clusters)


def test_grpc_has_no_idle_time_at_its_cluster() -> None:
    limits = policy("MeshTimeout", to=to_mesh(**ALL))
    found = told(CALLER, instance("pay", "grpc"), limits)
    assert found.clusters["pay"]["connectTimeout"] == "1s"
    assert common(found, "pay") == {}
    assert found.routes(OUTBOUND)[0]["route"]["timeout"] == "3s"


def test_an_outbound_that_no_policy_is_about_keeps_its_listener_and_has_a_default_cluster() -> None:
    found = told(CALLER, instance("pay", "http"), policy("MeshTimeout", to=to_service("x", **ALL)))
    (route,) = found.routes(OUTBOUND)
    assert route["route"]["timeout"] == "0s"
    assert "idleTimeout" not in route["route"]
    assert "requestHeadersTimeout" not in found.filter(OUTBOUND)
    assert found.clusters["pay"]["connectTimeout"] == "5s"
    assert common(found, "pay")["idleTimeout"] == "3600s"


def test_zero_is_no_limit_and_not_the_default() -> None:
    limits = policy("MeshTimeout", to=to_mesh(idleTimeout="0s", http={"requestTimeout": "0s"}))
    found = told(CALLER, instance("pay", "http"), limits)
    assert found.routes(OUTBOUND)[0]["route"]["timeout"] == "0s"
    assert found.routes(OUTBOUND)[0]["route"]["idleTimeout"] == "1800s"
    assert common(found, "pay")["idleTimeout"] == "0s"


def test_a_conf_for_a_route_is_about_this_route_alone() -> None:
    rule = {"matches": [{"path": {"type": "Exact", "value": "/slow"}}], "default": {}}
    entry = {"targetRef": {"kind": "MeshService", "name": "pay"}, "rules": [rule]}
    route = policy("MeshHTTPRoute", "slow", to=[entry])
    slow = policy(
        "MeshTimeout",
        "a-slow",
        targetRef={"kind": "MeshHTTPRoute", "name": "slow"},
        to=to_mesh(http={"requestTimeout": "60s"}),
    )
    other = policy("MeshTimeout", "others", to=to_mesh(http={"requestTimeout": "2s"}))
    found = told(CALLER, instance("pay", "http"), route, slow, other)
    times = {
        each["match"].get("path", "others"): each["route"]["timeout"]
        for each in found.routes(OUTBOUND)
    }
    assert times == {"/slow": "60s", "others": "2s"}


def test_a_route_that_redirects_has_no_limits() -> None:
    redirect = {"type": "RequestRedirect", "requestRedirect": {"hostname": "elsewhere.test"}}
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "default": {"filters": [redirect]},
    }
    entry = {"targetRef": {"kind": "MeshService", "name": "pay"}, "rules": [rule]}
    limits = policy("MeshTimeout", to=to_mesh(**ALL))
    found = told(CALLER, instance("pay", "http"), policy("MeshHTTPRoute", to=[entry]), limits)
    (route,) = found.routes(OUTBOUND)
    assert "route" not in route
    assert route["redirect"]["hostRedirect"] == "elsewhere.test"


PAY = instance("pay", "http")
ROUTE = http_route(by_path("/x", to_tag("pay"), match="Exact"))
TO_TCP = tcp_route(to_tag("audit"))


def test_a_gateway_waits_less_than_others_for_who_comes_from_outside() -> None:
    found = ToldEdge(edge(), gateway(listener(), listener(9000, "TCP")), PAY, ROUTE, TO_TCP)
    manager = found.filter("edge:HTTP:8080")
    assert manager["commonHttpProtocolOptions"]["idleTimeout"] == "300s"
    assert (manager["streamIdleTimeout"], manager["requestHeadersTimeout"]) == ("5s", "0.500s")
    assert found.filter("edge:TCP:9000")["idleTimeout"] == "300s"
    # Routes have no limit of their own until a policy is about them.
    (route,) = found.table()
    assert "timeout" not in route["route"]
    assert found.cluster("pay")["connectTimeout"] == "5s"


@pytest.mark.parametrize("members", [{"from": to_mesh(**ALL)}, {"rules": [{"default": ALL}]}])
def test_what_a_gateway_takes_is_limited_as_its_policy_says(members: dict[str, Any]) -> None:
    target = {"kind": "Mesh", "proxyTypes": ["Gateway"]}
    limits = policy("MeshTimeout", targetRef=target, **members)
    manager = ToldEdge(edge(), gateway(), PAY, ROUTE, limits).filter("edge:HTTP:8080")
    assert manager["commonHttpProtocolOptions"]["idleTimeout"] == "2s"
    assert (manager["streamIdleTimeout"], manager["requestHeadersTimeout"]) == ("4s", "7s")
    assert manager["requestTimeout"] == "3s"


def test_what_a_gateway_sends_on_is_limited_as_its_policy_says() -> None:
    found = ToldEdge(edge(), gateway(), PAY, ROUTE, about_edge("MeshTimeout", to=to_mesh(**ALL)))
    (route,) = found.table()
    assert (route["route"]["timeout"], route["route"]["idleTimeout"]) == ("3s", "4s")
    cluster = found.cluster("pay")
    assert cluster["connectTimeout"] == "1s"
    options = cluster["typedExtensionProtocolOptions"][HTTP_OPTIONS]
    assert options["commonHttpProtocolOptions"] == {
        "idleTimeout": "2s",
        "maxStreamDuration": "5s",
        "maxConnectionDuration": "6s",
    }


def test_a_gateways_route_has_what_a_policy_says_of_it_alone() -> None:
    routes = (
        http_route(by_path("/a", to_tag("pay"), match="Exact"), name="a"),
        http_route(by_path("/b", to_tag("pay"), match="Exact"), name="b"),
    )
    named = policy(
        "MeshTimeout",
        "q",
        targetRef={"kind": "MeshHTTPRoute", "name": "a"},
        to=to_mesh(http={"requestTimeout": "8s"}),
    )
    common = about_edge("MeshTimeout", to=to_mesh(http={"requestTimeout": "9s"}))
    found = ToldEdge(edge(), gateway(), PAY, *routes, named, common)
    assert [each["route"]["timeout"] for each in found.table()] == ["8s", "9s"]
