"""Whom in a zone a change of one of its meshes touches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.rules.policy import TRAITS, Meta
from kong_mesh_cp.core.policy.rules.specs import policy_of
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.xds.indexed_mesh import (
    IndexedMesh,
    Item,
    WorldRules,
    indexed_mesh,
    next_mesh,
)
from kong_mesh_cp.core.xds.zone_proxies.zone_reach import EVERYTHING, ZoneReached, zone_reached
from kong_mesh_cp.usecases.resources.kinds import KINDS
from support.fakes.resources import AT

RULES = WorldRules(zone="default", domain="mesh", service_port=80)
NOBODY = ZoneReached()
EGRESSES = ZoneReached(egresses=True)
Document = Mapping[str, Any]

OWN = {
    "mtls": {"enabledBackend": "ca-1", "backends": [{"name": "ca-1", "type": "builtin"}]},
    "routing": {"zoneEgress": True},
}


def item(type_name: str, name: str, document: Document, **labels: str) -> Item:
    mesh = "" if type_name in ("Mesh", "ZoneEgress", "ZoneIngress") else "shop"
    if type_name in TRAITS:
        return policy_of(Meta(type_name, mesh, name, labels), document)
    said = {"type": type_name, "mesh": mesh, "name": name, **document}
    return Resource(
        type=type_name, mesh=mesh, name=name, labels=labels, spec=KINDS[type_name].parse(said),
        created_at=AT, modified_at=AT, version=1,
    )  # fmt: skip


def dataplane(name: str, service: str, port: int = 80, **more: Any) -> Item:
    inbound = {"port": port, "tags": {"kuma.io/service": service}}
    networking = {"address": "10.0.0.1", "inbound": [inbound], **more}
    return item("Dataplane", name, {"networking": networking})


def policy(type_name: str, conf: Document, to: str = "to") -> Item:
    entry = {"targetRef": {"kind": "Mesh"}, "default": conf}
    return item(type_name, "some", {"targetRef": {"kind": "Mesh"}, to: [entry]})


def outside(port: int) -> Item:
    networking = {"address": f"mail.example:{port}"}
    tags = {"kuma.io/service": "mail"}
    return item("ExternalService", "mail", {"tags": tags, "networking": networking})


def service(port: int, **labels: str) -> Item:
    ports = [{"port": port, "targetPort": 80, "appProtocol": "tcp"}]
    spec = {"selector": {"dataplaneTags": {"kuma.io/service": "web"}}, "ports": ports}
    return item("MeshService", "web", {"spec": spec}, **labels)


GATEWAY = item(
    "MeshGateway",
    "edge",
    {
        "selectors": [{"match": {"kuma.io/service": "edge"}}],
        "conf": {"listeners": [{"port": 80, "protocol": "HTTP", "crossMesh": True}]},
    },
)


def builtin(address: str) -> Item:
    gateway = {"type": "BUILTIN", "tags": {"kuma.io/service": "edge"}}
    return item("Dataplane", "edge", {"networking": {"address": address, "gateway": gateway}})


def mesh(*items: Item, **document: Any) -> IndexedMesh:
    own = item("Mesh", "shop", document or OWN)
    assert isinstance(own, Resource)
    assert has_spec(own, Mesh)
    return indexed_mesh(own, [*items], RULES)


def change(before: IndexedMesh, *now: Item, gone: tuple[Item, ...] = ()) -> ZoneReached:
    changes: dict[ResourceKey, Item | None] = {_key(each): each for each in now}
    changes |= {_key(each): None for each in gone}
    return zone_reached(before.world, next_mesh(before, changes).world)


def _key(one: Item) -> ResourceKey:
    if isinstance(one, Resource):
        return one.key
    return ResourceKey(one.meta.type, one.meta.mesh, one.meta.name)


def test_what_is_written_again_as_it_was_touches_nobody() -> None:
    items = (dataplane("web", "web"), outside(80), service(80), policy("MeshRateLimit", {}, "from"))
    assert change(mesh(*items), *items, item("Mesh", "shop", OWN)) == NOBODY
    assert not NOBODY


def test_what_only_sidecars_look_at_touches_no_proxy_of_the_zone() -> None:
    web = dataplane("web", "web")
    calling = dataplane("web", "web", outbound=[{"port": 1, "tags": {"kuma.io/service": "db"}}])

    assert change(mesh(web), calling) == NOBODY
    assert change(mesh(web), policy("MeshTimeout", {"connectionTimeout": "1s"})) == NOBODY
    assert change(mesh(web), item("ServiceInsight", "all-services-shop", {})) == NOBODY


def test_instances_that_come_are_endpoints_of_ingresses_and_are_offered() -> None:
    found = change(mesh(dataplane("a", "web")), dataplane("b", "web"))

    assert found == ZoneReached(endpoints=frozenset({"shop:web"}), is_offered=True)


def test_with_a_mesh_service_its_ports_have_them_too() -> None:
    port = DestinationId("MeshService", "shop", "", "", "web", "80")
    found = change(mesh(dataplane("a", "web"), service(80)), dataplane("b", "web"))

    assert found.endpoints == {"shop:web", port}
    assert not found.ingresses


@pytest.mark.parametrize(
    ("type_name", "conf", "to"),
    [
        ("MeshTrafficPermission", {"action": "Allow"}, "from"),
        ("MeshFaultInjection", {"http": []}, "from"),
        ("MeshRateLimit", {"local": {}}, "from"),
        ("MeshLoadBalancingStrategy", {"loadBalancer": {"type": "Random"}}, "to"),
        ("MeshHealthCheck", {"interval": "1s"}, "to"),
        ("MeshCircuitBreaker", {"connectionLimits": {"maxConnections": 1}}, "to"),
    ],
)
def test_policies_that_an_egress_applies_touch_egresses(
    type_name: str, conf: Document, to: str
) -> None:
    assert change(mesh(), policy(type_name, conf, to)) == EGRESSES
    assert change(mesh(policy(type_name, conf, to)), policy(type_name, {}, to)) == EGRESSES


def test_without_mtls_an_egress_does_nothing_for_a_mesh() -> None:
    open_mesh = mesh(outside(80), routing={"zoneEgress": True})

    assert not change(open_mesh, outside(81)).egresses
    assert change(open_mesh, item("Mesh", "shop", OWN)).egresses


def test_a_service_outside_touches_egresses_and_is_offered() -> None:
    assert change(mesh(outside(80)), outside(81)) == ZoneReached(egresses=True, is_offered=True)
    assert change(mesh(outside(80)), gone=(outside(80),)).egresses


def test_with_an_egress_services_outside_are_behind_it_for_ingresses() -> None:
    place = item("ZoneEgress", "egress", {"networking": {"address": "10.6.0.1", "port": 10002}})

    assert change(mesh(outside(80)), place).ingresses
    assert not change(mesh(), place).ingresses


def test_ways_by_tags_touch_all() -> None:
    route = {"kind": "MeshServiceSubset", "name": "web", "tags": {"version": "v1"}}
    to = [{"targetRef": route, "rules": [{"default": {}}]}]
    found = change(mesh(), item("MeshTCPRoute", "r", {"targetRef": {"kind": "Mesh"}, "to": to}))

    assert found == ZoneReached(egresses=True, ingresses=True)


def test_a_mesh_service_with_another_port_is_asked_for_by_another_name() -> None:
    assert change(mesh(service(80)), service(81)).ingresses
    assert change(mesh(service(80)), service(80, team="red")) == NOBODY


def test_a_gateway_of_all_meshes_that_moves_touches_ingresses() -> None:
    before = mesh(GATEWAY, builtin("10.3.0.1"))

    assert change(before, builtin("10.3.0.2")) == ZoneReached(ingresses=True, is_offered=True)
    assert change(before, gone=(GATEWAY,)).ingresses


def test_a_mesh_that_comes_or_goes_touches_all() -> None:
    world = mesh().world

    assert zone_reached(None, world) == zone_reached(world, None) == EVERYTHING


def test_the_same_mesh_made_from_scratch_touches_nobody() -> None:
    items = (dataplane("a", "web"), service(80), outside(80), GATEWAY, builtin("10.3.0.1"))

    assert zone_reached(mesh(*items).world, mesh(*items).world) == NOBODY
