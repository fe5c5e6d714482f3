"""Names of services that are resources (docs/wire/service-resources.md#destinations)."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.xds.services.known_services import ServiceResources, service_resources
from kong_mesh_cp.core.xds.services.service_resources import ServiceResource, service_resource
from support.specs.service_documents import external, mesh_service, multi_zone
from support.suites.recorded_proxies import resource_of

Json = dict[str, Any]
OWN = {"kuma.io/zone": "default", "kuma.io/origin": "zone"}
SYNCED = {"kuma.io/zone": "east", "kuma.io/origin": "global", "kuma.io/display-name": "pay"}


def read(document: Json) -> ServiceResource:
    found = service_resource(resource_of(document, None))
    assert found is not None
    return found


def all_of(*documents: Json) -> ServiceResources:
    by_type: dict[str, dict[str, Any]] = {}
    for document in documents:
        resource = resource_of(document, None)
        by_type.setdefault(resource.type, {})[resource.name] = resource
    return service_resources(by_type)


@pytest.mark.parametrize(
    ("document", "cluster"),
    [
        (mesh_service("pay"), "m_pay___msvc_80"),
        (mesh_service("pay", labels=OWN), "m_pay__default_msvc_80"),
        (mesh_service("pay-xyz", labels=SYNCED), "m_pay__east_msvc_80"),
        (
            mesh_service("pay", labels={**OWN, "k8s.kuma.io/namespace": "shop"}),
            "m_pay_shop_default_msvc_80",
        ),
        (external("stripe", labels=OWN), "m_stripe__default_extsvc_80"),
        (multi_zone("all"), "m_all___mzsvc_80"),
    ],
)
def test_a_cluster_is_named_by_all_that_tells_the_service_apart(
    document: Json, cluster: str
) -> None:
    assert read(document).cluster(80) == cluster


@pytest.mark.parametrize(
    ("document", "name", "suffix"),
    [
        (mesh_service("pay-xyz", labels=OWN), "pay-xyz", "ms"),
        (mesh_service("pay-xyz", labels=SYNCED), "pay", "ms"),
        (
            mesh_service("pay-xyz", labels={**SYNCED, "k8s.kuma.io/namespace": "ns"}),
            "pay.ns",
            "ms",
        ),
        (mesh_service("pay", labels={**OWN, "k8s.kuma.io/namespace": "ns"}), "pay.ns", "ms"),
        (mesh_service("pay", labels={"k8s.kuma.io/namespace": "ns"}), "pay", "ms"),
        (external("stripe"), "stripe", "mes"),
        (multi_zone("all"), "all", "mzms"),
    ],
)
def test_the_server_name_is_the_one_that_the_other_side_knows(
    document: Json, name: str, suffix: str
) -> None:
    head, _, rest = read(document).server_name(80).partition(".")
    assert rest == f"{name}.80.m.{suffix}"
    assert head.startswith("a")
    assert int(head[1:], 16) < 2**64


def test_the_hash_in_a_server_name_is_the_one_of_other_control_planes() -> None:
    found = read(external("stripe") | {"mesh": "shop"}).server_name(80)
    assert found == "aa89573331169c0b6.stripe.80.shop.mes"
    # Of one that begins with a zero, too.
    document = mesh_service("web-admin") | {"mesh": "shop"}
    assert read(document).server_name(8081) == "a0dc65b3e337c3805.web-admin.8081.shop.ms"


def test_parts_of_a_server_name_are_labels_of_dns() -> None:
    long = "x" * 63
    assert read(mesh_service(long)).server_name(80).split(".")[1] == "x" * 62 + "x"
    assert read(mesh_service("y" * 62)).server_name(80).split(".")[1] == "y" * 62


def test_a_port_is_found_by_its_name_and_by_its_number() -> None:
    ports: list[dict[str, Any]] = [{"port": 80, "name": "main"}, {"port": 81}]
    found = read(mesh_service("pay", ports=ports))
    assert [found.port(each) for each in ("main", "80")] == [found.ports[0]] * 2
    assert found.port("81") == found.ports[1]
    assert found.port("") == found.ports[1]  # without a section: the first that has no name
    assert found.port("82") is None


def test_an_external_service_has_one_port_whatever_is_asked_for() -> None:
    found = read(external("stripe"))
    assert found.port("") == found.port("443") == found.ports[0]


def test_what_no_proxy_is_told_makes_no_other_service() -> None:
    status = {"dataplaneProxies": {"total": 1}}
    assert read(mesh_service("pay")) == read(mesh_service("pay", status=status))


def test_labels_choose_the_oldest_of_all_that_carry_them() -> None:
    labels = {"team": "red"}
    found = all_of(mesh_service("b", labels=labels), mesh_service("a", labels=labels))
    oldest = found.oldest("MeshService", labels)
    assert oldest is not None
    assert oldest.name == "a"  # of one moment the first by name
    assert [each.name for each in found.by_labels("MeshService", labels)] == ["a", "b"]
    assert found.oldest("MeshService", {"team": "blue"}) is None
    assert found.oldest("MeshService", {}) is None
    assert found.oldest("MeshExternalService", labels) is None


def test_of_two_that_are_the_same_service_the_last_one_counts() -> None:
    copy = mesh_service("pay-2", labels={"kuma.io/display-name": "pay"})
    found = all_of(mesh_service("pay"), copy)
    assert [each.name for each in found.of_type("MeshService")] == ["pay-2"]
    one = found.find(read(copy).id)
    assert one is not None
    assert one.name == "pay-2"
