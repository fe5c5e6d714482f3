"""Whom a change touches, line by line of the table in `core/xds/reach.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.rules.policy import TRAITS, Meta
from kong_mesh_cp.core.policy.rules.specs import policy_of
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.config import Config
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.xds.indexed_mesh import (
    IndexedMesh,
    Item,
    WorldRules,
    indexed_mesh,
    next_mesh,
)
from kong_mesh_cp.core.xds.reach import Reached, reached
from kong_mesh_cp.core.xds.services.service_resources import any_of
from kong_mesh_cp.usecases.resources.kinds import KINDS
from support.fakes.resources import AT

RULES = WorldRules(zone="default", domain="mesh", service_port=80)
NOBODY = Reached()
Document = Mapping[str, Any]


def item(type_name: str, name: str, document: Document, **labels: str) -> Item:
    mesh = "" if type_name in ("Mesh", "Config", "ZoneIngress") else "default"
    if type_name in TRAITS:
        return policy_of(Meta(type_name, mesh, name, labels), document)
    spec: object = Config(config=document.get("config", ""))
    if type_name != "Config":
        spec = KINDS[type_name].parse({"type": type_name, "mesh": mesh, "name": name, **document})
    return Resource(
        type=type_name, mesh=mesh, name=name, labels=labels, spec=spec,
        created_at=AT, modified_at=AT, version=1,
    )  # fmt: skip


def dataplane(name: str, *inbounds: Document, calls: tuple[str, ...] = (), **more: Any) -> Item:
    team = more.pop("team", "red")
    outbounds = [
        {"port": 20000 + index, "tags": {"kuma.io/service": each}}
        for index, each in enumerate(calls)
    ]
    networking = {"address": "10.0.0.1", "inbound": [*inbounds], "outbound": outbounds, **more}
    return item("Dataplane", name, {"networking": networking}, team=team)


def inbound(service: str, port: int = 80, protocol: str = "http", **more: Any) -> Document:
    tags = {"kuma.io/service": service, "kuma.io/protocol": protocol, **more.pop("tags", {})}
    return {"port": port, "tags": tags, **more}


def timeout(target: Document, seconds: int = 1) -> Item:
    conf = {"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": f"{seconds}s"}}
    return item("MeshTimeout", "t", {"targetRef": target, "to": [conf]})


def transparent(**more: Any) -> Document:
    return {"redirectPortInbound": 15006, "redirectPortOutbound": 15001, **more}


WEB = dataplane("web", inbound("web", tags={"version": "v1"}), calls=("db",))
DB = dataplane("db", inbound("db"), team="blue")
CLIENT = dataplane("client", inbound("client"), calls=("web", "db"))
DIRECT = dataplane(
    "direct", inbound("direct"), transparentProxying=transparent(directAccessServices=["web"])
)
EDGE = dataplane("edge", gateway={"tags": {"kuma.io/service": "edge"}})


def mesh(*items: Item, **document: Any) -> IndexedMesh:
    own = item("Mesh", "default", document)
    assert isinstance(own, Resource)
    assert has_spec(own, Mesh)
    return indexed_mesh(own, items, RULES)


def key_of(one: Item) -> ResourceKey:
    return (
        ResourceKey(*(one.meta.type, one.meta.mesh, one.meta.name))
        if not isinstance(one, Resource)
        else one.key
    )


def change(before: IndexedMesh, *now: Item, gone: tuple[Item, ...] = ()) -> Reached:
    changes: dict[ResourceKey, Item | None] = {key_of(each): each for each in now}
    changes |= {key_of(each): None for each in gone}
    return reached(before, next_mesh(before, changes), changes.keys())


def of_proxies(*names: str, **more: Any) -> Reached:
    return Reached(proxies=frozenset(names), **more)


ALL = (WEB, DB, CLIENT)


def test_what_is_written_again_as_it_was_touches_nobody() -> None:
    assert change(mesh(*ALL), WEB, item("Mesh", "default", {})) == NOBODY
    assert not NOBODY


def test_an_endpoint_that_moves_touches_its_proxy_and_the_endpoints_of_who_uses_it() -> None:
    moved = dataplane("web", inbound("web", 81), calls=("db",))
    assert change(mesh(*ALL), moved) == of_proxies("web", endpoints=frozenset({"web"}))


def test_an_instance_that_is_not_ready_any_more_is_an_endpoint_that_goes() -> None:
    resting = dataplane("db", inbound("db", state="NotReady"), team="blue")
    before = mesh(*ALL, dataplane("db-2", inbound("db", 82)))
    assert change(before, resting) == of_proxies("db", endpoints=frozenset({"db"}))


def test_outbounds_and_labels_of_a_proxy_touch_itself_alone() -> None:
    assert change(mesh(*ALL), dataplane("client", inbound("client"))) == of_proxies("client")
    other = dataplane("db", inbound("db"), team="red")
    assert change(mesh(*ALL), other) == of_proxies("db")


def test_another_protocol_of_a_service_touches_who_calls_it() -> None:
    spoken = dataplane("web", inbound("web", protocol="tcp"), calls=("db",))
    both = frozenset({"web"})
    assert change(mesh(*ALL), spoken) == of_proxies(
        "web", "client", callers_of=both, endpoints=both
    )


def test_instances_touch_whoever_goes_to_them_directly_as_a_whole() -> None:
    moved = dataplane("web", inbound("web", 81), calls=("db",))
    found = change(mesh(*ALL, DIRECT, EDGE), moved)
    # A gateway gets the endpoints anew, as whoever else sends to them.
    assert found.proxies == {"web", "direct"}
    elsewhere = dataplane("db", inbound("db", 81), team="blue")
    assert change(mesh(*ALL, DIRECT), elsewhere).proxies == {"db"}


@pytest.mark.parametrize(
    ("target", "selected"),
    [
        ({"kind": "Mesh"}, {"web", "db", "client"}),
        ({"kind": "Mesh", "proxyTypes": ["Gateway"]}, set()),
        ({"kind": "MeshSubset", "tags": {"version": "v1"}}, {"web"}),
        ({"kind": "MeshSubset", "tags": {"version": "*"}}, {"web"}),
        ({"kind": "MeshService", "name": "db"}, {"db"}),
        ({"kind": "Dataplane", "name": "client"}, {"client"}),
        ({"kind": "Dataplane", "labels": {"team": "red"}}, {"web", "client"}),
    ],
)
def test_a_policy_touches_whom_it_selects(target: Document, selected: set[str]) -> None:
    before = mesh(*ALL)
    assert change(before, timeout(target)) == of_proxies(*selected)
    assert change(mesh(*ALL, timeout(target)), timeout(target, 2)) == of_proxies(*selected)
    assert change(mesh(*ALL, timeout(target)), gone=(timeout(target),)) == of_proxies(*selected)


def test_a_policy_with_another_target_touches_whom_it_selected_and_whom_it_selects() -> None:
    before = mesh(*ALL, timeout({"kind": "MeshService", "name": "db"}))
    assert change(before, timeout({"kind": "MeshService", "name": "web"})) == of_proxies(
        "db", "web"
    )


def test_a_route_touches_whom_policies_about_it_select() -> None:
    about = timeout({"kind": "MeshHTTPRoute", "name": "r"})
    route = item("MeshHTTPRoute", "r", {"targetRef": {"kind": "MeshService", "name": "web"}})
    # Before it was there, the policy could not tell anybody whom it is for.
    assert change(mesh(*ALL, about), route).proxies == {"web", "db", "client"}
    other = item("MeshHTTPRoute", "r", {"targetRef": {"kind": "MeshService", "name": "db"}})
    assert change(mesh(*ALL, about, route), other).proxies == {"web", "db"}


def test_the_first_and_the_last_policy_about_who_asks_touch_everybody() -> None:
    def faults(name: str) -> Item:
        spec = {"targetRef": {"kind": "MeshService", "name": "web"}, "from": []}
        return item("MeshFaultInjection", name, spec)

    # Whoever asks tells its tags from then on.
    assert change(mesh(*ALL), faults("first")) == Reached(everybody=True)
    assert change(mesh(*ALL, faults("first")), faults("second")) == of_proxies("web")
    assert change(mesh(*ALL, faults("last")), gone=(faults("last"),)) == Reached(everybody=True)


def test_tls_readiness_of_a_service_touches_who_calls_it() -> None:
    backend = {"name": "ca", "type": "builtin", "mode": "PERMISSIVE"}
    mtls = {"enabledBackend": "ca", "backends": [backend]}

    def insight(issued: int) -> Item:
        services = {"web": {"dataplanes": {"online": 1}, "issuedBackends": {"ca": issued}}}
        return item("ServiceInsight", "all-services-default", {"services": services})

    before = mesh(*ALL, insight(0), mtls=mtls)
    assert change(before, insight(1)) == of_proxies("client", callers_of=frozenset({"web"}))
    strict = mesh(*ALL, insight(0), mtls={**mtls, "backends": [{**backend, "mode": "STRICT"}]})
    assert change(strict, insight(1)) == NOBODY


def test_names_touch_transparent_proxies() -> None:
    before = mesh(*ALL, DIRECT)
    assert change(before, item("Config", "names", {"config": "{}"})) == of_proxies("direct")


@pytest.mark.parametrize(
    "now",
    [
        item("MeshGateway", "g", {"conf": {"listeners": [{"port": 80, "protocol": "HTTP"}]}}),
        item("MeshGatewayRoute", "r", {"conf": {"http": {"hostnames": ["shop.example"]}}}),
        item("Secret", "certificate", {"data": "cGVt"}),
    ],
    ids=lambda each: each.type,
)
def test_what_listeners_of_gateways_are_made_of_touches_gateways(now: Item) -> None:
    assert change(mesh(*ALL, EDGE), now) == of_proxies("edge")


@pytest.mark.parametrize(
    "now",
    [
        item("Mesh", "default", {"networking": {"outbound": {"passthrough": False}}}),
        item("ExternalService", "e", {"tags": {"kuma.io/service": "e"}}),
        item("TrafficPermission", "p", {"sources": [{"match": {"kuma.io/service": "*"}}]}),
        item("ZoneIngress", "z", {"networking": {"address": "10.0.0.9", "port": 1}}),
    ],
    ids=lambda each: each.type,
)
def test_all_else_touches_everybody(now: Item) -> None:
    assert change(mesh(*ALL), now) == Reached(everybody=True)


def test_of_a_change_nothing_is_copied_that_it_does_not_touch() -> None:
    many = [dataplane(f"dp-{number}", inbound(f"s-{number}")) for number in range(300)]
    before = mesh(*many, timeout({"kind": "Mesh"}))
    moved = dataplane("dp-7", inbound("s-7", 81))
    after = next_mesh(before, {key_of(moved): moved})

    assert after.world.policies is before.world.policies
    assert after.policies["MeshTimeout"] is before.policies["MeshTimeout"]
    assert after.by_label is before.by_label
    assert after.world.protocols is before.world.protocols
    assert after.instances["s-8"] is before.instances["s-8"]
    assert after.proxies["dp-8"] is before.proxies["dp-8"]


def service(
    name: str = "pay", address: str = "", labels: Document | None = None, **spec: Any
) -> Item:
    status = {"vips": [{"ip": address}]} if address else {}
    document = {
        "spec": {
            "selector": {"dataplaneTags": {"kuma.io/service": "db"}},
            "ports": [{"port": 80}],
            **spec,
        },
        "status": status,
    }
    made = item("MeshService", name, document, **(labels or {}))
    assert isinstance(made, Resource)
    parse = KINDS["MeshService"].parse_status
    assert parse is not None
    return replace(made, status=parse(document))


def resource_id(name: str = "pay", section: str = "") -> DestinationId:
    return DestinationId("MeshService", "default", "", "", name, section)


ANY = any_of("MeshService", "default")
THROUGH = dataplane("through", inbound("through"), transparentProxying=transparent())
CHOOSER = dataplane(
    "chooser",
    inbound("chooser"),
    outbound=[{"port": 1, "backendRef": {"kind": "MeshService", "port": 80, "labels": {"a": "b"}}}],
)
CALLERS = (*ALL, THROUGH, CHOOSER)


def test_a_new_service_touches_who_asked_for_it_and_who_may_find_it() -> None:
    assert change(mesh(*CALLERS), service()) == of_proxies(
        "through",
        "chooser",
        callers_of=frozenset({resource_id(), ANY}),
        endpoints=frozenset({resource_id(section="80")}),
    )


def test_counts_in_the_status_of_a_service_touch_nobody() -> None:
    before = service()
    assert isinstance(before, Resource)
    document = {"status": {"dataplaneProxies": {"total": 7}}}
    parse = KINDS["MeshService"].parse_status
    assert parse is not None
    counted = replace(before, status=parse(document))
    assert change(mesh(*CALLERS, before), counted) == NOBODY


def test_who_a_service_is_touches_its_callers_alone() -> None:
    named = service(identities=[{"type": "ServiceTag", "value": "db"}])
    expected = Reached(callers_of=frozenset({resource_id()}))
    assert change(mesh(*CALLERS, service()), named) == expected


def test_an_address_touches_transparent_proxies() -> None:
    found = change(mesh(*CALLERS, service()), service(address="241.0.0.0"))
    assert found == of_proxies("through", "chooser", callers_of=frozenset({resource_id()}))


def test_labels_touch_who_chooses_by_labels() -> None:
    found = change(mesh(*CALLERS, service()), service(labels={"a": "b"}))
    assert found == of_proxies("through", "chooser", callers_of=frozenset({resource_id(), ANY}))


def test_an_instance_that_moves_touches_the_endpoints_of_the_services_it_is_of() -> None:
    moved = dataplane("db", inbound("db", address="10.0.0.9"), team="blue")
    found = change(mesh(*CALLERS, service()), moved)
    assert found == of_proxies("db", endpoints=frozenset({"db", resource_id(section="80")}))
    other = service(selector={"dataplaneTags": {"kuma.io/service": "other"}})
    found = change(mesh(*CALLERS, other), moved)
    assert found == of_proxies("db", endpoints=frozenset({"db"}))


def test_a_part_touches_the_callers_of_the_services_of_several_zones() -> None:
    document = {
        "spec": {
            "selector": {"meshService": {"matchLabels": {"a": "b"}}},
            "ports": [{"port": 80}],
        },
        "status": {
            "meshServices": [{"name": "pay", "namespace": "", "zone": "", "mesh": "default"}]
        },
    }
    made = item("MeshMultiZoneService", "all", document)
    assert isinstance(made, Resource)
    parse = KINDS["MeshMultiZoneService"].parse_status
    assert parse is not None
    whole = replace(made, status=parse(document))
    named = service(identities=[{"type": "ServiceTag", "value": "db"}])
    of_all = DestinationId("MeshMultiZoneService", "default", "", "", "all")
    found = change(mesh(*CALLERS, service(), whole), named)
    assert found == Reached(callers_of=frozenset({resource_id(), of_all}))
    moved = dataplane("db", inbound("db", address="10.0.0.9"), team="blue")
    found = change(mesh(*CALLERS, service(), whole), moved)
    ports = {resource_id(section="80"), of_all._replace(section_name="80")}
    assert found == of_proxies("db", endpoints=frozenset({"db", *ports}))


def test_a_secret_touches_everybody_if_a_service_outside_names_it_and_else_nobody() -> None:
    def secret(name: str, data: str) -> Item:
        return item("Secret", name, {"data": data})

    tls = {"enabled": True, "caCert": {"secret": "ca"}}
    outside = item(
        "ExternalService",
        "out",
        {"tags": {"kuma.io/service": "out"}, "networking": {"address": "a.example:1", "tls": tls}},
    )
    before = mesh(*ALL, outside, secret("ca", "Q0E="), secret("other", "Q0E="))
    assert change(before, secret("ca", "Q0Ey")).everybody
    assert change(before, secret("other", "Q0Ey")) == NOBODY
    assert change(before, gone=(outside,)).everybody
