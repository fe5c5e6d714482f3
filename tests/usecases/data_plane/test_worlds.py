"""Meshes of connected proxies are read once and kept; of others nothing is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.xds.indexed_mesh import WorldRules
from kong_mesh_cp.core.xds.reach import Reached
from kong_mesh_cp.core.xds.services.instances import GatewayService
from kong_mesh_cp.usecases.data_plane.mesh_contents import OF_A_MESH
from kong_mesh_cp.usecases.data_plane.publishing.worlds import KEPT_SECONDS, RETRY_SECONDS, Worlds
from kong_mesh_cp.usecases.following.pending import PENDING_ITEMS_MAX
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import Delete, Put
from support.fakes.fake_resources import CountedLists
from support.fakes.resources import AT
from support.specs.random.random_meshes import put_of

pytestmark = pytest.mark.usefixtures("autojump_clock")

MESH = ResourceKey("Mesh", "", "default")
BROKEN = StateError("the disk is gone", code="state-io", hint="Look for it.")


def dataplane(name: str, service: str = "web", port: int = 80, mesh: str = "default") -> Put:
    inbound = {"port": port, "tags": {"kuma.io/service": service, "kuma.io/protocol": "http"}}
    networking = {"address": "10.0.0.1", "inbound": [inbound]}
    return put_of(ResourceKey("Dataplane", mesh, name), {"networking": networking}, {})


@dataclass
class _Stage:
    store: CountedLists = field(default_factory=CountedLists)
    told: list[tuple[str, Reached]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.replica = Replica(self.store)
        rules = WorldRules(zone="default", domain="mesh", service_port=80)
        self.worlds = Worlds(
            self.replica, rules=rules, told=lambda mesh, who, _since: self.told.append((mesh, who))
        )

    def proxies(self) -> list[str]:
        world = self.worlds.world("default")
        assert world is not None
        return [*world.of_type("Dataplane")]


@asynccontextmanager
async def staged() -> AsyncIterator[_Stage]:
    stage = _Stage()
    await stage.store.apply([put_of(MESH, {}, {}), dataplane("a")])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.replica.run)
        nursery.start_soon(stage.worlds.run)
        yield stage
        nursery.cancel_scope.cancel()


async def test_a_mesh_is_read_when_its_first_proxy_comes_and_then_kept_by_its_changes() -> None:
    async with staged() as stage, stage.worlds.held("default"):
        assert stage.proxies() == ["a"]
        questions = stage.store.questions
        await stage.store.apply([dataplane("b", port=81), dataplane("a", service="api")])
        await wait_all_tasks_blocked()

        assert stage.proxies() == ["a", "b"]
        world = stage.worlds.world("default")
        assert world is not None
        assert {*world.endpoints} == {"api", "web"}
        async with stage.worlds.held("default"):
            assert stage.store.questions == questions
        reached = Reached(
            proxies=frozenset({"a", "b"}),
            callers_of=frozenset({"api"}),
            endpoints=frozenset({"api", "web"}),
        )
        assert stage.told == [("default", Reached(everybody=True)), ("default", reached)]


async def test_of_a_mesh_without_connected_proxies_nothing_is_read() -> None:
    async with staged() as stage, stage.worlds.held("default"):
        other = ResourceKey("Mesh", "", "other")
        questions, told = stage.store.questions, len(stage.told)
        await stage.store.apply([put_of(other, {}, {}), dataplane("c", mesh="other")])
        await wait_all_tasks_blocked()

        assert stage.worlds.world("other") is None
        assert (stage.store.questions, len(stage.told)) == (questions, told)


async def test_a_mesh_is_dropped_some_time_after_its_last_proxy_has_left() -> None:
    async with staged() as stage:
        async with stage.worlds.held("default"):
            await trio.sleep(2 * KEPT_SECONDS)
            assert stage.proxies() == ["a"]
        await trio.sleep(KEPT_SECONDS / 2)
        assert stage.proxies() == ["a"]
        async with stage.worlds.held("default"):
            await trio.sleep(KEPT_SECONDS)
        await trio.sleep(KEPT_SECONDS / 2)
        assert stage.proxies() == ["a"]
        await trio.sleep(KEPT_SECONDS)
        assert stage.worlds.world("default") is None
        async with stage.worlds.held("default"):
            assert stage.proxies() == ["a"]


async def test_what_changed_while_the_store_failed_is_seen_afterwards() -> None:
    async with staged() as stage, stage.worlds.held("default"):
        stage.store.failure = BROKEN
        put = dataplane("b")
        stage.store._put(put)
        stage.store.changed.set()
        stage.store.changed = trio.Event()
        await trio.sleep(10 * RETRY_SECONDS)
        assert stage.proxies() == ["a"]
        stage.store.failure = None
        await trio.sleep(2 * RETRY_SECONDS)
        assert stage.proxies() == ["a", "b"]


async def test_more_changes_than_a_feed_holds_are_all_seen() -> None:
    async with staged() as stage, stage.worlds.held("default"):
        puts = [
            put_of(
                ResourceKey("MeshTimeout", "default", f"t{number}"),
                {"spec": {"targetRef": {"kind": "Mesh"}}},
                {},
            )
            for number in range(PENDING_ITEMS_MAX + 10)
        ]
        await stage.store.apply([*puts, Delete(key=dataplane("a").key)])
        await wait_all_tasks_blocked()

        world = stage.worlds.world("default")
        assert world is not None
        assert len(world.policies.of_type("MeshTimeout")) == len(puts)
        assert stage.proxies() == []


async def test_a_mesh_that_goes_and_comes_again_is_read_anew() -> None:
    async with staged() as stage, stage.worlds.held("default"):
        await stage.store.apply([Delete(key=MESH)])
        await wait_all_tasks_blocked()
        assert stage.worlds.world("default") is None
        await stage.store.apply([put_of(MESH, {}, {}), dataplane("b")])
        await wait_all_tasks_blocked()
        assert stage.proxies() == ["a", "b"]


async def test_proxies_of_a_mesh_that_is_not_there_wait_for_it() -> None:
    async with staged() as stage, stage.worlds.held("other"):
        assert stage.worlds.world("other") is None
        other = ResourceKey("Mesh", "", "other")
        await stage.store.apply([dataplane("c", mesh="other")])
        await wait_all_tasks_blocked()
        await stage.store.apply([put_of(other, {}, {})])
        await wait_all_tasks_blocked()
        world = stage.worlds.world("other")
        assert world is not None
        assert [*world.of_type("Dataplane")] == ["c"]


async def test_what_cannot_be_read_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    async with staged() as stage, stage.worlds.held("default"):
        bad = Put(key=ResourceKey("Dataplane", "default", "bad"), spec='{"networking":7}', at=AT)
        await stage.store.apply([bad, dataplane("b")])
        await wait_all_tasks_blocked()
        assert stage.proxies() == ["a", "b"]
        assert [each.message.partition(":")[0] for each in caplog.records] == [
            "xds-resource-not-read"
        ]


def test_what_is_followed_is_there() -> None:
    assert {"Dataplane", "MeshTimeout", "TrafficPermission", "ServiceInsight"} <= {*OF_A_MESH}


def mesh_of(name: str) -> Put:
    backend = {"name": "ca-1", "type": "builtin"}
    mtls = {"enabledBackend": "ca-1", "backends": [backend]}
    return put_of(ResourceKey("Mesh", "", name), {"mtls": mtls}, {})


def gateway(mesh: str, *, crosses: bool = True) -> Put:
    listener = {"port": 80, "protocol": "HTTP", "crossMesh": crosses}
    document = {
        "selectors": [{"match": {"kuma.io/service": "edge"}}],
        "conf": {"listeners": [listener]},
    }
    return put_of(ResourceKey("MeshGateway", mesh, "edge"), document, {})


def gateway_proxy(mesh: str, address: str) -> Put:
    networking = {
        "address": address,
        "gateway": {"type": "BUILTIN", "tags": {"kuma.io/service": "edge"}},
    }
    labels = {"kuma.io/proxy-type": "gateway"}  # as a write computes it
    return put_of(ResourceKey("Dataplane", mesh, "edge-1"), {"networking": networking}, labels)


async def test_gateways_of_other_meshes_are_followed_while_some_are_for_others() -> None:
    async with staged() as stage:
        await stage.store.apply([mesh_of("shop"), gateway_proxy("shop", "10.3.0.1")])
        async with stage.worlds.held("default"):

            def addresses() -> list[str]:
                world = stage.worlds.world("default")
                assert world is not None
                found = world.behind(GatewayService("shop", "edge")) or ()
                return [each.address for each in found]

            async def after(*changes: Put | Delete) -> list[str]:
                await stage.store.apply(changes)
                await wait_all_tasks_blocked()
                return addresses()

            assert addresses() == []
            assert await after(gateway("shop")) == ["10.3.0.1"]
            assert await after(gateway_proxy("shop", "10.3.0.2")) == ["10.3.0.2"]
            questions = stage.store.questions
            # What is no gateway is read, at most, and told to nobody.
            told = len(stage.told)
            await after(dataplane("c", mesh="shop"), mesh_of("coop"))
            assert await after(dataplane("d", mesh="coop")) == ["10.3.0.2"]
            assert [who.everybody for _, who in stage.told[told:]] == [True]  # of the Mesh
            assert stage.store.questions == questions
            assert await after(gateway("shop", crosses=False)) == []
            told = len(stage.told)
            await after(gateway_proxy("shop", "10.3.0.3"), mesh_of("bank"))
            assert len(stage.told) == told


async def test_what_is_followed_of_other_meshes_is_what_is_stored_of_them() -> None:
    async with staged() as stage:
        await stage.store.apply(
            [mesh_of("shop"), gateway_proxy("shop", "10.3.0.1"), gateway("shop"), mesh_of("coop")]
        )
        async with stage.worlds.held("default"):
            for change in (
                gateway_proxy("shop", "10.3.0.2"),
                gateway("coop"),
                gateway_proxy("coop", "10.3.0.9"),
                gateway("shop", crosses=False),
                gateway("default"),
                Delete(key=gateway("coop").key),
                Delete(key=gateway("default").key),
            ):
                await stage.store.apply([change])
                await wait_all_tasks_blocked()
                stored = await stage.worlds.stored("default")
                assert stage.worlds.differing("default", stored) == {}
