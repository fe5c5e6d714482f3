"""Services of a mesh are made and told of as proxies and resources come and go.

Source: docs/wire/services.md#generated-services, docs/wire/services.md#status
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection

import pytest
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import StoredResource
from kong_mesh_cp.usecases.resources.reader import mesh_key
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.observed import Observed, subscription
from support.meshes.observed_services import (
    COUNTS_INTERVAL,
    EVERYWHERE,
    GENERATED,
    HOUR,
    MTLS,
    SOON,
    address,
    dataplane,
    generator,
    hostnames,
    inbound,
    keeping,
    mesh,
    put,
    services,
    spec_of,
    status_of,
    stored,
)

pytestmark = pytest.mark.usefixtures("autojump_clock")


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


async def test_a_conflict_is_told_once_also_beside_a_service_of_another_type_with_the_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    observed = Observed()
    await mesh(observed)
    async with keeping(observed):
        await dataplane(observed, "one", inbound(80))
        await dataplane(observed, "two", inbound(81))
        await trio.sleep(SOON)
        matched = {"selector": {"meshService": {"matchLabels": {"kuma.io/display-name": "web"}}}}
        await put(observed, "MeshMultiZoneService", "web", {**matched, "ports": [{"port": 80}]})
        await trio.sleep(SOON)
        await dataplane(observed, "two", inbound(81, state="NotReady"))
        await trio.sleep(SOON)
        await observed.delete("MeshMultiZoneService", "m", "web")
        await dataplane(observed, "two", inbound(81))
        await trio.sleep(SOON)
    told = [each for each in caplog.messages if each.startswith("mesh-service-conflict")]
    assert len(told) == 1


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


@pytest.mark.parametrize("mode", ["Everywhere", "Disabled"])
async def test_what_another_zone_has_generated_is_left_to_that_zone(mode: str) -> None:
    observed = Observed()
    await mesh(observed, {"meshServices": {"mode": mode}})
    labels = {**GENERATED, "kuma.io/origin": "global", "kuma.io/zone": "east"}
    spec = {
        "selector": {"dataplaneTags": {"kuma.io/service": "web"}},
        "ports": [{"port": 80, "targetPort": 80}],
    }
    async with keeping(observed):
        await put(observed, "MeshService", "web-of-east", spec, labels=labels)
        await trio.sleep(2 * HOUR)
        assert (await stored(observed, "web-of-east")).labels == labels


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


class SlowStore(FakeResourceStore):
    """Answers questions after a while, so that there is rest after the work on an answer."""

    async def get_many(self, keys: Collection[ResourceKey]) -> dict[ResourceKey, StoredResource]:
        await trio.sleep(1)
        return await super().get_many(keys)


async def test_services_of_a_mesh_that_is_not_read_yet_are_not_missed() -> None:
    observed = Observed(SlowStore())
    await mesh(observed, {}, "first")
    async with keeping(observed):
        await mesh(observed, EVERYWHERE, "first")
        await trio.sleep(2)
        await mesh(observed)
        await put(observed, "MeshService", "hand", {"ports": [{"port": 80}]})
        await dataplane(observed, "one", inbound())
        await trio.sleep(60)
        assert await address(observed, "hand")
        assert await address(observed, "web")
