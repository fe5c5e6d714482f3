"""Instances in other zones (docs/wire/envoy-names.md#endpoints)."""

from __future__ import annotations

from typing import Any

import pytest

from support.specs.sidecars import instance, outbound, told, web
from support.specs.transparent_proxies import Json, mesh_of_zones

CALLER = web(to=(outbound(10001, "pay"),))


def available(zone: str, instances: int = 2, of_mesh: str = "m", protocol: str = "http") -> Json:
    tags = {"kuma.io/service": "pay", "kuma.io/protocol": protocol, "kuma.io/zone": zone}
    return {"mesh": of_mesh, "instances": instances, "tags": tags}


def ingress(
    zone: str, *services: Json, address: str = "198.51.100.1", **networking: object
) -> Json:
    own = {"address": "10.9.0.1", "port": 10001}
    advertised = {"advertisedAddress": address, "advertisedPort": 10002}
    return {
        "type": "ZoneIngress",
        "name": f"{zone}-{address}",
        "zone": zone,
        "networking": {**own, **advertised, **networking},
        "availableServices": list(services),
    }


EGRESS = {
    "type": "ZoneEgress",
    "name": "out",
    "zone": "default",
    "networking": {"address": "10.8.0.1", "port": 10003},
}


def localities(*documents: Json) -> list[tuple[str, int, list[tuple[str, int]]]]:
    """Zone, priority, and the address and weight of each endpoint."""
    found: Any = told(*documents).endpoints["pay"].get("endpoints", [])
    return [
        (
            each["locality"]["zone"],
            each.get("priority", 0),
            [
                (
                    one["endpoint"]["address"]["socketAddress"]["address"],
                    one["loadBalancingWeight"],
                )
                for one in each["lbEndpoints"]
            ],
        )
        for each in found
    ]


HERE = instance("pay", "http")
WEST = ingress("west", available("west"))
NORTH = ingress("north", available("north", 3), address="198.51.100.2")


def test_the_instances_of_another_zone_are_its_ingress_which_weighs_as_many() -> None:
    assert localities(mesh_of_zones(), CALLER, HERE, WEST) == [
        ("default", 0, [("10.0.0.2", 1)]),
        ("west", 0, [("198.51.100.1", 2)]),
    ]


def test_own_instances_count_once_for_each_ingress() -> None:
    assert localities(mesh_of_zones(), CALLER, HERE, WEST, NORTH) == [
        ("default", 0, [("10.0.0.2", 2)]),
        ("north", 0, [("198.51.100.2", 3)]),
        ("west", 0, [("198.51.100.1", 2)]),
    ]


def test_ingresses_at_one_address_are_one() -> None:
    again = ingress("north", available("north", 3))
    assert localities(mesh_of_zones(), CALLER, HERE, again, WEST) == [
        ("default", 0, [("10.0.0.2", 1)]),
        ("north", 0, [("198.51.100.1", 3)]),
    ]


@pytest.mark.parametrize(
    "other",
    [
        ingress("default", available("default")),
        ingress("", available("west")),
        ingress("west", available("west"), advertisedAddress="", advertisedPort=0),
        ingress("west", available("west", of_mesh="other")),
    ],
)
def test_an_ingress_that_leads_to_nothing_in_another_zone_does_not_count(other: Json) -> None:
    assert localities(mesh_of_zones(), CALLER, HERE, other) == [("default", 0, [("10.0.0.2", 1)])]


def test_an_ingress_that_has_nothing_yet_does_not_stand_for_those_at_its_address() -> None:
    empty = ingress("east")
    found = localities(mesh_of_zones(), CALLER, HERE, empty, WEST)
    assert [zone for zone, *_ in found] == ["default", "west"]


def test_without_mtls_there_is_no_way_to_another_zone() -> None:
    plain = {"type": "Mesh", "name": "m", "skipCreatingInitialPolicies": ["*"]}
    assert localities(plain, CALLER, HERE, WEST) == [("default", 0, [("10.0.0.2", 1)])]


def test_a_mesh_that_is_aware_of_localities_prefers_its_own_zone() -> None:
    aware = mesh_of_zones(localityAwareLoadBalancing=True)
    assert [each[:2] for each in localities(aware, CALLER, HERE, WEST)] == [
        ("default", 0),
        ("west", 1),
    ]


def test_traffic_to_other_zones_leaves_by_the_egress_where_the_mesh_says_so() -> None:
    through = mesh_of_zones(zoneEgress=True)
    assert localities(through, CALLER, HERE, WEST, EGRESS) == [
        ("default", 0, [("10.0.0.2", 1)]),
        ("west", 0, [("10.8.0.1", 1)]),
    ]
    assert localities(through, CALLER, HERE, WEST) == [("default", 0, [("10.0.0.2", 1)])]


def test_the_protocol_of_a_service_is_that_of_its_instances_in_all_zones() -> None:
    def filter_of(*others: Json) -> str:
        found = told(mesh_of_zones(), CALLER, *others).filter("outbound:127.0.0.1:10001")
        return str(found["@type"]).rpartition(".")[2]

    assert filter_of(WEST) == "HttpConnectionManager"
    assert filter_of(HERE, WEST) == "HttpConnectionManager"
    assert filter_of(HERE, ingress("west", available("west", protocol="tcp"))) == "TcpProxy"
