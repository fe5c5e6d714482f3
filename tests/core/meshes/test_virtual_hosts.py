"""Which names a mesh has (docs/wire/virtual-addresses.md#names)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kong_mesh_cp.core.meshes.virtual_addresses import HostKind
from kong_mesh_cp.core.meshes.virtual_hosts import (
    CONFLICTS_MAX,
    ExternalHost,
    NamedGateway,
    Names,
    NameSources,
    NamingRule,
    external_host,
    inbound_tags,
    named_gateways,
    names,
    remote_tags,
)
from kong_mesh_cp.usecases.resources.kinds import KINDS

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
META = {"mesh": "m", "name": "n"}


def spec(type_name: str, **members: Any) -> Any:
    return KINDS[type_name].parse({"type": type_name, **META, **members})


def rule(
    name: str, host: str, port: str = "80", *, match: Mapping[str, str] | None = None, day: int = 0
) -> NamingRule:
    found = spec(
        "VirtualOutbound",
        selectors=[{"match": dict(match or {"kuma.io/service": "*"})}],
        conf={
            "host": host,
            "port": port,
            "parameters": [
                {"name": "service", "tagKey": "kuma.io/service"},
                {"name": "port"},
                {"name": "version"},
            ],
        },
    )
    return NamingRule(name, FIRST + timedelta(days=day), found)


def of(*tags: Mapping[str, str], rules: list[NamingRule] | None = None) -> Names:
    return names(NameSources(inbounds=tags, rules=rules or []), service_names=False)


def service(name: str, **more: str) -> dict[str, str]:
    return {"kuma.io/service": name, **more}


def shown(found: Names) -> dict[str, list[tuple[int, dict[str, str], str]]]:
    return {
        f"{host.kind.name} {host.name}": [(one.port, dict(one.tags), one.origin) for one in ports]
        for host, ports in found.hosts.items()
    }


def test_each_service_of_the_mesh_has_a_name() -> None:
    sources = NameSources(inbounds=[service("web"), service("web", version="2")])
    assert shown(names(sources, service_names=True)) == {
        "SERVICE web": [(0, service("web"), "service")]
    }
    assert shown(names(sources, service_names=False)) == {}


def test_an_inbound_that_is_ignored_or_offers_nothing_names_nothing() -> None:
    dataplane = spec(
        "Dataplane",
        networking={
            "address": "10.0.0.1",
            "inbound": [
                {"port": 80, "tags": service("web")},
                {"port": 81, "tags": service("down"), "state": "NotReady"},
                {"port": 82, "tags": service("ignored"), "state": "Ignored"},
                {"port": 49151, "tags": service("none")},
            ],
        },
    )
    assert [each["kuma.io/service"] for each in inbound_tags(dataplane)] == ["web", "down"]


def test_services_behind_an_ingress_of_another_zone_have_names_in_their_mesh() -> None:
    ingress = spec(
        "ZoneIngress",
        zone="east",
        networking={"address": "10.0.0.1", "port": 10001},
        availableServices=[{"mesh": "m", "tags": service("far")}],
    )
    assert remote_tags(ingress, "west") == (("m", service("far")),)
    assert remote_tags(ingress, "east") == ()


def test_an_external_service_is_called_by_its_service_and_by_its_host() -> None:
    external = external_host(
        "es", spec("ExternalService", networking={"address": "db.example:5432"}, tags=service("db"))
    )
    assert shown(names(NameSources(external=[external]), service_names=True)) == {
        "SERVICE db": [(5432, service("db"), "service")],
        "HOST db.example": [(5432, service("db"), "external-service:es")],
    }


def test_the_host_of_an_external_service_is_no_name_where_it_says_so() -> None:
    networking = {"address": "db.example:5432", "disableHostDNSEntry": True}
    external = external_host(
        "es", spec("ExternalService", networking=networking, tags=service("db"))
    )
    assert shown(names(NameSources(external=[external]), service_names=False)) == {}


def test_a_host_of_two_external_services_on_one_port_is_that_of_the_first_by_name() -> None:
    external = [
        ExternalHost(name, service=name, host="db.example", port=5432, has_name=True)
        for name in ("a", "b")
    ]
    found = names(NameSources(external=external), service_names=False)
    assert shown(found) == {"HOST db.example": [(5432, service("a"), "external-service:a")]}
    assert found.conflicts == (
        "port 5432 of db.example for external-service:b is taken by external-service:a",
    )


def test_a_virtual_outbound_names_what_it_selects_by_its_tags() -> None:
    rules = [rule("v", "{{.service}}-{{ .version }}.x", match={"version": "*"})]
    assert shown(of(service("web", version="1"), service("api"), rules=rules)) == {
        "FULL_NAME web-1.x": [(80, service("web", version="1"), "virtual-outbound:v")]
    }


def test_ports_of_one_name_come_from_the_tags_too_and_are_sorted() -> None:
    rules = [rule("v", "{{.service}}.x", "{{.port}}")]
    found = of(service("web", port="9000"), service("web", port="8000"), rules=rules)
    assert [each[0] for each in shown(found)["FULL_NAME web.x"]] == [8000, 9000]


@pytest.mark.parametrize(
    ("host", "port", "what"),
    [
        ("{{.version}}.x", "80", "host"),
        ("-.x", "80", "host"),
        ("a.x", "{{.version}}", "port"),
        ("a.x", "0", "port"),
        ("a.x", "65536", "port"),
        ("a.x", "9" * 30, "port"),
    ],
)
def test_what_is_no_host_or_no_port_is_left_out_and_told(host: str, port: str, what: str) -> None:
    found = of(service("web"), rules=[rule("v", host, port)])
    assert shown(found) == {}
    assert found.conflicts == (f"virtual-outbound:v makes no {what} for web",)


@pytest.mark.parametrize(
    ("rules", "winner"),
    [
        (
            [rule("few", "a.x"), rule("more", "a.x", match={"kuma.io/service": "*", "t": "*"})],
            "more",
        ),
        (
            [rule("any", "a.x"), rule("exact", "a.x", match={"kuma.io/service": "web"})],
            "exact",
        ),
        ([rule("older", "a.x"), rule("younger", "a.x", day=1)], "younger"),
        ([rule("a", "a.x"), rule("b", "a.x")], "a"),
        # A selector that does not fit gives no rank.
        ([rule("a", "a.x", day=1), rule("z", "a.x", match={"no": "1", "way": "2"})], "a"),
    ],
)
def test_the_more_specific_virtual_outbound_has_a_name_that_two_make(
    rules: list[NamingRule], winner: str
) -> None:
    for order in (rules, rules[::-1]):
        in_order = sorted(order, key=lambda each: each.resource)
        found = of(service("web", t="1"), rules=in_order)
        ((_, _, origin),) = shown(found)["FULL_NAME a.x"]
        assert origin == f"virtual-outbound:{winner}"


def test_external_services_are_named_by_virtual_outbounds_by_their_service_alone() -> None:
    external = ExternalHost("es", service="db", host="h", port=1, has_name=False)
    sources = NameSources(external=[external], rules=[rule("v", "{{.service}}.x")])
    assert shown(names(sources, service_names=False)) == {
        "FULL_NAME db.x": [(80, service("db"), "virtual-outbound:v")]
    }


def test_a_listener_across_meshes_has_its_host_as_name_in_every_mesh() -> None:
    gateway = spec(
        "MeshGateway",
        selectors=[{"match": service("edge")}],
        tags={"a": "1"},
        conf={
            "listeners": [
                {"port": 80, "protocol": "HTTP", "hostname": "x.mesh", "crossMesh": True},
                {"port": 81, "protocol": "HTTP", "hostname": "*.y", "crossMesh": True},
                {"port": 82, "protocol": "HTTP", "hostname": "no.mesh"},
            ]
        },
    )
    tags = {"a": "1", "kuma.io/mesh": "other", "kuma.io/service": "edge"}
    listeners = named_gateways("other", "gw", gateway, "mesh")
    assert listeners == (
        NamedGateway("x.mesh", 80, tags, "mesh-gateway:other:gw:x.mesh"),
        NamedGateway(
            "internal.gw.other.mesh", 81, tags, "mesh-gateway:other:gw:internal.gw.other.mesh"
        ),
    )
    found = names(NameSources(gateways=listeners), service_names=False)
    assert [each.name for each in found.hosts if each.kind is HostKind.FULL_NAME] == [
        "internal.gw.other.mesh",
        "x.mesh",
    ]


def test_conflicts_are_told_up_to_a_bound() -> None:
    rules = [rule("a", "{{.service}}.x"), rule("b", "{{.service}}.x")]
    services = [service(f"s{number}") for number in range(2 * CONFLICTS_MAX)]
    assert len(of(*services, rules=rules).conflicts) == CONFLICTS_MAX
