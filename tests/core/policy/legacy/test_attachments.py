"""Where policies meet a proxy, and its rules by what they hold for.

Source: docs/wire/inspection.md#older-paths
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from kong_mesh_cp.core.policy.legacy.attachments import (
    Attachment,
    LegacyView,
    PolicyName,
    attachments,
    inbound_name,
    legacy_attachments,
    outbound_name,
)
from kong_mesh_cp.core.policy.legacy.gateway_attachments import (
    attached_to_gateway,
    gateway_attachments,
)
from kong_mesh_cp.core.policy.legacy.selectors import LegacyPolicy
from kong_mesh_cp.core.policy.rules.matched import MeshView
from kong_mesh_cp.core.policy.rules.mesh_resources import proxy_of
from kong_mesh_cp.core.policy.rules.proxies import Proxy
from kong_mesh_cp.core.policy.rules.subsets import Tags
from kong_mesh_cp.core.policy.target_ref import WHOLE_MESH
from kong_mesh_cp.core.policy.views.rule_attachments import cluster_name
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane, Inbound, Networking, Outbound
from kong_mesh_cp.core.resources.kinds.legacy.traffic_route import TrafficRoute
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.kinds.mesh_gateway_route import MeshGatewayRoute
from kong_mesh_cp.core.resources.meta import Resource
from kong_mesh_cp.core.schema.messages import read_message
from support.specs.policies import policy, target

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
ANY = {"kuma.io/service": "*"}
INBOUND = Attachment("inbound", "192.168.0.1:80:8080", "web")
TO_REDIS = Attachment("outbound", "127.0.0.1:10001", "redis")
WHOLE = Attachment("dataplane")


def _service(name: str) -> dict[str, str]:
    return {"kuma.io/service": name}


def _legacy(
    type_name: str, name: str = "p", source: Tags = ANY, destination: Tags = ANY
) -> LegacyPolicy:
    if type_name in {"TrafficTrace", "ProxyTemplate"}:
        return LegacyPolicy(type_name, name, AT, selectors=(source,))
    return LegacyPolicy(type_name, name, AT, (source,), (destination,))


WEB: Any = read_message(
    Dataplane,
    {
        "networking": {
            "address": "192.168.0.1",
            "inbound": [{"port": 80, "servicePort": 8080, "tags": _service("web")}],
            "outbound": [
                {"port": 10001, "tags": _service("redis")},
                {"port": 10002, "address": "240.0.0.1", "tags": _service("db")},
                {"port": 10003, "backendRef": {"kind": "MeshService", "name": "mail"}},
            ],
        }
    },
)
EDGE = read_message(
    Dataplane,
    {"networking": {"gateway": {"type": "BUILTIN", "tags": _service("edge")}}},
)


def _attached(*policies: LegacyPolicy, **routes: object) -> dict[Attachment, list[PolicyName]]:
    view = LegacyView(
        policies, {name: read_message(TrafficRoute, each) for name, each in routes.items()}
    )
    return {place: list(names) for place, names in legacy_attachments(WEB, view).items()}


def test_policies_about_who_may_come_in_are_attached_to_inbounds() -> None:
    for type_name in ("TrafficPermission", "FaultInjection"):
        assert _attached(_legacy(type_name)) == {INBOUND: [PolicyName(type_name, "p")]}


def test_a_rate_limit_holds_for_what_comes_in_and_what_goes_out() -> None:
    found = _attached(_legacy("RateLimit", destination=_service("redis")))
    assert found == {TO_REDIS: [PolicyName("RateLimit", "p")]}
    assert set(_attached(_legacy("RateLimit"))) == {
        INBOUND,
        TO_REDIS,
        Attachment("outbound", "240.0.0.1:10002", "db"),
    }


def test_timeouts_and_routes_are_attached_to_outbounds() -> None:
    assert _attached(_legacy("Timeout", destination=_service("redis"))) == {
        TO_REDIS: [PolicyName("Timeout", "p")]
    }
    found = _attached(_legacy("TrafficRoute", "r", destination=_service("db")), r={})
    assert found == {
        Attachment("outbound", "240.0.0.1:10002", "db"): [PolicyName("TrafficRoute", "r")]
    }


def test_policies_about_a_service_are_attached_to_the_services_called() -> None:
    for type_name in ("HealthCheck", "CircuitBreaker", "Retry"):
        name = [PolicyName(type_name, "p")]
        assert _attached(_legacy(type_name)) == {
            Attachment("service", "redis", "redis"): name,
            Attachment("service", "db", "db"): name,
        }


def test_where_a_route_leads_is_what_is_called() -> None:
    route = _legacy("TrafficRoute", "r", destination=_service("db"))
    found = _attached(route, _legacy("Retry"), r={"conf": {"destination": _service("db-replica")}})
    services = {place.name for place in found if place.type == "service"}
    assert services == {"redis", "db-replica"}


def test_logs_are_also_of_what_passes_through() -> None:
    found = _attached(_legacy("TrafficLog"))
    assert {place.name for place in found} == {"redis", "db", "pass_through"}


def test_traces_and_templates_are_attached_to_the_whole_proxy() -> None:
    found = _attached(_legacy("TrafficTrace"), _legacy("ProxyTemplate", "t", _service("web")))
    assert found == {WHOLE: [PolicyName("TrafficTrace", "p"), PolicyName("ProxyTemplate", "t")]}
    assert _attached(_legacy("ProxyTemplate", source=_service("api"))) == {}


def test_policies_with_a_target_are_attached_to_the_whole_proxy_and_come_first() -> None:
    selected = policy(name="here", about=WHOLE_MESH)
    elsewhere = policy(name="elsewhere", about=target("MeshService", "api"))
    view = MeshView(policies=(selected, elsewhere))
    legacy = LegacyView((_legacy("TrafficTrace"), _legacy("TrafficPermission")))
    found = attachments(_proxy(), WEB, view, legacy)
    assert list(found) == [WHOLE, INBOUND]
    assert found[WHOLE] == [
        PolicyName("TrafficTrace", "p"),
        PolicyName(selected.meta.type, "here"),
    ]


def _proxy() -> Proxy:
    dataplane = Resource(
        type="Dataplane",
        mesh="default",
        name="web-1",
        labels={},
        spec=WEB,
        created_at=AT,
        modified_at=AT,
        version=1,
    )
    return proxy_of(dataplane)


def test_places_are_named_by_address_and_port() -> None:
    networking = Networking(address="10.0.0.1")
    assert inbound_name(networking, Inbound(port=80)) == "10.0.0.1:80:80"
    assert inbound_name(networking, Inbound(port=80, address="10.0.0.2")) == "10.0.0.2:80:80"
    assert outbound_name(Outbound(port=1, address="fd00::1")) == "[fd00::1]:1"


def test_a_cluster_with_more_tags_than_its_service_has_a_name_of_its_own() -> None:
    assert cluster_name(_service("web")) == "web"
    # As Kuma 2.10 names it in its own tests.
    tags = {"kuma.io/protocol": "http", "kuma.io/service": "web"}
    assert cluster_name(tags) == "web-e816eaf96a14245f"


GATEWAY = read_message(
    MeshGateway,
    {
        "selectors": [{"match": _service("edge")}],
        "tags": {"team": "a"},
        "conf": {
            "listeners": [
                {"port": 8080, "protocol": "HTTP", "hostname": "b.example"},
                {"port": 80, "protocol": "HTTP", "tags": {"port": "http"}},
                {"port": 90, "protocol": "TCP"},
            ]
        },
    },
)


def _route(*services: str, selector: Tags, hostnames: tuple[str, ...] = ()) -> MeshGatewayRoute:
    backends = [{"destination": _service(each)} for each in services]
    rule = {"backends": backends, "filters": [{"mirror": {"backend": backends[0]}}]}
    return read_message(
        MeshGatewayRoute,
        {
            "selectors": [{"match": dict(selector)}],
            "conf": {"http": {"hostnames": list(hostnames), "rules": [rule]}},
        },
    )


def test_a_gateway_shows_each_destination_of_its_routes_with_its_policies() -> None:
    routes = {
        "one": _route("web", "api", selector={"port": "http", "team": "a"}),
        "two": _route("web", selector=_service("edge"), hostnames=("c.example", "a.example")),
        "wild": _route("web", selector=_service("edge"), hostnames=("*.example",)),
        "other": _route("web", selector=_service("another")),
    }
    legacy = LegacyView(
        (
            _legacy("Timeout", "close", _service("edge"), _service("web")),
            _legacy("Timeout", "wide"),
            _legacy("TrafficLog", "log"),
            _legacy("TrafficTrace", "trace", _service("edge")),
        )
    )
    found = gateway_attachments(EDGE, GATEWAY, routes, legacy)
    assert found.policies == {"TrafficLog": "log", "TrafficTrace": "trace"}
    assert found.routes() == {"one", "two", "wild"}
    shown = {
        (listener.port, host.name): {
            route.route: {
                each.tags["kuma.io/service"]: each.policies["Timeout"]
                for each in route.destinations
            }
            for route in host.routes
        }
        for listener in found.listeners
        for host in listener.hosts
    }
    assert shown == {
        (80, "*"): {"one": {"api": "wide", "web": "close"}},
        (80, "a.example"): {"two": {"web": "close"}},
        (80, "c.example"): {"two": {"web": "close"}},
        (8080, "b.example"): {"wild": {"web": "close"}},
        (80, "*.example"): {"wild": {"web": "close"}},
        (90, "*"): {},
    }
    assert [(each.port, each.protocol) for each in found.listeners] == [
        (80, "HTTP"),
        (90, "TCP"),
        (8080, "HTTP"),
    ]
    assert found.names() >= {PolicyName("Timeout", "wide"), PolicyName("TrafficLog", "log")}


def test_of_a_gateway_a_policy_has_the_part_it_is_attached_to() -> None:
    routes = {"one": _route("web", "api", selector=_service("edge"))}
    legacy = LegacyView(
        (_legacy("Timeout", "t", destination=_service("api")), _legacy("TrafficLog", "log"))
    )
    found = gateway_attachments(EDGE, GATEWAY, routes, legacy)
    part = attached_to_gateway(found, PolicyName("Timeout", "t"))
    assert part is not None
    assert [each.port for each in part] == [80, 8080]
    routes_of = [route for each in part for host in each.hosts for route in host.routes]
    assert [[each.tags for each in route.destinations] for route in routes_of] == [
        [_service("api")],
        [_service("api")],
    ]
    assert attached_to_gateway(found, PolicyName("TrafficLog", "log")) == ()
    assert attached_to_gateway(found, PolicyName("Timeout", "unknown")) is None


def test_a_gateway_that_nothing_is_made_for_still_logs() -> None:
    found = gateway_attachments(EDGE, None, {}, LegacyView((_legacy("TrafficLog"),)))
    assert found.listeners == ()
    assert found.policies == {"TrafficLog": "p"}
