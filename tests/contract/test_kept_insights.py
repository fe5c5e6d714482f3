"""Insights follow the changes of every store, and of one that two control planes share."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import trio

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import Put, ResourceStore
from kong_mesh_cp.usecases.resources.reader import mesh_key
from kong_mesh_cp.usecases.upkeep.insight_upkeep import ResyncIntervals
from support.fakes.observed import keep_insights
from support.fakes.resources import FEED_SECONDS_MAX, ResourceOpening

if TYPE_CHECKING:
    from kong_mesh_cp.shell.store.postgres.address import PostgresAddress

# Short, so that a test of real stores is; how long they are is tested under a clock of its own.
INTERVALS = ResyncIntervals(minimum=0.1, full=20.0)
INSIGHT = ResourceKey("MeshInsight", "", "m")
PROXIES = 20


def _now() -> datetime:
    return datetime.now(UTC)


async def _put(store: ResourceStore, key: ResourceKey, document: object) -> None:
    owner = mesh_key(key.mesh) if key.mesh else None
    await store.apply([Put(key=key, spec=json.dumps(document), at=_now(), owner=owner)])


async def _proxy(store: ResourceStore, number: int) -> None:
    networking = {"inbound": [{"port": 80, "tags": {"kuma.io/service": f"s{number % 3}"}}]}
    await _put(store, ResourceKey("Dataplane", "m", f"p{number}"), {"networking": networking})


async def _counted(store: ResourceStore, proxies: int) -> Any:
    """The insight as soon as it knows of that many."""
    with trio.fail_after(FEED_SECONDS_MAX), store.changes() as feed:
        while True:
            stored = await store.get(INSIGHT)
            document = json.loads(stored.spec) if stored else {}
            if document.get("dataplanes", {}).get("total", 0) == proxies:
                return document
            await anext(feed)


async def _keep(store: ResourceStore) -> None:
    await keep_insights(store, _now, INTERVALS)


async def test_insights_follow_what_is_written(opening: ResourceOpening) -> None:
    async with opening() as store:
        await _put(store, mesh_key("m"), {})
        await _proxy(store, 0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_keep, store)
            await _counted(store, 1)
            for number in range(1, PROXIES):
                await _proxy(store, number)
            insight = await _counted(store, PROXIES)
            assert insight["services"] == {"total": 3, "internal": 3}
            nursery.cancel_scope.cancel()
        services = await store.get(ResourceKey("ServiceInsight", "m", "all-services-m"))
        assert services is not None
        assert services.owner == mesh_key("m")


async def test_control_planes_that_share_a_store_agree(database: PostgresAddress) -> None:
    from support.daemons.postgres import opened

    async with opened(database) as one, opened(database) as other:
        await _put(one.resources, mesh_key("m"), {})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_keep, one.resources)
            nursery.start_soon(_keep, other.resources)
            for number in range(PROXIES):
                await _proxy((one, other)[number % 2].resources, number)
            await _counted(one.resources, PROXIES)
            await _counted(other.resources, PROXIES)
            nursery.cancel_scope.cancel()
