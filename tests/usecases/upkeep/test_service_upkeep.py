"""Services of a mesh are made, named and told of as proxies and resources come and go.

Source: docs/wire/services.md#services
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import ip_network

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.meshes.services.service_addresses import CONFIG_NAME
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import Put, Selection, StoredResource
from kong_mesh_cp.usecases.resources.reader import mesh_key
from kong_mesh_cp.usecases.upkeep.mesh_services import GenerationRules
from kong_mesh_cp.usecases.upkeep.service_upkeep import ServiceRules, ServiceUpkeep
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.observed import Json, Observed, subscription

pytestmark = pytest.mark.usefixtures("autojump_clock")

SOON = 0.1  # seconds after which what a write brings about is there
COUNTS_INTERVAL = 5.0
HOUR = 3600.0
EVERYWHERE: Json = {"meshServices": {"mode": "Everywhere"}}
MTLS: Json = {
    **EVERYWHERE,
    "mtls": {"enabledBackend": "ca", "backends": [{"name": "ca", "type": "builtin"}]},
}
GENERATED = {
    "kuma.io/display-name": "web",
    "kuma.io/env": "universal",
    "kuma.io/managed-by": "meshservice-generator",
    "kuma.io/mesh": "m",
    "kuma.io/origin": "zone",
    "kuma.io/zone": "west",
}


def rules(*, service_range: str = "241.0.0.0/8") -> ServiceRules:
    return ServiceRules(
        generation=GenerationRules(zone="west", grace_period=timedelta(hours=1)),
        networks={
            "MeshService": ip_network(service_range),
            "MeshExternalService": ip_network("242.0.0.0/8"),
            "MeshMultiZoneService": ip_network("243.0.0.0/8"),
        },
        counts_interval=COUNTS_INTERVAL,
    )


async def keep(observed: Observed, kept: ServiceRules) -> None:
    replica = Replica(observed.store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        nursery.start_soon(ServiceUpkeep(replica, kept, observed.now).run)


@asynccontextmanager
async def keeping(
    observed: Observed, *, jobs: int = 1, kept: ServiceRules | None = None
) -> AsyncIterator[None]:
    """While control planes look after the services; the first time is done."""
    async with trio.open_nursery() as nursery:
        for _ in range(jobs):
            nursery.start_soon(keep, observed, kept or rules())
        await trio.sleep(SOON)
        yield
        nursery.cancel_scope.cancel()


async def mesh(observed: Observed, spec: Json | None = None, name: str = "m") -> None:
    await observed.put("Mesh", "", name, EVERYWHERE if spec is None else spec)


async def put(
    observed: Observed,
    type_name: str,
    name: str,
    spec: Json,
    *,
    labels: Mapping[str, str] | None = None,
    in_mesh: str = "m",
) -> None:
    """As a client writes it: without a status."""
    await observed.store.apply(
        [
            Put(
                key=ResourceKey(type_name, in_mesh, name),
                spec=json.dumps({"spec": spec}),
                labels=labels or {},
                at=observed.now(),
                owner=mesh_key(in_mesh) if in_mesh else None,
            )
        ]
    )


async def dataplane(observed: Observed, name: str, *inbounds: Json) -> None:
    await observed.put("Dataplane", "m", name, {"networking": {"inbound": list(inbounds)}})


def inbound(port: int = 80, service: str = "web", **more: object) -> Json:
    return {"port": port, "tags": {"kuma.io/service": service}, **more}


async def generator(observed: Observed, name: str, template: str, selector: str) -> None:
    spec = {"selector": {selector: {"matchLabels": {}}}, "template": template}
    await put(observed, "HostnameGenerator", name, spec, in_mesh="")


async def external(observed: Observed, name: str) -> None:
    await put(observed, "MeshExternalService", name, {"match": {"port": 443, "protocol": "tcp"}})


async def stored(
    observed: Observed, name: str, type_name: str = "MeshService", in_mesh: str = "m"
) -> StoredResource:
    found = await observed.store.get(ResourceKey(type_name, in_mesh, name))
    assert found is not None, f"no {type_name} {name}"
    return found


async def spec_of(observed: Observed, name: str) -> Json:
    spec: Json = json.loads((await stored(observed, name)).spec)["spec"]
    return spec


async def status_of(observed: Observed, name: str, type_name: str = "MeshService") -> Json:
    status: Json = json.loads((await stored(observed, name, type_name)).status or "{}")
    return status


async def services(observed: Observed) -> set[str]:
    page = await observed.store.list(Selection(type="MeshService", mesh="m"))
    return {each.key.name for each in page.items}


async def address(observed: Observed, name: str) -> str:
    (vip,) = (await status_of(observed, name))["vips"]
    found: str = vip["ip"]
    return found


async def hostnames(observed: Observed, name: str, type_name: str = "MeshService") -> list[str]:
    status = await status_of(observed, name, type_name)
    return [each["hostname"] for each in status.get("addresses", [])]


async def test_a_service_of_the_first_proxy_is_whole_from_its_first_version_on() -> None:
    observed = Observed()
    await mesh(observed)
    await generator(observed, "g", "{{ .DisplayName }}.svc.mesh.local", "meshService")
    async with keeping(observed):
        await dataplane(observed, "one", inbound())
        await trio.sleep(SOON)
        found = await stored(observed, "web")
        assert found.version == 1
        assert found.labels == GENERATED
        assert found.owner == mesh_key("m")
        assert json.loads(found.spec)["spec"] == {
            "state": "Available",
            "selector": {"dataplaneTags": {"kuma.io/service": "web"}},
            "ports": [{"name": "80", "port": 80, "targetPort": 80, "appProtocol": "tcp"}],
            "identities": [{"type": "ServiceTag", "value": "web"}],
        }
        status = await status_of(observed, "web")
        assert status["vips"] == [{"ip": "241.0.0.0"}]
        assert await hostnames(observed, "web") == ["web.svc.mesh.local"]
        assert status["tls"] == {"status": "NotReady"}
        assert status["dataplaneProxies"] == {"healthy": 1, "total": 1}


async def test_what_is_there_at_the_start_is_looked_after() -> None:
    observed = Observed()
    await mesh(observed)
    await dataplane(observed, "one", inbound(), inbound(81, "api"))
    async with keeping(observed):
        assert await services(observed) == {"api", "web"}


async def test_a_mesh_that_has_none_gets_none_and_one_that_gets_the_mode_gets_them() -> None:
    observed = Observed()
    await mesh(observed, {})
    await dataplane(observed, "one", inbound())
    async with keeping(observed):
        assert await services(observed) == set()
        await mesh(observed, {"meshServices": {"mode": "Exclusive"}})
        await trio.sleep(SOON)
        assert await services(observed) == {"web"}
        await put(observed, "MeshService", "hand", {"ports": [{"port": 80}]})
        await mesh(observed, {"meshServices": {"mode": "Disabled"}})
        await trio.sleep(SOON)
        assert await services(observed) == {"hand"}
        await mesh(observed)
        await trio.sleep(SOON)
        assert await services(observed) == {"hand", "web"}


async def test_a_service_that_cannot_be_named_is_left_out() -> None:
    observed = Observed()
    await mesh(observed)
    async with keeping(observed):
        await dataplane(observed, "one", inbound(80, "a_b"), inbound(81, "1st"), inbound(82))
        await trio.sleep(SOON)
        assert await services(observed) == {"web"}


async def test_the_oldest_proxy_decides_on_ports_and_the_conflict_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    observed = Observed()
    await mesh(observed)
    with caplog.at_level(logging.WARNING):
        async with keeping(observed):
            await dataplane(observed, "one", inbound(80))
            await trio.sleep(SOON)
            await dataplane(observed, "two", inbound(81))
            await trio.sleep(SOON)
            await dataplane(observed, "two", inbound(81, state="NotReady"))
            await trio.sleep(SOON)
            assert [each["port"] for each in (await spec_of(observed, "web"))["ports"]] == [80]
            await observed.delete("Dataplane", "m", "one")
            await trio.sleep(SOON)
            assert [each["port"] for each in (await spec_of(observed, "web"))["ports"]] == [81]
    told = [each for each in caplog.messages if each.startswith("mesh-service-conflict")]
    assert len(told) == 1
    assert '"two" the first' in told[0]


async def test_a_service_without_proxies_stays_for_its_grace_period() -> None:
    observed = Observed()
    await mesh(observed)
    async with keeping(observed):
        await dataplane(observed, "one", inbound())
        await trio.sleep(SOON)
        await observed.delete("Dataplane", "m", "one")
        await trio.sleep(SOON)
        left = (await stored(observed, "web")).labels
        assert left.keys() - GENERATED.keys() == {"kuma.io/deletion-grace-period-started-at"}
        assert (await spec_of(observed, "web"))["state"] == "Unavailable"
        await trio.sleep(HOUR - 1)
        assert await services(observed) == {"web"}
        await trio.sleep(1)
        assert await services(observed) == set()


async def test_a_proxy_that_comes_back_ends_the_grace_period_and_finds_the_address() -> None:
    observed = Observed()
    await mesh(observed)
    async with keeping(observed):
        await dataplane(observed, "one", inbound())
        await trio.sleep(SOON)
        before = await address(observed, "web")
        await observed.delete("Dataplane", "m", "one")
        await trio.sleep(HOUR / 2)
        await dataplane(observed, "two", inbound())
        await trio.sleep(HOUR)
        assert (await stored(observed, "web")).labels == GENERATED
        assert await address(observed, "web") == before


async def test_a_grace_period_goes_on_over_a_restart() -> None:
    observed = Observed()
    await mesh(observed)
    async with keeping(observed):
        await dataplane(observed, "one", inbound())
        await trio.sleep(SOON)
        await observed.delete("Dataplane", "m", "one")
        await trio.sleep(HOUR / 2)
    async with keeping(observed):
        assert await services(observed) == {"web"}
        await trio.sleep(HOUR / 2)
        assert await services(observed) == set()


async def test_a_service_of_somebody_else_is_not_replaced_and_not_deleted() -> None:
    observed = Observed()
    await mesh(observed)
    async with keeping(observed):
        spec = {
            "selector": {"dataplaneTags": {"kuma.io/service": "web"}},
            "ports": [{"port": 8000, "targetPort": 80}],
        }
        await put(observed, "MeshService", "web", spec, labels={"team": "x"})
        await dataplane(observed, "one", inbound())
        await trio.sleep(SOON)
        assert [each["port"] for each in (await spec_of(observed, "web"))["ports"]] == [8000]
        assert (await status_of(observed, "web"))["dataplaneProxies"] == {"healthy": 1, "total": 1}
        await observed.delete("Dataplane", "m", "one")
        await trio.sleep(2 * HOUR)
        found = await stored(observed, "web")
        assert found.labels == {"team": "x"}
        assert "dataplaneProxies" in (await status_of(observed, "web"))


async def test_what_another_zone_says_of_its_service_stays() -> None:
    observed = Observed()
    await mesh(observed)
    async with keeping(observed):
        spec = {
            "state": "Available",
            "selector": {"dataplaneTags": {"kuma.io/service": "web"}},
            "ports": [{"port": 80, "targetPort": 80}],
            "identities": [{"type": "ServiceTag", "value": "theirs"}],
        }
        labels = {"kuma.io/origin": "global", "kuma.io/zone": "east"}
        await put(observed, "MeshService", "web-x1", spec, labels=labels)
        await dataplane(observed, "one", inbound())
        await trio.sleep(SOON)
        there = await spec_of(observed, "web-x1")
        assert there["identities"] == [{"type": "ServiceTag", "value": "theirs"}]
        assert there["state"] == "Available"
        assert (await status_of(observed, "web-x1"))["dataplaneProxies"] == {}
        assert await address(observed, "web-x1")


async def test_counts_alone_are_written_at_once_and_then_at_intervals() -> None:
    observed = Observed()
    await mesh(observed)
    async with keeping(observed):
        for name in ("one", "two", "three"):
            await dataplane(observed, name, inbound())
        await trio.sleep(2 * COUNTS_INTERVAL)
        await observed.seen("one", subscription())
        await trio.sleep(SOON)
        counts = (await status_of(observed, "web"))["dataplaneProxies"]
        assert counts == {"connected": 1, "healthy": 3, "total": 3}
        before = (await stored(observed, "web")).version
        await observed.seen("two", subscription())
        await observed.seen("three", subscription())
        await trio.sleep(SOON)
        assert (await stored(observed, "web")).version == before
        await trio.sleep(COUNTS_INTERVAL)
        assert (await stored(observed, "web")).version == before + 1
        counts = (await status_of(observed, "web"))["dataplaneProxies"]
        assert counts == {"connected": 3, "healthy": 3, "total": 3}


async def test_anything_else_than_counts_does_not_wait() -> None:
    observed = Observed()
    await mesh(observed)
    async with keeping(observed):
        await dataplane(observed, "one", inbound())
        await observed.seen("one", subscription())
        await trio.sleep(SOON)
        await dataplane(observed, "one", inbound(state="NotReady"))
        await trio.sleep(SOON)
        assert (await spec_of(observed, "web"))["state"] == "Unavailable"
        await dataplane(observed, "one", inbound(), inbound(90, "more"))
        await trio.sleep(SOON)
        spec = await spec_of(observed, "web")
        assert spec["state"] == "Available"
        assert [each["value"] for each in spec["identities"]] == ["more", "web"]


async def test_tls_is_ready_when_every_proxy_has_its_certificate() -> None:
    observed = Observed()
    await mesh(observed, MTLS)
    issued = {"subscriptions": [subscription()], "mTLS": {"issuedBackend": "ca"}}
    async with keeping(observed):
        await dataplane(observed, "one", inbound())
        await dataplane(observed, "two", inbound())
        await observed.put("DataplaneInsight", "m", "one", issued)
        await trio.sleep(SOON)
        assert (await status_of(observed, "web"))["tls"] == {"status": "NotReady"}
        await observed.put("DataplaneInsight", "m", "two", issued)
        await trio.sleep(SOON)
        assert (await status_of(observed, "web"))["tls"] == {"status": "Ready"}
        await dataplane(observed, "three", inbound())
        await trio.sleep(SOON)
        assert (await status_of(observed, "web"))["tls"] == {"status": "Ready"}
        await mesh(observed)
        await trio.sleep(SOON)
        assert (await status_of(observed, "web"))["tls"] == {"status": "NotReady"}


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


async def test_with_the_mesh_its_services_go_and_a_new_one_begins_anew() -> None:
    observed = Observed()
    await mesh(observed)
    async with keeping(observed):
        await dataplane(observed, "one", inbound())
        await trio.sleep(SOON)
        await observed.delete("Mesh", "", "m")
        await mesh(observed)
        await trio.sleep(SOON)
        assert await services(observed) == set()
        await dataplane(observed, "one", inbound())
        await trio.sleep(SOON)
        assert await address(observed, "web") == "241.0.0.1"


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


async def test_a_store_that_fails_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    store = FakeResourceStore()
    observed = Observed(store)
    await mesh(observed)
    with caplog.at_level(logging.INFO):
        async with keeping(observed):
            store.failure = StateError("no disk", code="state-full", hint="Make room.")
            await trio.sleep(1)
            store.failure = None
            await dataplane(observed, "one", inbound())
            await trio.sleep(10)
            assert await services(observed) == {"web"}


async def test_what_no_release_has_stored_counts_for_no_service(
    caplog: pytest.LogCaptureFixture,
) -> None:
    observed = Observed()
    await mesh(observed)
    with caplog.at_level(logging.ERROR):
        async with keeping(observed):
            await dataplane(observed, "one", inbound())
            await observed.put("MeshService", "m", "bad", {"spec": {"ports": 7}})
            await observed.put("Dataplane", "m", "two", {"networking": 7})
            await trio.sleep(SOON)
            assert await services(observed) == {"bad", "web"}
            counts = (await status_of(observed, "web"))["dataplaneProxies"]
            assert counts == {"healthy": 1, "total": 1}
    assert sum(each.startswith("resource-unreadable") for each in caplog.messages) == 2


NAMES = st.sampled_from(["a", "b", "c"])
SERVICES = st.sampled_from(["web", "api", "x_y"])
STEPS = st.one_of(
    st.tuples(st.just("dataplane"), NAMES, SERVICES, st.integers(80, 81)),
    st.tuples(st.just("no dataplane"), NAMES),
    st.tuples(st.just("insight"), NAMES, st.booleans(), st.booleans()),
    st.tuples(st.just("mesh"), st.sampled_from([EVERYWHERE, MTLS, {}])),
    st.tuples(st.just("service"), SERVICES, NAMES),
    st.tuples(st.just("no service"), SERVICES),
    st.tuples(st.just("multi"), NAMES, st.sampled_from(["", "web", "t"])),
    st.tuples(st.just("generator"), NAMES, st.sampled_from(["{{ .Name }}.x", "same.x"])),
    st.tuples(st.just("no generator"), NAMES),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 10.0, HOUR])),
)


async def take(observed: Observed, step: tuple[object, ...]) -> None:
    match step:
        case ("dataplane", str(name), str(service), int(port)):
            await dataplane(observed, name, inbound(port, service))
        case ("insight", str(name), bool(is_online), bool(certified)):
            document: Json = {"subscriptions": [subscription()] if is_online else []}
            await observed.put(
                "DataplaneInsight",
                "m",
                name,
                {**document, "mTLS": {"issuedBackend": "ca" if certified else ""}},
            )
        case ("mesh", dict(spec)):
            await mesh(observed, spec)
        case ("service", str(service), str(name)):
            spec = {"selector": {"dataplaneRef": {"name": name}}, "ports": [{"port": 80}]}
            await put(observed, "MeshService", service.replace("_", "-"), spec, labels={"t": "t"})
        case ("multi", str(name), str(label)):
            spec = {"selector": {"meshService": {"matchLabels": {"t": label}}}}
            await put(observed, "MeshMultiZoneService", name, {**spec, "ports": [{"port": 1}]})
        case ("generator", str(name), str(template)):
            await generator(observed, name, template, "meshService")
        case ("wait", float(seconds)):
            await trio.sleep(seconds)
        case (str(gone), str(name)):
            types = {
                "no dataplane": ("Dataplane", "m"),
                "no service": ("MeshService", "m"),
                "no generator": ("HostnameGenerator", ""),
            }
            type_name, in_mesh = types[gone]
            name = name.replace("_", "-")
            if await observed.store.get(ResourceKey(type_name, in_mesh, name)):
                await observed.delete(type_name, in_mesh, name)
        case _:
            raise AssertionError(step)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=25))
def test_a_control_plane_that_begins_anew_finds_nothing_to_do(
    steps: list[tuple[object, ...]],
) -> None:
    async def run() -> None:
        observed = Observed()
        await mesh(observed)
        async with keeping(observed):
            for step in steps:
                await take(observed, step)
            await trio.sleep(2 * COUNTS_INTERVAL)
        revision = await observed.store.revision()
        async with keeping(observed):
            await trio.sleep(2 * COUNTS_INTERVAL)
        assert await observed.store.revision() == revision
        given = [
            json.loads(each.status or "{}").get("vips")
            for each in (await observed.store.list(Selection(type="MeshService"))).items
        ]
        assert len({str(each) for each in given}) == len(given)

    trio.run(run, clock=MockClock(autojump_threshold=0))


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
