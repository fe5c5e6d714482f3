"""Meshes with proxies that come and go, over a store of dictionaries."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import trio

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import Delete, Put, ResourceStore
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.reader import mesh_key
from kong_mesh_cp.usecases.upkeep.insight_upkeep import InsightUpkeep, ResyncIntervals
from support.fakes.fake_resources import FakeResourceStore

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
INTERVALS = ResyncIntervals(minimum=1.0, full=20.0)
SOON = 0.5  # seconds after which what could be counted at once is counted

Json = dict[str, Any]


def subscription(name: str = "1", *, ended: datetime | None = None, generation: int = 0) -> Json:
    end = {"disconnectTime": ended.isoformat().replace("+00:00", "Z")} if ended else {}
    return {"id": name, "connectTime": "2026-01-01T00:00:00Z", **end, "generation": generation}


async def keep_insights(
    store: ResourceStore, now: WallClock, intervals: ResyncIntervals = INTERVALS
) -> None:
    """What one control plane does about the insights of `store`, until cancelled."""
    replica = Replica(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        nursery.start_soon(InsightUpkeep(replica, intervals, now).run)


@dataclass
class Observed:
    """Times follow the event loop's clock, from noon on."""

    store: ResourceStore = field(default_factory=FakeResourceStore)
    began: float = field(default_factory=trio.current_time)

    def now(self) -> datetime:
        return NOON + timedelta(seconds=trio.current_time() - self.began)

    async def put(self, type_name: str, mesh: str, name: str, document: Json) -> None:
        key = ResourceKey(type_name, mesh, name)
        owner = mesh_key(mesh) if mesh else None
        await self.store.apply(
            [Put(key=key, spec=json.dumps(document), at=self.now(), owner=owner)]
        )

    async def mesh(self, name: str = "m") -> None:
        await self.put("Mesh", "", name, {})

    async def proxy(self, name: str, service: str = "web", mesh: str = "m") -> None:
        inbound = {"port": 80, "tags": {"kuma.io/service": service}}
        await self.put("Dataplane", mesh, name, {"networking": {"inbound": [inbound]}})

    async def seen(self, name: str, *subscriptions: Json, mesh: str = "m") -> None:
        document = {"subscriptions": list(subscriptions)}
        await self.put("DataplaneInsight", mesh, name, document)

    async def delete(self, type_name: str, mesh: str, name: str) -> None:
        await self.store.apply([Delete(key=ResourceKey(type_name, mesh, name))])

    async def read(self, type_name: str, mesh: str, name: str) -> Json | None:
        stored = await self.store.get(ResourceKey(type_name, mesh, name))
        return None if stored is None else json.loads(stored.spec)

    async def version(self, mesh: str = "m") -> int:
        """How often the MeshInsight was written."""
        stored = await self.store.get(ResourceKey("MeshInsight", "", mesh))
        return 0 if stored is None else stored.version

    async def proxies(self, mesh: str = "m") -> Json:
        """The counts of `mesh` by status."""
        insight = await self.read("MeshInsight", "", mesh)
        assert insight is not None
        counts: Json = insight["dataplanes"]
        return counts

    @asynccontextmanager
    async def kept(self, jobs: int = 1) -> AsyncIterator[None]:
        """While `jobs` control planes keep the insights up to date, the first of them is done."""
        async with trio.open_nursery() as nursery:
            for _ in range(jobs):
                nursery.start_soon(keep_insights, self.store, self.now)
            await trio.sleep(SOON)
            yield
            nursery.cancel_scope.cancel()
