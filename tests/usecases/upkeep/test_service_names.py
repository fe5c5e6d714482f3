"""Services get virtual addresses and host names, and MeshMultiZoneServices their services.

Source: docs/wire/services.md#virtual-addresses, docs/wire/services.md#host-names
"""

from __future__ import annotations

import json
import logging
from datetime import timedelta

import pytest
import trio

from kong_mesh_cp.core.meshes.services.service_addresses import CONFIG_NAME
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import Put
from support.fakes.observed import NOON, Observed
from support.meshes.observed_services import (
    HOUR,
    SOON,
    address,
    dataplane,
    external,
    generator,
    hostnames,
    inbound,
    keeping,
    mesh,
    put,
    rules,
    services,
    status_of,
    stored,
)

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_each_type_has_a_range_of_its_own() -> None:
    observed = Observed()
    await mesh(observed, {})
    async with keeping(observed):
        await external(observed, "ext")
        await put(observed, "MeshService", "hand", {"ports": [{"port": 80}]})
        matched = {"selector": {"meshService": {"matchLabels": {"a": "b"}}}}
        await put(observed, "MeshMultiZoneService", "all", {**matched, "ports": [{"port": 80}]})
        await trio.sleep(SOON)
        assert await address(observed, "hand") == "241.0.0.0"
        assert (await status_of(observed, "ext", "MeshExternalService"))["vip"] == {
            "ip": "242.0.0.0"
        }
        assert (await status_of(observed, "all", "MeshMultiZoneService"))["vips"] == [
            {"ip": "243.0.0.0"}
        ]


async def test_an_address_that_was_given_is_not_given_again_also_after_a_restart() -> None:
    observed = Observed()
    await mesh(observed, {})
    async with keeping(observed):
        await put(observed, "MeshService", "a", {})
        await trio.sleep(SOON)
        await observed.delete("MeshService", "m", "a")
        await put(observed, "MeshService", "a", {})
        await trio.sleep(SOON)
        assert await address(observed, "a") == "241.0.0.1"
        await observed.delete("MeshService", "m", "a")
        await trio.sleep(SOON)
    async with keeping(observed):
        await put(observed, "MeshService", "a", {})
        await trio.sleep(SOON)
        assert await address(observed, "a") == "241.0.0.2"


async def test_addresses_of_before_are_kept_and_given_to_nobody_else() -> None:
    observed = Observed()
    await mesh(observed, {})
    await mesh(observed, {}, "other")
    vips = {"vips": [{"ip": "241.0.0.0"}], "tls": {}, "dataplaneProxies": {}}
    key = ResourceKey("MeshService", "other", "old")
    spec = json.dumps({"spec": {}})
    await observed.store.apply(
        [Put(key=key, spec=spec, status=json.dumps(vips), at=observed.now())]
    )
    async with keeping(observed):
        await put(observed, "MeshService", "new", {})
        await trio.sleep(SOON)
        assert await address(observed, "new") == "241.0.0.1"
        old = await stored(observed, "old", in_mesh="other")
        assert json.loads(old.status or "{}")["vips"] == [{"ip": "241.0.0.0"}]


async def test_a_service_that_is_written_without_its_status_gets_it_back() -> None:
    observed = Observed()
    await mesh(observed, {})
    await generator(observed, "g", "{{ .Name }}.x", "meshService")
    async with keeping(observed):
        await put(observed, "MeshService", "a", {})
        await put(observed, "MeshService", "b", {})
        await trio.sleep(SOON)
        before = await address(observed, "a")
        await put(observed, "MeshService", "a", {"ports": [{"port": 80}]})
        await trio.sleep(SOON)
        assert await address(observed, "a") == before
        assert await hostnames(observed, "a") == ["a.x"]


async def test_a_range_that_is_exhausted_is_told_once_and_what_has_an_address_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    observed = Observed()
    await mesh(observed, {})
    with caplog.at_level(logging.ERROR):
        async with keeping(observed, kept=rules(service_range="241.0.0.0/31")):
            for name in ("a", "b", "c", "d"):
                await put(observed, "MeshService", name, {})
                await trio.sleep(SOON)
            assert not (await status_of(observed, "d")).get("vips")
            await observed.delete("MeshService", "m", "a")
            await put(observed, "MeshService", "d", {"ports": [{"port": 80}]})
            await trio.sleep(SOON)
            assert await address(observed, "d") == "241.0.0.0"
            assert await address(observed, "b") == "241.0.0.1"
    told = [each for each in caplog.messages if each.startswith("service-addresses-exhausted")]
    assert len(told) == 1
    assert "241.0.0.0/31" in told[0]


