"""Outbounds to services that are resources (docs/wire/service-resources.md#outbounds)."""

from __future__ import annotations

from typing import Any

import pytest

from support.specs.service_documents import (
    calls,
    egress,
    external,
    ingress,
    mesh_service,
    multi_zone,
    part,
)
from support.specs.sidecars import Told, instance, policy, tags, told, web
from support.specs.transparent_proxies import Json, mesh, proxy

LISTENER = "outbound:127.0.0.1:10001"
PAY = "m_pay__default_msvc_80"
STRIPE = "m_stripe__default_extsvc_80"
CALLER = web(to=(calls("MeshService", "pay"),))
CALLER_OF_STRIPE = web(to=(calls("MeshExternalService", "stripe"),))
ALL = "m_all___mzsvc_80"  # of all zones
CALLER_OF_ALL = web(to=(calls("MeshMultiZoneService", "", labels={"team": "all"}),))
REMOTE = {"kuma.io/origin": "global", "kuma.io/zone": "east", "team": "red"}
AUTHORITY: Json = {"name": "ca-1", "type": "builtin"}
STRICT = mesh(mtls={"enabledBackend": "ca-1", "backends": [AUTHORITY]})
PERMISSIVE = mesh(mtls={"enabledBackend": "ca-1", "backends": [AUTHORITY | {"mode": "PERMISSIVE"}]})


def addresses(told: Told, cluster: str) -> list[tuple[str, int]]:
    return [
        (place["address"], place["portValue"])
        for locality in told.endpoints[cluster].get("endpoints", [])
        for each in locality["lbEndpoints"]
        for place in [each["endpoint"]["address"]["socketAddress"]]
    ]


def identities(told: Told, cluster: str) -> Any:
    context = told.clusters[cluster]["transportSocket"]["typedConfig"]["commonTlsContext"]
    validation = context["combinedValidationContext"]["defaultValidationContext"]
    return [each["matcher"] for each in validation["matchTypedSubjectAltNames"]]


def speaks(told: Told, cluster: str) -> set[str]:
    options = told.clusters[cluster].get("typedExtensionProtocolOptions", {})
    return {each for one in options.values() for each in one.get("explicitHttpConfig", {})}


def test_a_mesh_service_is_called_by_its_name_with_the_limits_of_resources() -> None:
    found = told(CALLER, mesh_service("pay"), instance("pay", "http"))
    listener = found.listeners[LISTENER]
    assert listener["metadata"]["filterMetadata"]["io.kuma.tags"] == {}
    manager = found.filter(LISTENER)
    assert manager["statPrefix"] == PAY
    assert manager["routeConfig"]["name"] == f"outbound:{PAY}"
    (route,) = found.routes(LISTENER)
    assert route["route"] == {"cluster": PAY, "timeout": "15s", "idleTimeout": "1800s"}
    assert addresses(found, PAY) == [("10.0.0.2", 80)]
    assert speaks(found, PAY) == {"http2ProtocolOptions"}


def test_the_protocol_is_the_ports_whatever_its_instances_say() -> None:
    service = mesh_service("pay", ports=[{"port": 80}])
    found = told(CALLER, service, instance("pay", "http"))
    assert found.filter(LISTENER)["cluster"] == PAY


@pytest.mark.parametrize(
    "ref", [calls("MeshService", "pay", 81), calls("MeshService", "none"), calls("Other", "pay")]
)
def test_what_is_not_there_has_no_listener(ref: Json) -> None:
    found = told(web(to=(ref,)), mesh_service("pay"))
    assert LISTENER not in found.listeners
    assert found.complaints == []


def test_a_name_is_one_of_the_own_zone_and_labels_are_of_any() -> None:
    other = mesh_service("pay", labels=REMOTE)
    assert LISTENER not in told(CALLER, other).listeners
    by_labels = calls("MeshService", "", labels={"team": "red"})
    found = told(web(to=(by_labels,)), other)
    assert found.filter(LISTENER)["statPrefix"] == "m_pay__east_msvc_80"


def test_a_target_port_is_a_number_or_the_name_of_an_inbound() -> None:
    other = instance("pay", "http")
    other["networking"]["inbound"] = [
        {"port": 8080, "name": "main", "tags": tags("pay")},
        {"port": 8081, "tags": tags("pay")},
    ]
    for target, expected in ((8081, 8081), ("main", 8080)):
        service = mesh_service("pay", ports=[{"port": 80, "targetPort": target}])
        assert addresses(told(CALLER, service, other), PAY) == [("10.0.0.2", expected)]


