"""Which policies of the older generation count (docs/wire/older-policies.md#which-one-counts)."""

from __future__ import annotations

from typing import Any

from kong_mesh_cp.core.xds.explaining.explanation import Wanted, explained
from kong_mesh_cp.core.xds.parts import Parts
from support.specs.sidecars import (
    NOTHING_ELSE,
    ROUTE_ALL,
    external,
    instance,
    older,
    outbound,
    policy,
    tags,
    to_mesh,
    web,
)
from support.specs.transparent_proxies import Json, mesh, mesh_of_zones, view_of

OWN = web(
    {"port": 8080, "tags": tags("web", "http", version="v1")},
    to=(outbound(10001, "pay"), outbound(10002, "out")),
)
LISTENER = {"type": "listener", "name": "outbound:127.0.0.1:10001"}


def answer(*documents: Json, **wanted: Any) -> Json:
    view = view_of(OWN, instance("pay", "http"), *documents, metadata=NOTHING_ELSE)
    return explained(view, Parts(), Wanted(**wanted))


def of_outbound(*documents: Json) -> dict[str, Json]:
    """By type."""
    (place,) = answer(*documents, outbound="pay")["outbounds"]
    return {each["type"]: each for each in place["older"]}


def of_inbound(*documents: Json) -> list[Json]:
    (place,) = answer(*documents, inbound=8080)["inbounds"]
    found: list[Json] = place["older"]
    return found


def timeout(name: str, seconds: int, **more: Any) -> Json:
    conf = {"connectTimeout": f"{seconds}s", "http": {"requestTimeout": f"{seconds}s"}}
    return older("Timeout", name, conf=conf, **more)


def test_without_policies_of_the_older_generation_there_is_nothing_to_tell() -> None:
    found = answer()
    assert found["olderOfProxy"] == []
    assert [each["older"] for each in (*found["inbounds"], *found["outbounds"])] == [[], [], []]


def test_the_policy_that_counts_is_told_with_its_settings_and_what_carries_it() -> None:
    found = of_outbound(ROUTE_ALL, timeout("t", 3, to="pay"))
    assert found["Timeout"] == {
        "type": "Timeout",
        "name": "t",
        "sources": [{"match": {"kuma.io/service": "*"}}],
        "destinations": [{"match": {"kuma.io/service": "pay"}}],
        "settings": [
            {"member": "connectTimeout", "value": "3s"},
            {"member": "http.requestTimeout", "value": "3s"},
        ],
        "envoy": [LISTENER],  # on the cluster a MeshTimeout's default has its place
    }
    assert found["TrafficRoute"]["name"] == "all"


def test_those_that_fit_less_are_told_with_the_reason_the_closest_first() -> None:
    more_tags = {"match": {"kuma.io/service": "*", "version": "v1"}}
    found = of_outbound(
        ROUTE_ALL,
        timeout("any", 1),
        timeout("exact", 2, to="pay"),
        timeout("tags", 3, sources=[more_tags]),
        timeout("later", 4, sources=[more_tags]),
    )
    assert found["Timeout"]["name"] == "later"
    assert found["Timeout"]["lost"] == [
        {"name": "tags", "reason": "created", "why": "as specific, and made before later"},
        {"name": "exact", "reason": "tags", "why": "names 2 tags, against 3"},
        {"name": "any", "reason": "tags", "why": "names 2 tags, against 3"},
    ]


def test_exact_tags_win_over_any() -> None:
    lost = of_outbound(ROUTE_ALL, timeout("any", 1), timeout("exact", 2, to="pay"))["Timeout"]
    assert [each["reason"] for each in lost["lost"]] == ["exact"]


def test_without_a_traffic_route_what_is_there_changes_nothing() -> None:
    assert of_outbound(timeout("t", 3))["Timeout"]["envoy"] == []


def test_breakers_and_checks_are_told_of_the_services_that_a_route_leads_to() -> None:
    split = [
        {"weight": 1, "destination": {"kuma.io/service": "pay"}},
        {"weight": 1, "destination": {"kuma.io/service": "other"}},
    ]
    route = older("TrafficRoute", "split", to="pay", conf={"split": split})
    breaker = older("CircuitBreaker", "b", to="other", conf={"thresholds": {"maxConnections": 3}})
    found = of_outbound(route, breaker)["CircuitBreaker"]

    assert (found["service"], found["name"]) == ("other", "b")
    assert found["settings"] == [{"member": "thresholds.maxConnections", "value": 3}]


def test_all_faults_and_limits_that_fit_an_inbound_count() -> None:
    protocol = {"match": {"kuma.io/service": "web", "kuma.io/protocol": "http"}}
    abort = {"abort": {"httpStatus": 500, "percentage": 10}}
    faults = [
        older("FaultInjection", name, by=by, destinations=[protocol], conf=abort)
        for name, by in (("any", "*"), ("mine", "pay"))
    ]
    limit = older("RateLimit", "l", to="web", conf={"http": {"requests": 1, "interval": "1s"}})
    found = of_inbound(*faults, limit)

    assert [(each["type"], each["name"]) for each in found] == [
        ("FaultInjection", "mine"),
        ("FaultInjection", "any"),
        ("RateLimit", "l"),
    ]
    assert all([at["type"] for at in each["envoy"]] == ["listener"] for each in found)


def test_a_permission_counts_for_an_inbound_unless_a_newer_one_does() -> None:
    own = mesh_of_zones()
    permission = older("TrafficPermission", "p", to="web")
    (counts,) = of_inbound(own, permission)
    assert [each["type"] for each in counts["envoy"]] == ["listener"]

    newer = policy("MeshTrafficPermission", from_=to_mesh(action="Deny"))
    (told,) = of_inbound(own, permission, newer)
    assert told["envoy"] == []


def test_a_permission_is_told_of_a_service_outside_of_the_mesh() -> None:
    permission = older("TrafficPermission", "p", to="out")
    documents = (ROUTE_ALL, external("out", "out.example:80"), permission)
    (place,) = answer(*documents, outbound="out")["outbounds"]
    found = {each["type"]: each for each in place["older"]}["TrafficPermission"]

    assert (found["name"], found["service"]) == ("p", "out")
    assert {"type": "cluster", "name": "out"} in found["envoy"]


def test_policies_for_whole_proxies_are_told_of_the_proxy() -> None:
    selectors = [{"match": {"kuma.io/service": "*"}}]
    zipkin = {"name": "z", "type": "zipkin", "conf": {"url": "http://zipkin:9411/api/v2/spans"}}
    own = mesh(tracing={"defaultBackend": "z", "backends": [zipkin]})
    trace = {"type": "TrafficTrace", "mesh": "m", "name": "t", "selectors": selectors}
    secret = {"name": "x", "resource": "password: hidden"}
    template = {
        "type": "ProxyTemplate",
        "mesh": "m",
        "name": "own",
        "selectors": selectors,
        "conf": {"imports": ["default-proxy"], "resources": [secret]},
    }
    found = answer(own, trace, template)["olderOfProxy"]

    assert [(each["type"], each["name"]) for each in found] == [
        ("TrafficTrace", "t"),
        ("ProxyTemplate", "own"),
    ]
    assert {"type": "cluster", "name": "tracing:z"} in found[0]["envoy"]
    assert found[1]["settings"] == []
