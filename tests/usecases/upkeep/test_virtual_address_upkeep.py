"""Names of a mesh get addresses as they come, and keep them in the store.

Source: docs/wire/virtual-addresses.md#addresses
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.meshes.virtual_addresses import VirtualServices, config_name, parse
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import ResourceChange
from kong_mesh_cp.usecases.upkeep.virtual_address_upkeep import (
    LATELY_SECONDS,
    NAMES_AT_ONCE_MAX,
    VirtualAddressRules,
    VirtualAddressUpkeep,
)
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.observed import Json, Observed

pytestmark = pytest.mark.usefixtures("autojump_clock")

INTERVAL = 0.5
SOON = 0.1  # after which what is the first for a while is done
LATER = 2 * INTERVAL  # after which anything is done


def rules(network: str = "240.0.0.0/4", *, zone: str = "west") -> VirtualAddressRules:
    return VirtualAddressRules(
        network=ip_network(network),
        domain="mesh",
        service_names=True,
        zone=zone,
        interval=INTERVAL,
    )


async def keep(observed: Observed, kept: VirtualAddressRules) -> None:
    replica = Replica(observed.store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        nursery.start_soon(VirtualAddressUpkeep(replica, kept, observed.now).run)


@asynccontextmanager
async def keeping(
    observed: Observed, *, jobs: int = 1, kept: VirtualAddressRules | None = None
) -> AsyncIterator[None]:
    """While control planes keep the addresses up to date; the first time is done."""
    async with trio.open_nursery() as nursery:
        for _ in range(jobs):
            nursery.start_soon(keep, observed, kept or rules())
        await trio.sleep(LATER)
        yield
        nursery.cancel_scope.cancel()


async def services(observed: Observed, mesh: str = "m") -> VirtualServices:
    config = await observed.read("Config", "", config_name(mesh))
    return {} if config is None else parse(config["config"])


async def addresses(observed: Observed, mesh: str = "m") -> dict[str, str]:
    found = await services(observed, mesh)
    return {host.name: service.address for host, service in found.items()}


async def store_config(observed: Observed, text: str) -> None:
    await observed.put("Config", "", config_name("m"), {"config": text})


def virtual_outbound(host: str) -> Json:
    parameters = [{"name": "service", "tagKey": "kuma.io/service"}]
    return {
        "selectors": [{"match": {"kuma.io/service": "*"}}],
        "conf": {"host": host, "port": "80", "parameters": parameters},
    }


async def test_services_that_are_there_at_the_start_have_addresses_in_the_order_of_names() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one", "web")
    await observed.proxy("two", "api")
    async with keeping(observed):
        assert await addresses(observed) == {"api": "240.0.0.0", "web": "240.0.0.1"}


async def test_the_first_new_name_for_a_while_has_its_address_at_once() -> None:
    observed = Observed()
    await observed.mesh()
    async with keeping(observed):
        await observed.proxy("one", "web")
        await trio.sleep(SOON)
        assert await addresses(observed) == {"web": "240.0.0.0"}
        await observed.proxy("two", "api")
        await trio.sleep(SOON)
        assert "api" not in await addresses(observed)
        await trio.sleep(INTERVAL)
        assert await addresses(observed) == {"web": "240.0.0.0", "api": "240.0.0.1"}


async def test_every_kind_of_resource_that_makes_names_is_followed() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.mesh("other")
    async with keeping(observed):
        await observed.proxy("one", "web")
        await observed.put("VirtualOutbound", "m", "v", virtual_outbound("{{.service}}.x"))
        await observed.put(
            "ExternalService",
            "m",
            "es",
            {"networking": {"address": "db.example:25"}, "tags": {"kuma.io/service": "db"}},
        )
        listener = {"port": 80, "protocol": "HTTP", "hostname": "edge.x", "crossMesh": True}
        await observed.put(
            "MeshGateway",
            "other",
            "gw",
            {
                "selectors": [{"match": {"kuma.io/service": "edge"}}],
                "conf": {"listeners": [listener]},
            },
        )
        await observed.put(
            "ZoneIngress",
            "",
            "far",
            {
                "zone": "east",
                "networking": {"address": "10.0.0.1", "port": 10001},
                "availableServices": [{"mesh": "m", "tags": {"kuma.io/service": "far"}}],
            },
        )
        await trio.sleep(LATER)
        everything = {"web", "db", "far", "db.example", "web.x", "db.x", "far.x", "edge.x"}
        assert set(await addresses(observed)) == everything
        assert set(await addresses(observed, "other")) == {"edge.x"}
        for type_name, mesh, name in (
            ("Dataplane", "m", "one"),
            ("ExternalService", "m", "es"),
            ("MeshGateway", "other", "gw"),
            ("ZoneIngress", "", "far"),
        ):
            await observed.delete(type_name, mesh, name)
        await trio.sleep(LATER)
        assert await addresses(observed) == {}
        assert await addresses(observed, "other") == {}


async def test_a_change_that_makes_no_other_names_writes_nothing() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one", "web")
    async with keeping(observed):
        before = await observed.store.revision()
        await observed.proxy("two", "web")
        await observed.delete("Dataplane", "m", "one")
        await trio.sleep(10 * INTERVAL)
        assert await observed.store.revision() == before + 2


async def test_a_mesh_without_names_has_no_config() -> None:
    observed = Observed()
    await observed.mesh()
    async with keeping(observed):
        assert await observed.read("Config", "", config_name("m")) is None


async def test_addresses_that_another_control_plane_has_given_are_kept() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one", "web")
    text = (
        '{"0:web":{"address":"240.0.0.9","outbounds":[{"Port":0,"TagSet":{},"Origin":"service"}]}}'
    )
    await store_config(observed, text)
    async with keeping(observed):
        await observed.proxy("two", "api")
        await trio.sleep(LATER)
        assert await addresses(observed) == {"api": "240.0.0.0", "web": "240.0.0.9"}


async def test_addresses_go_with_their_mesh_and_begin_anew_with_it() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one", "web")
    async with keeping(observed):
        await observed.delete("Mesh", "", "m")
        await trio.sleep(LATER)
        assert await observed.read("Config", "", config_name("m")) is None
        await observed.mesh()
        await observed.proxy("one", "api")
        await trio.sleep(LATER)
        assert await addresses(observed) == {"api": "240.0.0.0"}


async def test_the_gateway_of_a_deleted_mesh_has_no_name_in_the_others() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.mesh("other")
    listener = {"port": 80, "protocol": "HTTP", "hostname": "edge.x", "crossMesh": True}
    gateway = {
        "selectors": [{"match": {"kuma.io/service": "edge"}}],
        "conf": {"listeners": [listener]},
    }
    await observed.put("MeshGateway", "other", "gw", gateway)
    async with keeping(observed):
        assert await addresses(observed) == {"edge.x": "240.0.0.0"}
        await observed.delete("Mesh", "", "other")
        await trio.sleep(LATER)
        assert await addresses(observed) == {}


async def test_a_service_that_was_away_for_a_moment_has_its_address_again() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one", "web")
    async with keeping(observed):
        await observed.delete("Dataplane", "m", "one")
        await trio.sleep(LATER)
        await observed.proxy("two", "api")
        await trio.sleep(LATER)
        await observed.proxy("one", "web")
        await trio.sleep(LATER)
        assert await addresses(observed) == {"api": "240.0.0.1", "web": "240.0.0.0"}


async def test_the_address_of_a_service_that_stays_away_is_given_to_another() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one", "web")
    async with keeping(observed):
        await observed.delete("Dataplane", "m", "one")
        await trio.sleep(LATELY_SECONDS + LATER)
        await observed.proxy("two", "api")
        await trio.sleep(LATER)
        assert await addresses(observed) == {"api": "240.0.0.0"}


async def test_several_control_planes_come_to_one_result() -> None:
    observed = Observed()
    await observed.mesh()
    async with keeping(observed, jobs=3):
        seen: dict[str, str] = {}
        for number in range(20):
            await observed.proxy(f"p{number}", f"s{(7 * number) % 20}")
            await trio.sleep(0.07)
            found = await addresses(observed)
            # Nobody takes away what somebody has given.
            assert seen.items() <= found.items()
            seen = found
        await trio.sleep(3 * LATER)
        found = await addresses(observed)
        assert len(found) == len(set(found.values())) == 20
        before = await observed.store.revision()
        await trio.sleep(10 * LATER)
        assert await observed.store.revision() == before


async def test_many_names_are_made_beside_the_event_loop() -> None:
    observed = Observed()
    await observed.mesh()
    total = NAMES_AT_ONCE_MAX + 1
    for number in range(total):
        await observed.proxy(f"p{number}", f"s{number}")
    with observed.store.changes() as feed:
        async with keeping(observed):
            # They are made in a thread, for which the clock of the tests does not wait.
            async for item in feed:
                if isinstance(item, ResourceChange) and item.key.type == "Config":
                    break
    found = await addresses(observed)
    assert len(found) == len(set(found.values())) == total


async def test_an_exhausted_range_is_told_once_and_the_names_that_have_room_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one", "a")
    async with keeping(observed, kept=rules("10.0.0.0/32")):
        await observed.proxy("two", "b")
        await trio.sleep(LATER)
        await observed.proxy("three", "a")
        await trio.sleep(LATER)
        assert await addresses(observed) == {"a": "10.0.0.0", "b": ""}
    lines = [each.message for each in caplog.records if each.levelno == logging.ERROR]
    (line,) = lines
    assert line == (
        'virtual-addresses-exhausted: mesh "m": no address of 10.0.0.0/32 is free for 1 names, "b"'
        " the first. Set dnsServer.CIDR to a larger range."
    )


async def test_a_range_that_was_changed_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one", "a")
    async with keeping(observed):
        pass
    async with keeping(observed, kept=rules("250.0.0.0/16")):
        await observed.proxy("two", "b")
        await trio.sleep(LATER)
        assert await addresses(observed) == {"a": "240.0.0.0", "b": "250.0.0.0"}
    lines = [each.message for each in caplog.records if each.levelno == logging.WARNING]
    assert [line.partition(":")[0] for line in lines] == ["virtual-addresses-outside"]


async def test_two_that_want_one_name_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one", "a")
    await observed.proxy("two", "b")
    await observed.put("VirtualOutbound", "m", "v", virtual_outbound("all.x"))
    async with keeping(observed):
        await observed.proxy("three", "c")
        await trio.sleep(LATER)
    (line,) = [each.message for each in caplog.records if "virtual-name" in each.message]
    assert line == (
        'virtual-name-conflict: mesh "m": "port 80 of all.x for virtual-outbound:v is taken by'
        ' virtual-outbound:v"'
    )


async def test_addresses_that_cannot_be_read_are_given_anew_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one", "web")
    await store_config(observed, "{")
    async with keeping(observed):
        assert await addresses(observed) == {"web": "240.0.0.0"}
    (line,) = [each.message for each in caplog.records if each.levelno == logging.ERROR]
    assert line.startswith('virtual-addresses-unreadable: Config "kuma-m-dns-vips": ')


async def test_a_store_that_fails_is_said_once_and_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    store = FakeResourceStore()
    observed = Observed(store)
    await observed.mesh()
    async with keeping(observed):
        await observed.proxy("one", "web")
        store.failure = StateError("the disk is full", code="state-full", hint="Make room.")
        await trio.sleep(60)
        store.failure = None
        await trio.sleep(60)
        assert await addresses(observed) == {"web": "240.0.0.0"}
    assert [(each.levelname, each.message) for each in caplog.records] == [
        ("ERROR", "virtual-addresses-not-kept: the disk is full; trying again. Make room."),
        ("INFO", "virtual-addresses-kept-again: the store answers again"),
    ]


async def test_a_resource_that_cannot_be_read_makes_no_name() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one", "web")
    async with keeping(observed):
        await observed.put("Dataplane", "m", "one", {"networking": 7})
        await trio.sleep(LATER)
        assert await addresses(observed) == {}
        assert await observed.store.get(ResourceKey("Dataplane", "m", "one")) is not None


async def test_the_proxy_that_was_there_first_keeps_a_name_that_others_make_too() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.put("VirtualOutbound", "m", "v", virtual_outbound("all.x"))
    await observed.proxy("z", "web")
    async with keeping(observed):
        await observed.proxy("a", "api")
        await trio.sleep(LATER)
        found = await services(observed)
    ((port,),) = [each.ports for host, each in found.items() if host.name == "all.x"]
    assert port.tags == {"kuma.io/service": "web"}
