"""What is behind the names of a mesh (docs/wire/virtual-addresses.md#outbounds)."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.meshes.virtual_addresses import (
    HostKind,
    VirtualHost,
    VirtualPort,
    VirtualService,
)
from kong_mesh_cp.core.meshes.virtual_outbounds import VirtualDestinations, destinations, v6_form


def only(kind: HostKind, name: str, address: str, *ports: int) -> VirtualDestinations:
    tags = {"kuma.io/service": "web_1"}
    service = VirtualService(address, tuple(VirtualPort(each, tags, "o") for each in ports))
    return destinations({VirtualHost(kind, name): service}, domain="mesh", port=80)


def called(found: VirtualDestinations) -> list[tuple[str, int]]:
    return [(each.address, each.port) for each in found.outbounds]


def domains(found: VirtualDestinations) -> list[tuple[str, ...]]:
    return [each.names for each in found.domains]


def test_a_service_is_called_by_its_name_in_the_domain_and_by_one_without_underscores() -> None:
    found = only(HostKind.SERVICE, "web_1", "240.0.0.0", 0)
    assert domains(found) == [("web_1.mesh", "web.1.mesh")]
    assert called(found) == [("240.0.0.0", 80)]
    assert found.outbounds[0].tags == {"kuma.io/service": "web_1"}


def test_an_external_service_is_called_on_its_own_port_and_on_that_of_all() -> None:
    assert called(only(HostKind.SERVICE, "db", "240.0.0.0", 5432)) == [
        ("240.0.0.0", 5432),
        ("240.0.0.0", 80),
    ]
    assert called(only(HostKind.SERVICE, "db", "240.0.0.0", 80)) == [("240.0.0.0", 80)]


def test_a_service_that_is_outside_too_is_called_on_the_port_of_all_alone() -> None:
    assert called(only(HostKind.SERVICE, "db", "240.0.0.0", 0, 5432)) == [("240.0.0.0", 80)]


def test_the_host_of_an_external_service_is_called_on_its_ports_and_on_that_of_all() -> None:
    found = only(HostKind.HOST, "db.example", "240.0.0.1", 5432, 5433)
    assert domains(found) == [("db.example",)]
    assert [port for _, port in called(found)] == [5432, 5433, 80]
    assert called(only(HostKind.HOST, "db.example", "240.0.0.1", 80)) == [("240.0.0.1", 80)]


def test_a_host_that_is_an_address_has_no_name() -> None:
    found = only(HostKind.HOST, "192.0.2.1", "192.0.2.1", 5432)
    assert domains(found) == []
    assert called(found) == [("192.0.2.1", 5432)]


def test_a_full_name_is_called_on_its_ports_alone() -> None:
    found = only(HostKind.FULL_NAME, "web.pay", "240.0.0.2", 8080, 8081)
    assert domains(found) == [("web.pay",)]
    assert [port for _, port in called(found)] == [8080, 8081]


def test_a_name_without_an_address_cannot_be_called() -> None:
    assert only(HostKind.SERVICE, "web", "", 0) == VirtualDestinations((), ())


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("240.0.0.0", "::ffff:f000:0"),
        ("240.0.1.10", "::ffff:f000:10a"),
        ("10.0.0.1", "::ffff:a00:1"),
        ("fd00::1", None),
        ("web.mesh", None),
    ],
)
def test_an_ipv4_address_has_a_form_in_ipv6(address: str, form: str | None) -> None:
    assert v6_form(address) == form