def test_a_service_is_of_proxies_by_tags_or_of_one_by_its_name() -> None:
    instances = [instance("pay", "http", 2, version="v1"), instance("pay", "http", 3)]
    both = {"kuma.io/service": "pay", "version": "v1"}
    by_tags = mesh_service("pay", selector={"dataplaneTags": both})
    assert addresses(told(CALLER, by_tags, *instances), PAY) == [("10.0.0.2", 80)]
    by_name = mesh_service("pay", selector={"dataplaneRef": {"name": "pay-3"}})
    assert addresses(told(CALLER, by_name, *instances), PAY) == [("10.0.0.3", 80)]
    nobody = mesh_service("pay", selector={})
    assert addresses(told(CALLER, nobody, *instances), PAY) == []


def test_an_instance_that_takes_no_traffic_is_no_endpoint() -> None:
    other = instance("pay", "http")
    other["networking"]["inbound"][0]["state"] = "NotReady"
    assert addresses(told(CALLER, mesh_service("pay"), other), PAY) == []


def test_the_instance_has_one_of_the_identities_of_the_service() -> None:
    named = [{"type": "ServiceTag", "value": each} for each in ("pay", "billing")]
    found = told(STRICT, CALLER, mesh_service("pay", identities=named))
    assert identities(found, PAY) == [{"exact": "spiffe://m/pay"}, {"exact": "spiffe://m/billing"}]
    found = told(STRICT, CALLER, mesh_service("pay"))
    assert identities(found, PAY) == [{"prefix": "spiffe://m/"}]
    socket = found.clusters[PAY]["transportSocket"]["typedConfig"]
    assert socket["sni"].endswith(".pay.80.m.ms")


@pytest.mark.parametrize(("status", "secured"), [("Ready", True), ("NotReady", False)])
def test_of_a_permissive_mesh_a_service_is_called_in_tls_once_it_is_ready(
    status: str, *, secured: bool
) -> None:
    service = mesh_service("pay", status={"tls": {"status": status}})
    found = told(PERMISSIVE, CALLER, service)
    assert ("transportSocket" in found.clusters[PAY]) == secured


def test_a_service_of_another_zone_is_behind_its_ingresses() -> None:
    there = mesh_service("pay", labels=REMOTE)
    caller = web(to=(calls("MeshService", "", labels={"team": "red"}),))
    found = told(STRICT, caller, there, ingress("east"), ingress("west"))
    (locality,) = found.endpoints["m_pay__east_msvc_80"]["endpoints"]
    assert locality["locality"] == {"zone": "east"}
    assert locality["priority"] == 1
    (endpoint,) = locality["lbEndpoints"]
    assert endpoint["metadata"]["filterMetadata"]["envoy.lb"] == {"kuma.io/zone": "east"}
    assert addresses(found, "m_pay__east_msvc_80") == [("192.0.2.1", 10011)]


@pytest.mark.parametrize("others", [(mesh(), ingress()), (STRICT, ingress(advertised=""))])
def test_without_mtls_or_an_advertised_address_there_is_no_way_to_another_zone(
    others: tuple[Json, ...],
) -> None:
    caller = web(to=(calls("MeshService", "", labels={"team": "red"}),))
    found = told(*others, caller, mesh_service("pay", labels=REMOTE))
    assert addresses(found, "m_pay__east_msvc_80") == []


def test_a_service_of_several_zones_has_what_its_parts_have_on_the_same_port() -> None:
    whole = multi_zone("all", part("pay"), part("pay", "east"), part("gone"))
    there = mesh_service("pay-xyz", labels=REMOTE | {"kuma.io/display-name": "pay"})
    here = [mesh_service("pay"), instance("pay", "http")]
    found = told(STRICT, CALLER_OF_ALL, whole, there, *here, ingress())
    assert addresses(found, ALL) == [("10.0.0.2", 80)]
    there["spec"]["state"] = "Available"
    found = told(STRICT, CALLER_OF_ALL, whole, there, *here, ingress())
    assert addresses(found, ALL) == [("10.0.0.2", 80), ("192.0.2.1", 10011)]


def test_a_service_of_several_zones_is_who_its_parts_are() -> None:
    one = mesh_service("pay", identities=[{"type": "ServiceTag", "value": "pay"}])
    two = mesh_service("bill", identities=[{"type": "ServiceTag", "value": "bill"}])
    found = told(STRICT, CALLER_OF_ALL, multi_zone("all", part("pay"), part("bill")), one, two)
    assert identities(found, ALL) == [
        {"exact": "spiffe://m/bill"},
        {"exact": "spiffe://m/pay"},
    ]