async def test_generators_that_come_and_go_change_the_names_at_once() -> None:
    observed = Observed()
    await mesh(observed, {})
    async with keeping(observed):
        await external(observed, "ext")
        await put(observed, "MeshService", "a", {})
        await generator(observed, "g", "{{ .Name }}.x", "meshService")
        await generator(observed, "h", "{{ .Name }}.y", "meshExternalService")
        await trio.sleep(SOON)
        assert await hostnames(observed, "a") == ["a.x"]
        assert await hostnames(observed, "ext", "MeshExternalService") == ["ext.y"]
        await observed.delete("HostnameGenerator", "", "g")
        await trio.sleep(SOON)
        assert await hostnames(observed, "a") == []
        assert "hostnameGenerators" not in await status_of(observed, "a")


async def test_a_name_goes_to_the_next_service_when_its_owner_goes() -> None:
    observed = Observed()
    await mesh(observed, {})
    await generator(observed, "g", "same.x", "meshService")
    async with keeping(observed):
        await put(observed, "MeshService", "old", {})
        await trio.sleep(1)
        await put(observed, "MeshService", "new", {})
        await trio.sleep(SOON)
        (status,) = (await status_of(observed, "new"))["hostnameGenerators"]
        assert status["conditions"] == [
            {
                "type": "Generated",
                "status": "False",
                "reason": "Collision",
                "message": "Hostname collision with MeshService: new",
            }
        ]
        await observed.delete("MeshService", "m", "old")
        await trio.sleep(SOON)
        assert await hostnames(observed, "new") == ["same.x"]


async def test_a_service_of_several_zones_takes_services_as_they_come_and_go() -> None:
    observed = Observed()
    await mesh(observed)
    await mesh(observed, {}, "other")
    async with keeping(observed):
        matched = {"selector": {"meshService": {"matchLabels": {"kuma.io/display-name": "web"}}}}
        await put(observed, "MeshMultiZoneService", "all", {**matched, "ports": [{"port": 80}]})
        labels = {"kuma.io/display-name": "web", "kuma.io/zone": "east"}
        await put(observed, "MeshService", "web-x", {}, labels=labels)
        await put(observed, "MeshService", "web", {}, labels=labels, in_mesh="other")
        await dataplane(observed, "one", inbound())
        await trio.sleep(SOON)
        status = await status_of(observed, "all", "MeshMultiZoneService")
        assert status["meshServices"] == [
            {"name": "web", "namespace": "", "zone": "east", "mesh": "m"},
            {"name": "web", "namespace": "", "zone": "west", "mesh": "m"},
        ]
        await observed.delete("MeshService", "m", "web-x")
        await trio.sleep(SOON)
        status = await status_of(observed, "all", "MeshMultiZoneService")
        assert [each["zone"] for each in status["meshServices"]] == ["west"]


async def test_two_control_planes_give_each_service_one_address_and_then_rest() -> None:
    observed = Observed()
    await mesh(observed)
    await generator(observed, "g", "{{ .Name }}.x", "meshService")
    async with keeping(observed, jobs=2):
        for number in range(30):
            await dataplane(observed, f"d{number}", inbound(80, f"s{number}"))
        await trio.sleep(1)
        names = await services(observed)
        assert len(names) == 30
        given = {await address(observed, name) for name in names}
        assert len(given) == 30
        revision = await observed.store.revision()
        await trio.sleep(HOUR)
        assert await observed.store.revision() == revision


async def test_the_last_address_of_each_range_is_stored() -> None:
    observed = Observed()
    await mesh(observed, {})
    async with keeping(observed):
        await put(observed, "MeshService", "a", {})
        await external(observed, "b")
        await trio.sleep(SOON)
        config = await observed.read("Config", "", CONFIG_NAME)
        assert config is not None
        assert json.loads(config["config"]) == {
            "241.0.0.0/8": "241.0.0.0",
            "242.0.0.0/8": "242.0.0.0",
        }


@pytest.mark.parametrize("is_older", [True, False])
async def test_of_two_services_with_one_address_the_older_one_keeps_it(
    caplog: pytest.LogCaptureFixture, *, is_older: bool
) -> None:
    observed = Observed()
    await mesh(observed, {})
    async with keeping(observed):
        await put(observed, "MeshService", "a", {})
        await trio.sleep(1)
        status = json.dumps({"vips": [{"ip": "241.0.0.0"}], "tls": {}, "dataplaneProxies": {}})
        copy = Put(
            key=ResourceKey("MeshService", "m", "copy"),
            spec=json.dumps({"spec": {}}),
            status=status,
            at=observed.now(),
            created_at=NOON - timedelta(hours=1) if is_older else None,
        )
        await observed.store.apply([copy])
        await trio.sleep(SOON)
        addresses = [await address(observed, name) for name in ("a", "copy")]
    kept = ["241.0.0.0", "241.0.0.1"]
    assert addresses == (kept[::-1] if is_older else kept)
    told = [each for each in caplog.messages if each.startswith("service-address-doubled")]
    assert len(told) == 1
