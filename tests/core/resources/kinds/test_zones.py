"""Zones, the proxies between them, and secrets."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.resources.kinds.secret import Secret
from kong_mesh_cp.core.resources.kinds.zone import Zone
from kong_mesh_cp.core.resources.kinds.zone_proxies import ZoneEgress, ZoneIngress
from kong_mesh_cp.core.schema.messages import read_message
from support.specs.kinds import SERVICE, Found, found, shown

PORT = "port must be in the range [1, 65535]"


def test_an_ingress_with_everything_is_valid_and_shown_as_it_was() -> None:
    body = {
        "zone": "east",
        "networking": {
            "address": "192.168.0.1",
            "advertisedAddress": "10.0.0.1",
            "port": 10001,
            "advertisedPort": 1234,
            "admin": {"port": 9901},
        },
        "availableServices": [
            {"tags": SERVICE, "instances": 2, "mesh": "m", "externalService": True}
        ],
    }
    assert found("ZoneIngress", body) == []
    assert shown("ZoneIngress", body) == body


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"port": 0}, [("networking.port", PORT)]),
        (
            {"advertisedPort": 1},
            [("networking.advertisedAddress", "has to be defined with advertisedPort")],
        ),
        (
            {"advertisedAddress": "a.b"},
            [("networking.advertisedPort", "has to be defined with advertisedAddress")],
        ),
        (
            {"advertisedAddress": "a.b", "advertisedPort": 65536},
            [("networking.advertisedPort", PORT)],
        ),
        (
            {"address": "::"},
            [("networking.address.address", "must not be 0.0.0.0 or ::")],
        ),
        (
            {"advertisedAddress": "-", "advertisedPort": 1},
            [
                (
                    "networking.advertisedAddress.address",
                    "address has to be valid IP address or domain name",
                )
            ],
        ),
        (
            {"address": "127.0.0.1", "admin": {"port": 80}},
            [("networking.admin.port", "must differ from port")],
        ),
        ({"address": "10.0.0.1", "admin": {"port": 80}}, []),
    ],
)
def test_the_networking_of_an_ingress(change: dict[str, Any], expected: Found) -> None:
    assert found("ZoneIngress", {"networking": {"port": 80} | change}) == expected


def test_an_available_service_has_a_name() -> None:
    body = {"networking": {"port": 80}, "availableServices": [{"tags": {"a": "b"}}]}
    assert found("ZoneIngress", body) == [
        ("availableService[0].tags", 'mandatory tag "kuma.io/service" is missing')
    ]


def test_an_egress_with_everything_is_valid_and_shown_as_it_was() -> None:
    networking = {"address": "192.168.0.1", "port": 10001, "admin": {"port": 9901}}
    body = {"zone": "east", "networking": networking}
    assert found("ZoneEgress", body) == []
    assert shown("ZoneEgress", body) == body


@pytest.mark.parametrize(
    ("networking", "expected"),
    [
        (None, [("networking.port", PORT)]),
        (
            {"port": 80, "address": "0.0.0.0", "admin": {"port": 80}},
            [
                ("networking.admin.port", "must differ from port"),
                ("networking.address.address", "must not be 0.0.0.0 or ::"),
            ],
        ),
    ],
)
def test_the_networking_of_an_egress(networking: object, expected: Found) -> None:
    assert found("ZoneEgress", {"networking": networking}) == expected


def test_zone_proxies_know_their_label() -> None:
    assert ZoneIngress().proxy_type == "zoneingress"
    assert ZoneEgress().proxy_type == "zoneegress"


@pytest.mark.parametrize(
    ("body", "enabled"), [({}, True), ({"enabled": True}, True), ({"enabled": False}, False)]
)
def test_a_zone_is_enabled_unless_it_is_not(body: dict[str, Any], enabled: bool) -> None:
    assert read_message(Zone, body).is_enabled is enabled
    assert shown("Zone", body) == body
    assert found("Zone", body) == []


@pytest.mark.parametrize("kind", ["Secret", "GlobalSecret"])
def test_a_secret_is_base64(kind: str) -> None:
    assert shown(kind, {"data": "dGVzdAo="}) == {"data": "dGVzdAo="}
    assert shown(kind, {"data": ""}) == {"data": ""}
    assert shown(kind, {}) == {}
    assert found(kind, {"data": "?"}) == [("", "illegal base64 data at input byte 0")]


def test_a_secret_is_not_in_its_own_representation() -> None:
    assert "test" not in repr(read_message(Secret, {"data": "dGVzdAo="}))
    assert repr(Secret()) == "Secret()"
