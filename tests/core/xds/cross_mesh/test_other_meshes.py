"""What proxies of a mesh know of others: gateways that are for all meshes, and whom they trust."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from kong_mesh_cp.core.resources.kinds.mesh import Mesh, MtlsMode
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.xds.indexed_mesh import (
    IndexedMesh,
    Item,
    WorldRules,
    indexed_mesh,
    next_mesh,
)
from kong_mesh_cp.core.xds.reach import Reached, reached
from kong_mesh_cp.core.xds.services.instances import Endpoint, GatewayService
from kong_mesh_cp.usecases.resources.kinds import KINDS
from support.fakes.resources import AT

RULES = WorldRules(zone="default", domain="mesh", service_port=80)
MTLS = {"enabledBackend": "ca-1", "backends": [{"name": "ca-1", "type": "builtin"}]}
EDGE = GatewayService("shop", "edge")


def item(type_name: str, mesh: str, name: str, document: Mapping[str, Any]) -> Resource[object]:
    meta = {"type": type_name, "mesh": mesh, "name": name}
    return Resource(
        type=type_name, mesh=mesh, name=name, labels={}, created_at=AT, modified_at=AT, version=1,
        spec=KINDS[type_name].parse({**meta, **document}),
    )  # fmt: skip


def mesh(name: str, **document: Any) -> Resource[object]:
    return item("Mesh", "", name, document)


def gateway(
    of: str, *ports: int, crosses: bool = True, tags: Mapping[str, str] | None = None
) -> Item:
    listeners = [
        {"port": port, "protocol": "HTTP", "crossMesh": crosses, "tags": {"port": f"p{port}"}}
        for port in ports
    ]
    return item(
        "MeshGateway",
        of,
        "edge",
        {
            "selectors": [{"match": {"kuma.io/service": "edge"}}],
            "tags": tags or {},
            "conf": {"listeners": listeners},
        },
    )


def proxy(of: str, name: str, address: str, kind: str = "BUILTIN") -> Item:
    tags = {"kuma.io/service": "edge", "kuma.io/zone": "default"}
    networking = {"address": address, "gateway": {"type": kind, "tags": tags}}
    return item("Dataplane", of, name, {"networking": networking})


def ingress(*services: Mapping[str, Any]) -> Item:
    networking = {
        "address": "10.20.0.1",
        "port": 10001,
        "advertisedAddress": "192.0.2.7",
        "advertisedPort": 10001,
    }
    document = {"zone": "west", "networking": networking, "availableServices": [*services]}
    return item("ZoneIngress", "", "west", document)


def offered(of: str, **tags: str) -> Mapping[str, Any]:
    found = {"kuma.io/service": "edge", "kuma.io/zone": "west", **tags}
    return {"mesh": of, "instances": 2, "tags": found}


def bank(*items: Item, **document: Any) -> IndexedMesh:
    own = mesh("bank", **({"mtls": MTLS} | document))
    assert has_spec(own, Mesh)
    return indexed_mesh(own, items, RULES)


SHOP = mesh("shop", mtls=MTLS)
SHOP_EDGE = proxy("shop", "edge-1", "10.3.0.1")


def endpoint(port: int, **more: Any) -> Endpoint:
    tags = (("kuma.io/service", "edge"), ("kuma.io/zone", "default"), ("port", f"p{port}"))
    return Endpoint("10.3.0.1", port, tags, zone="default", **more)


def test_each_listener_for_other_meshes_is_an_endpoint_with_all_its_tags() -> None:
    world = bank(SHOP, gateway("shop", 80, 81), SHOP_EDGE).world
    assert world.behind(EDGE) == (endpoint(80), endpoint(81))


def test_the_own_gateways_are_known_as_those_of_others_are() -> None:
    world = bank(gateway("bank", 80), proxy("bank", "edge-1", "10.3.0.1")).world
    assert world.behind(GatewayService("bank", "edge")) == (endpoint(80),)


@pytest.mark.parametrize(
    "items",
    [
        (SHOP, SHOP_EDGE),
        (SHOP, gateway("shop", 80, crosses=False), SHOP_EDGE),
        (SHOP, gateway("shop", 80), proxy("shop", "edge-1", "10.3.0.1", "DELEGATED")),
        (gateway("shop", 80), SHOP_EDGE),  # there is no such mesh
    ],
)
def test_what_is_no_gateway_for_other_meshes_is_no_endpoint(items: tuple[Item, ...]) -> None:
    assert not bank(*items).world.behind(EDGE)


def test_nothing_is_trusted_or_known_while_no_gateway_is_for_other_meshes() -> None:
    crossing = bank(SHOP, gateway("shop", 80, crosses=False), SHOP_EDGE).world.crossing
    assert (crossing.trusted, dict(crossing.modes), dict(crossing.gateways)) == ((), {}, {})


def test_clients_know_all_meshes_that_they_may_name_and_gateways_all_that_may_call() -> None:
    others = (SHOP, mesh("coop", mtls=MTLS), mesh("plain"))
    client = bank(*others, gateway("shop", 80), SHOP_EDGE).world
    # An outbound may name one that has no gateway for others: it is asked in its TLS, too.
    assert client.crossing.trusted == ("coop", "shop")
    called = bank(*others, gateway("bank", 80)).world
    assert called.crossing.trusted == ("coop", "shop")
    assert bank(*others, gateway("bank", 80), mtls=None).world.crossing.trusted == ()
    assert dict(client.crossing.modes) == {"coop": MtlsMode.STRICT, "shop": MtlsMode.STRICT}


def test_gateways_in_other_zones_are_behind_their_ingress() -> None:
    world = bank(
        SHOP,
        gateway("shop", 80),
        SHOP_EDGE,
        ingress(
            offered("shop", **{"kuma.io/mesh": "shop"}),
            offered("shop"),  # for its own mesh alone
            offered("bank", **{"kuma.io/mesh": "bank"}),
        ),
    ).world
    there, here = world.behind(EDGE) or ()
    assert (there.address, there.weight, there.zone) == ("192.0.2.7", 2, "west")
    assert here == endpoint(80)


def change(before: IndexedMesh, *now: Item, gone: tuple[Item, ...] = ()) -> Reached:
    """Whom it touches; what comes of it is as from scratch."""
    changes: dict[Any, Item | None] = {_key(each): each for each in now}
    changes |= {_key(each): None for each in gone}
    return reached(before, next_mesh(before, changes), changes.keys())


def _key(one: Item) -> Any:
    assert isinstance(one, Resource)
    return one.key


def test_a_gateway_that_moves_is_an_endpoint_that_moves() -> None:
    before = bank(SHOP, gateway("shop", 80), SHOP_EDGE)
    moved = proxy("shop", "edge-1", "10.3.0.9")
    only = Reached(endpoints=frozenset({EDGE}))
    assert change(before, moved) == only
    assert change(before, gone=(SHOP_EDGE,)) == only
    assert change(before, gateway("shop", 80, 81)) == only


def test_other_meshes_touch_everybody_only_with_how_they_speak() -> None:
    before = bank(SHOP, gateway("shop", 80), SHOP_EDGE)
    assert change(before, mesh("shop", mtls=MTLS, routing={"zoneEgress": True})) == Reached()
    assert change(before, mesh("shop")).everybody
    assert change(before, mesh("coop", mtls=MTLS)).everybody
    assert change(before, mesh("plain")) == Reached()
    # The first and the last gateway for others bring other meshes into sight, and out of it.
    assert change(bank(SHOP, SHOP_EDGE), gateway("shop", 80)).everybody


def test_a_world_after_changes_is_as_from_scratch() -> None:
    items = (SHOP, gateway("shop", 80), SHOP_EDGE)
    changed = (mesh("coop", mtls=MTLS), gateway("shop", 81), gateway("bank", 82))
    before = bank(*items)
    after = next_mesh(before, {_key(each): each for each in changed}).world
    scratch = bank(SHOP, SHOP_EDGE, *changed).world
    assert (after.others, after.crossing) == (scratch.others, scratch.crossing)
    gone = next_mesh(before, {_key(each): None for each in items}).world
    assert (gone.others, gone.crossing) == (bank().world.others, bank().world.crossing)