def test_an_external_service_is_called_through_the_egress_of_the_zone() -> None:
    found = told(STRICT, CALLER_OF_STRIPE, external("stripe"), egress(1), egress(2))
    assert addresses(found, STRIPE) == [("10.6.0.1", 10002), ("10.6.0.2", 10002)]
    assert identities(found, STRIPE) == [{"exact": "spiffe://m/zone-egress"}]
    assert speaks(found, STRIPE) == {"httpProtocolOptions"}
    manager = found.filter(LISTENER)
    assert manager["routeConfig"]["name"] == STRIPE
    (route,) = found.routes(LISTENER)
    assert route["route"]["autoHostRewrite"] is True


@pytest.mark.parametrize(
    ("protocol", "spoken"),
    [("tcp", set()), ("grpc", {"http2ProtocolOptions"}), ("http2", {"http2ProtocolOptions"})],
)
def test_the_egress_speaks_what_the_external_service_does(protocol: str, spoken: set[str]) -> None:
    service = external("stripe", protocol=protocol)
    assert speaks(told(STRICT, CALLER_OF_STRIPE, service, egress()), STRIPE) == spoken


def test_without_an_egress_nothing_is_behind_an_external_service() -> None:
    found = told(STRICT, CALLER_OF_STRIPE, external("stripe"))
    assert addresses(found, STRIPE) == []
    assert identities(found, STRIPE) == [{"prefix": "spiffe://m/"}]


def test_a_route_splits_between_services_by_tags_and_resources() -> None:
    refs = [
        {"kind": "MeshService", "name": "pay", "weight": 90},
        {"kind": "MeshService", "name": "pay", "port": 80, "weight": 9},
        {"kind": "MeshExternalService", "name": "stripe", "weight": 1},
        {"kind": "MeshService", "name": "none", "port": 80, "weight": 5},
    ]
    rule: dict[str, Any] = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}
    rule["default"] = {"backendRefs": refs}
    entry = {"targetRef": {"kind": "MeshService", "name": "pay"}, "rules": [rule]}
    route = policy("MeshHTTPRoute", targetRef={"kind": "Mesh"}, to=[entry])
    route["labels"] = {"kuma.io/zone": "default"}
    found = told(
        STRICT, CALLER, mesh_service("pay"), external("stripe"), egress(), route,
        instance("pay", "http"),
    )  # fmt: skip
    (made,) = found.routes(LISTENER)
    weights = {
        each["name"]: each["weight"] for each in made["route"]["weightedClusters"]["clusters"]
    }
    assert weights == {"pay": 90, PAY: 9, STRIPE: 1}
    assert made["route"]["autoHostRewrite"] is True
    assert {"pay", PAY, STRIPE} <= found.clusters.keys() & found.endpoints.keys()


def test_what_labels_mean_nothing_leaves_traffic_to_the_destination_itself() -> None:
    refs = [{"kind": "MeshService", "labels": {"team": "none"}, "port": 80}]
    rule: dict[str, Any] = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}
    rule["default"] = {"backendRefs": refs}
    entry = {"targetRef": {"kind": "MeshService", "name": "pay"}, "rules": [rule]}
    route = policy("MeshHTTPRoute", targetRef={"kind": "Mesh"}, to=[entry])
    found = told(CALLER, mesh_service("pay"), route)
    (made,) = found.routes(LISTENER)
    assert made["route"]["cluster"] == PAY


def timeout(section: str = "") -> Json:
    target = {"kind": "MeshService", "name": "pay"} | ({"sectionName": section} if section else {})
    entry = {"targetRef": target, "default": {"connectionTimeout": "7s"}}
    found = policy("MeshTimeout", targetRef={"kind": "Mesh"}, to=[entry])
    return found | {"labels": {"kuma.io/zone": "default"}}


def test_policies_are_matched_by_the_number_that_was_asked_for() -> None:
    named = mesh_service("pay", ports=[{"port": 80, "name": "main"}])
    unnamed = mesh_service("pay", ports=[{"port": 80}])
    for service, section, expected in (
        (named, "", "7s"),
        (unnamed, "80", "7s"),
        (named, "main", "5s"),
    ):
        found = told(CALLER, service, timeout(section))
        assert found.clusters[PAY]["connectTimeout"] == expected


def test_two_outbounds_to_one_port_are_one_cluster() -> None:
    twice = web(to=(calls("MeshService", "pay"), calls("MeshService", "pay", own=10002)))
    found = told(twice, mesh_service("pay"), proxy("pay-1", "10.0.0.2"))
    assert [each for each in found.clusters if each.startswith("m_")] == [PAY]
    assert LISTENER in found.listeners
    assert "outbound:127.0.0.1:10002" in found.listeners
