"""What Prometheus is told, and when (docs/wire/metrics.md#assignments)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.monitoring.monitored_meshes import (
    ASSIGNMENTS_AT_ONCE_MAX,
    MonitoredMeshes,
    Told,
)
from kong_mesh_cp.usecases.monitoring.scrape_assignments import DEFAULT_CLIENT
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.observed import Observed

pytestmark = pytest.mark.usefixtures("autojump_clock")

INTERVAL = 1.0
LONG = 60.0
PROMETHEUS = {"name": "p", "type": "prometheus", "conf": {"port": 9, "path": "/m"}}
METRICS = {"metrics": {"enabledBackend": "p", "backends": [PROMETHEUS]}}


class Stage:
    """A store, and a client that asks."""

    def __init__(self, meshes: MonitoredMeshes, observed: Observed) -> None:
        self.meshes, self.observed = meshes, observed
        self.stopping = trio.Event()

    async def told(self, client: str = "") -> Told:
        """As it is now, worked out anew."""
        await trio.sleep(INTERVAL)
        found = await self.meshes.fetch(client, "", 0, self.stopping)
        assert found is not None
        return found

    async def addresses(self, client: str = "") -> list[str]:
        return [each.address for each in (await self.told(client)).assignments]

    async def proxy(self, name: str, address: str, mesh: str = "m", **networking: Any) -> None:
        inbound = {"port": 80, "tags": {"kuma.io/service": "web", "version": name}}
        document = {"networking": {"address": address, "inbound": [inbound], **networking}}
        await self.observed.put("Dataplane", mesh, name, document)

    async def measure(
        self, *backends: dict[str, Any], name: str = "p", mesh: str = "m", **spec: Any
    ) -> None:
        document = {"spec": {**spec, "default": {"backends": list(backends)}}}
        await self.observed.put("MeshMetric", mesh, name, document)


def prometheus(port: int, **more: object) -> dict[str, Any]:
    return {"type": "Prometheus", "prometheus": {"port": port, "path": "/metrics", **more}}


@asynccontextmanager
async def staged(store: FakeResourceStore | None = None) -> AsyncIterator[Stage]:
    observed = Observed(store or FakeResourceStore())
    await observed.put("Mesh", "", "m", METRICS)
    replica = Replica(observed.store)
    meshes = MonitoredMeshes(replica, INTERVAL)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        nursery.start_soon(meshes.run)
        yield Stage(meshes, observed)
        nursery.cancel_scope.cancel()


async def test_proxies_of_a_mesh_with_metrics_are_told_with_their_labels() -> None:
    async with staged() as stage:
        await stage.proxy("web-1", "10.0.0.1", advertisedAddress="192.0.2.1")
        (found,) = (await stage.told()).assignments
        assert (found.mesh, found.proxy, found.service) == ("m", "web-1", "web")
        assert (found.scheme, found.address, found.path) == ("http", "192.0.2.1:9", "/m")
        assert found.labels["kuma_io_service"] == "web"
        assert found.labels["versions"] == ",web-1,"


async def test_many_proxies_are_told_with_a_version_that_ends_when_one_goes() -> None:
    count = ASSIGNMENTS_AT_ONCE_MAX + 2
    async with staged() as stage:
        for number in range(count):
            await stage.proxy(f"web-{number}", f"10.0.{number // 256}.{number % 256}")
        before = await stage.told()
        assert len({each.address for each in before.assignments}) == count
        await stage.observed.put("Mesh", "", "m", METRICS)
        assert await stage.told() == before
        await stage.observed.delete("Dataplane", "m", "web-0")
        after = await stage.told()
        assert len(after.assignments) == count - 1
        assert after.version != before.version


async def test_a_mesh_without_metrics_has_none() -> None:
    async with staged() as stage:
        await stage.observed.put("Mesh", "", "other", {})
        await stage.proxy("web-1", "10.0.0.1", "other")
        assert await stage.addresses() == []


async def test_a_meshmetric_is_for_the_clients_that_it_names() -> None:
    async with staged() as stage:
        await stage.proxy("web-1", "10.0.0.1")
        await stage.proxy("web-2", "10.0.0.2")
        await stage.measure(
            prometheus(1),
            prometheus(2, clientId="own", tls={"mode": "ProvidedTLS"}),
            targetRef={"kind": "MeshSubset", "tags": {"version": "web-1"}},
        )
        # What no MeshMetric is about is scraped as the Mesh says.
        assert await stage.addresses() == ["10.0.0.1:1", "10.0.0.2:9"]
        assert await stage.addresses(DEFAULT_CLIENT) == ["10.0.0.1:1", "10.0.0.2:9"]
        assert await stage.addresses("nobody") == ["10.0.0.1:1", "10.0.0.2:9"]
        (own,) = (await stage.told("own")).assignments
        assert (own.address, own.scheme, own.labels) == ("10.0.0.1:2", "https", {})


async def test_policies_are_merged_and_backends_that_push_are_left_out() -> None:
    async with staged() as stage:
        await stage.proxy("web-1", "10.0.0.1")
        pushed = {"type": "OpenTelemetry", "openTelemetry": {"endpoint": "o:1"}}
        await stage.measure(prometheus(1), name="b")
        await stage.measure(pushed, prometheus(7), name="a")
        assert await stage.addresses() == ["10.0.0.1:7"]


async def test_the_version_says_what_is_told() -> None:
    async with staged() as stage, staged() as another:
        for each in (stage, another):
            await each.proxy("web-1", "10.0.0.1")
        first = await stage.told()
        assert first.version == (await another.told()).version
        await stage.proxy("web-1", "10.0.0.2")
        assert (await stage.told()).version != first.version


async def test_who_knows_all_is_told_nothing_and_waits_as_long_as_he_said() -> None:
    async with staged() as stage:
        known = (await stage.told()).version
        began = trio.current_time()
        assert await stage.meshes.fetch("", known, LONG, stage.stopping) is None
        assert trio.current_time() - began == pytest.approx(LONG)
        assert await stage.meshes.fetch("", known, 0, stage.stopping) is None


async def test_who_waits_hears_of_a_change_within_the_interval() -> None:
    async with staged() as stage:
        known, began = (await stage.told()).version, trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.proxy, "web-1", "10.0.0.1")
            found = await stage.meshes.fetch("", known, LONG, stage.stopping)
        assert found is not None
        assert [each.address for each in found.assignments] == ["10.0.0.1:9"]
        assert trio.current_time() - began <= INTERVAL


async def test_what_changes_nothing_wakes_nobody_up() -> None:
    async with staged() as stage:
        await stage.proxy("web-1", "10.0.0.1")
        known, began = (await stage.told()).version, trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.proxy, "web-1", "10.0.0.1")
            assert await stage.meshes.fetch("", known, LONG, stage.stopping) is None
        assert trio.current_time() - began == pytest.approx(LONG)


async def test_a_change_that_came_too_soon_is_looked_at_when_the_interval_is_over() -> None:
    async with staged() as stage:
        known = (await stage.told()).version
        await stage.proxy("web-1", "10.0.0.1")
        await trio.testing.wait_all_tasks_blocked()
        assert await stage.meshes.fetch("", known, 0, stage.stopping) is None
        assert await stage.meshes.fetch("", known, LONG, stage.stopping) is not None


async def test_a_stop_waits_for_nobody() -> None:
    async with staged() as stage:
        known, began = (await stage.told()).version, trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.meshes.fetch, "", known, LONG, stage.stopping)
            await trio.testing.wait_all_tasks_blocked()
            stage.stopping.set()
        assert trio.current_time() == began


async def test_a_mesh_that_goes_takes_its_proxies_along() -> None:
    async with staged() as stage:
        await stage.proxy("web-1", "10.0.0.1")
        assert await stage.addresses() == ["10.0.0.1:9"]
        await stage.observed.delete("Dataplane", "m", "web-1")
        await stage.observed.delete("Mesh", "", "m")
        assert await stage.addresses() == []


class Failing(FakeResourceStore):
    """While `fails`, it answers no question."""

    fails = False

    async def list(self, selection: Any) -> Any:
        self._fail()
        return await super().list(selection)

    async def list_together(self, selections: Any) -> Any:
        self._fail()
        return await super().list_together(selections)

    def _fail(self) -> None:
        if self.fails:
            raise StateError("it burns", code="state-io", hint="Put it out.")


async def test_a_store_that_fails_is_asked_again() -> None:
    store = Failing()
    async with staged(store) as stage:
        await stage.told()
        store.fails = True
        await stage.proxy("web-1", "10.0.0.1")
        with pytest.raises(StateError):
            await stage.told()
        store.fails = False
        assert await stage.addresses() == ["10.0.0.1:9"]
