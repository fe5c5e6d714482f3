"""Zone proxies follow all meshes, and what they offer is written for other zones.

KMESH_TEST_WORLD_SEQUENCES sequences of random writes, from KMESH_TEST_SEED: after each of them what
zone proxies are told equals what is made with nothing remembered.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.discovery.snapshots import Snapshot
from kong_mesh_cp.core.discovery.type_order import CLUSTERS
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.xds.indexed_mesh import indexed_mesh
from kong_mesh_cp.core.xds.world import MeshWorld
from kong_mesh_cp.core.xds.zone_proxies.zone_view import ZoneWorld
from kong_mesh_cp.usecases.data_plane.mesh_contents import read_items
from kong_mesh_cp.usecases.data_plane.publishing.full_pass import FullPass
from kong_mesh_cp.usecases.data_plane.publishing.publishing import REST_SECONDS_MAX, Publishing
from kong_mesh_cp.usecases.data_plane.zone_proxies.own_ingresses import OwnIngresses
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_pass import ZonePass
from kong_mesh_cp.usecases.data_plane.zone_proxies.zone_worlds import NO_MESH
from kong_mesh_cp.usecases.ports.resource_store import Delete
from support.specs.random.random_meshes import MESH, RandomMesh, put_of
from support.specs.random.random_zones import INGRESS as GATE
from support.specs.random.random_zones import RandomZone
from support.specs.xds_stage import RULES, generator
from support.specs.zone_stage import EGRESS, INGRESS, ZoneStage, zone_generator, zone_proxy

pytestmark = pytest.mark.usefixtures("autojump_clock")

SEQUENCES = int(os.environ.get("KMESH_TEST_WORLD_SEQUENCES", "40"))
SEED = int(os.environ.get("KMESH_TEST_SEED", "20261130"))
WRITES_MAX = 8  # transactions in a sequence

OWN = {
    "mtls": {"enabledBackend": "ca-1", "backends": [{"name": "ca-1", "type": "builtin"}]},
    "routing": {"zoneEgress": True},
}


@asynccontextmanager
async def staged(*meshes: str) -> AsyncIterator[tuple[ZoneStage, trio.Nursery]]:
    """With an egress and an ingress that are stored."""
    stage = ZoneStage()
    places = {
        ResourceKey("ZoneEgress", "", "egress"): {"address": "10.6.0.1", "port": 10002},
        ResourceKey("ZoneIngress", "", "ingress"): {"address": "10.4.0.1", "port": 10001},
    }
    await stage.store.apply(
        [put_of(key, {"networking": each}, {}) for key, each in places.items()]
        + [put_of(ResourceKey("Mesh", "", each), OWN, {}) for each in meshes]
    )
    async with trio.open_nursery() as nursery:
        await stage.start(nursery)
        yield stage, nursery
        nursery.cancel_scope.cancel()


async def settled() -> None:
    await wait_all_tasks_blocked()
    await trio.sleep(REST_SECONDS_MAX)


def outside(mesh: str, name: str) -> Any:
    tags = {"kuma.io/service": name}
    networking = {"address": f"{name}.example:80"}
    return put_of(
        ResourceKey("ExternalService", mesh, name), {"tags": tags, "networking": networking}, {}
    )


def clusters(stage: ZoneStage, name: str = "egress") -> list[str]:
    found = stage.watches[name].snapshot.of_type(CLUSTERS).resources
    return [each for each in found if not each.startswith("kuma:")]


async def test_an_egress_follows_meshes_that_come_and_go() -> None:
    async with staged("shop") as (stage, nursery):
        await stage.store.apply([outside("shop", "mail")])
        nursery.start_soon(stage.join, "egress", EGRESS)
        await settled()
        assert clusters(stage) == ["shop:mail"]

        bank = ResourceKey("Mesh", "", "bank")
        await stage.store.apply([put_of(bank, OWN, {})])
        await stage.store.apply([outside("bank", "rates")])
        await settled()
        assert clusters(stage) == ["bank:rates", "shop:mail"]

        await stage.store.apply([Delete(key=bank)])
        await settled()
        assert clusters(stage) == ["shop:mail"]


async def test_zone_proxies_that_come_back_are_told_what_is_there() -> None:
    async with staged("shop") as (stage, nursery):
        for _ in range(3):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as inner:
                    inner.start_soon(stage.join, "egress", EGRESS)
                    await settled()
                    assert clusters(stage) == sorted(
                        f"shop:{key.name}"
                        for key in stage.store.resources
                        if key.type == "ExternalService"
                    )
                    scope.cancel()
            await stage.store.apply([outside("shop", f"mail-{trio.current_time():.0f}")])
        assert not nursery.cancel_scope.cancel_called


async def test_a_change_that_was_missed_reaches_zone_proxies_with_the_full_pass() -> None:
    async with staged("shop") as (stage, nursery):
        nursery.start_soon(stage.join, "egress", EGRESS)
        of_meshes = Publishing(stage.worlds, generator)
        full_pass = FullPass(stage.worlds, of_meshes, also_held=stage.zone_worlds.meshes)
        await settled()
        told = len(stage.store.log)
        stage.store._put(outside("shop", "mail"))
        del stage.store.log[told:]
        await settled()
        assert clusters(stage) == []

        await full_pass.once()
        await settled()
        assert clusters(stage) == ["shop:mail"]
        assert of_meshes.counts.full_pass_finds == 1


def dataplane(name: str, **more: Any) -> Any:
    inbound = {"port": 80, "tags": {"kuma.io/service": "web", "kuma.io/zone": "default"}}
    networking = {"address": "10.0.0.1", "inbound": [inbound], **more}
    return put_of(ResourceKey("Dataplane", "shop", name), {"networking": networking}, {})


async def offered(stage: ZoneStage) -> list[Mapping[str, Any]]:
    await trio.sleep(5)
    found = await stage.store.get(ResourceKey("ZoneIngress", "", "ingress"))
    assert found is not None
    services: list[Mapping[str, Any]] = json.loads(found.spec).get("availableServices", [])
    return services


async def test_ingresses_are_told_what_the_zone_offers() -> None:
    async with staged("shop") as (stage, nursery):
        nursery.start_soon(stage.offering.run)
        nursery.start_soon(stage.join, "ingress", INGRESS)
        await stage.store.apply([dataplane("a"), dataplane("b")])

        (found,) = await offered(stage)
        assert (found["mesh"], found["instances"]) == ("shop", 2)
        await settled()
        assert clusters(stage, "ingress") == ["shop:web"]

        await stage.store.apply([Delete(key=ResourceKey("Dataplane", "shop", "a"))])
        (found,) = await offered(stage)
        assert found["instances"] == 1


async def test_without_an_ingress_here_nothing_is_offered() -> None:
    async with staged("shop") as (stage, nursery):
        nursery.start_soon(stage.offering.run)
        nursery.start_soon(stage.join, "egress", EGRESS)
        await stage.store.apply([dataplane("a")])

        assert await offered(stage) == []


async def test_a_zone_among_others_offers_before_its_ingress_is_connected() -> None:
    async with staged("shop") as (stage, nursery):
        own = OwnIngresses(stage.replica)
        nursery.start_soon(stage.offering.run)
        nursery.start_soon(
            own.run_while_there,
            lambda: stage.offering.offer_anyway(stage.zone_worlds.held(NO_MESH)),
        )
        await stage.store.apply([dataplane("a")])
        (found,) = await offered(stage)
        assert (found["mesh"], found["instances"]) == ("shop", 1)

        await stage.store.apply([dataplane("b")])
        (found,) = await offered(stage)
        assert found["instances"] == 2


async def test_a_zone_is_looked_at_only_while_it_has_an_ingress_of_its_own() -> None:
    async with staged("shop") as (stage, nursery):
        held: list[str] = []

        async def offer() -> None:
            held.append("begun")
            try:
                await trio.sleep_forever()
            finally:
                held.append("ended")

        nursery.start_soon(OwnIngresses(stage.replica).run_while_there, offer)
        await settled()
        assert held == ["begun"]

        ingress = ResourceKey("ZoneIngress", "", "ingress")
        other = ResourceKey("ZoneIngress", "", "of-another-zone")
        spec = {"zone": "west", "networking": {"address": "10.9.0.1", "port": 10001}}
        await stage.store.apply(
            [Delete(key=ingress), put_of(other, spec, {"kuma.io/origin": "global"})]
        )
        await settled()
        assert held == ["begun", "ended"]

        await stage.store.apply([put_of(ingress, spec, {"kuma.io/origin": "zone"})])
        await settled()
        assert held == ["begun", "ended", "begun"]


def shown(snapshot: Snapshot) -> Mapping[str, Mapping[str, bytes]]:
    return {
        url: {name: each.packed for name, each in found.resources.items()}
        for url, found in snapshot.by_type.items()
        if found.resources
    }


async def from_scratch(stage: ZoneStage) -> ZoneWorld:
    of_zone: dict[str, dict[str, Resource[object]]] = {"ZoneIngress": {}, "ZoneEgress": {}}
    meshes: dict[str, MeshWorld] = {}
    for name in sorted(key.name for key in stage.store.resources if key.type == "Mesh"):
        items = await read_items([*(await stage.worlds.stored(name)).values()])
        for key in sorted(items, key=lambda each: each.name):
            item = items[key]
            if key.type in of_zone and isinstance(item, Resource):
                of_zone[key.type][key.name] = item
        mesh = items.pop(ResourceKey("Mesh", "", name))
        assert isinstance(mesh, Resource)
        assert has_spec(mesh, Mesh)
        meshes[name] = indexed_mesh(mesh, items.values(), RULES).world
    return ZoneWorld(
        zone=RULES.zone,
        meshes=meshes,
        ingresses=of_zone["ZoneIngress"],
        egresses=of_zone["ZoneEgress"],
    )


async def test_after_any_writes_zone_proxies_are_told_as_from_scratch() -> None:
    async with staged(MESH) as (stage, nursery):
        random, mesh, zone = Random(SEED), RandomMesh(SEED), RandomZone(SEED)
        gate = {"networking": {"address": "10.4.0.2", "port": 10001}}
        await stage.store.apply([put_of(ResourceKey("ZoneIngress", "", GATE), gate, {})])
        nursery.start_soon(stage.offering.run)
        nursery.start_soon(stage.join, "egress", EGRESS)
        nursery.start_soon(stage.join, GATE, INGRESS)
        for sequence in range(SEQUENCES):
            for _ in range(random.randint(1, WRITES_MAX)):
                of = mesh.writes if random.random() < 0.6 else zone.write
                if changes := of(lambda key: key in stage.store.resources):
                    await stage.store.apply(changes)
                if random.random() < 0.5:
                    await wait_all_tasks_blocked()
            await settled()
            world, fresh = await from_scratch(stage), zone_generator()
            for name, kind in (("egress", EGRESS), (GATE, INGRESS)):
                made = fresh.generate(zone_proxy(name, kind), world)
                if made is None:
                    continue  # its resource is gone, and it keeps what it has
                context = f"KMESH_TEST_SEED={SEED}, sequence {sequence}: {name}"
                watch = stage.watches[name]
                assert shown(watch.snapshot) == shown(made.snapshot), context
                assert watch.complaints == made.complaints, context


async def test_a_change_for_few_makes_no_zone_proxy_anew() -> None:
    async with staged("shop") as (stage, nursery):
        await stage.store.apply([dataplane("a"), dataplane("b"), outside("shop", "mail")])
        nursery.start_soon(stage.offering.run)
        nursery.start_soon(stage.join, "egress", EGRESS)
        nursery.start_soon(stage.join, "ingress", INGRESS)
        await settled()
        made = stage.publishing.round

        calling = {"port": 1, "tags": {"kuma.io/service": "mail"}}
        await stage.store.apply([dataplane("a", outbound=[calling])])
        timeout = {"targetRef": {"kind": "Mesh"}, "to": []}
        await stage.store.apply(
            [put_of(ResourceKey("MeshTimeout", "shop", "t"), {"spec": timeout}, {})]
        )
        await settled()
        assert stage.publishing.round == made

        everybody = {"targetRef": {"kind": "Mesh"}, "default": {"action": "Allow"}}
        allowed = {"targetRef": {"kind": "Mesh"}, "from": [everybody]}
        permission = ResourceKey("MeshTrafficPermission", "shop", "p")
        await stage.store.apply([put_of(permission, {"spec": allowed}, {})])
        await settled()
        assert stage.publishing.round == made + 1  # of the egress alone


async def test_a_change_that_did_not_reach_its_zone_proxy_is_put_right_by_the_zone_pass(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with staged("shop") as (stage, nursery):
        nursery.start_soon(stage.join, "egress", EGRESS)
        await settled()
        zone_pass = ZonePass(stage.publishing)
        await zone_pass.once()
        assert stage.publishing.counts.full_pass_finds == 0

        stage.is_deaf = True
        await stage.store.apply([outside("shop", "mail")])
        await settled()
        assert clusters(stage) == []

        await zone_pass.once()
        await settled()
        assert clusters(stage) == ["shop:mail"]
        assert stage.publishing.counts.full_pass_finds == 1
        assert "xds-not-as-from-scratch" in caplog.text
