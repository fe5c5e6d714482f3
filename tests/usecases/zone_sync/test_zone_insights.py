"""What is recorded of the connections of zones: docs/wire/zone-sync.md#zoneinsight."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import trio
import trio.testing

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import Put, StoredResource
from kong_mesh_cp.usecases.resources.documents import spec_document
from kong_mesh_cp.usecases.zone_sync.sync_ports import PeerTold
from kong_mesh_cp.usecases.zone_sync.zone_insights import (
    SUBSCRIPTIONS_MAX,
    RecordingTerms,
    ZoneInsights,
)
from support.fakes.fake_resources import FakeResourceStore


class HeldStore(FakeResourceStore):
    """Answers when `held` is set."""

    held = trio.Event()
    held.set()

    async def get(self, key: ResourceKey) -> StoredResource | None:
        await self.held.wait()
        return await super().get(key)


NOW = datetime(2026, 1, 1, tzinfo=UTC)
EAST = ResourceKey("Zone", "", "east")


def insights(store: FakeResourceStore) -> ZoneInsights:
    ids = itertools.count(1)
    terms = RecordingTerms(flush=10.0, idle=300.0)
    return ZoneInsights(store, "cp-1", terms, lambda: NOW, lambda: f"{next(ids)}")


async def with_zone() -> HeldStore:
    store = HeldStore()
    await store.apply([Put(key=EAST, spec="{}", at=NOW, if_version=0)])
    return store


def recorded(store: FakeResourceStore) -> dict[str, Any]:
    return dict(spec_document(store.resources[ResourceKey("ZoneInsight", "", "east")]))


async def test_a_zone_that_goes_while_its_coming_is_recorded_is_not_there() -> None:
    store = await with_zone()
    recording = insights(store)

    with trio.CancelScope() as scope:
        scope.cancel()
        await recording.connected("east", PeerTold(), with_token=False)
    await recording.flush()

    (subscription,) = recorded(store)["subscriptions"]
    assert "disconnectTime" in subscription


async def test_what_is_cut_off_while_it_is_written_is_written_the_next_time() -> None:
    store = await with_zone()
    recording = insights(store)
    connection = await recording.connected("east", PeerTold(), with_token=False)

    store.held = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.ended)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    store.held.set()
    await recording.flush()

    assert "disconnectTime" in recorded(store)["subscriptions"][0]


async def test_of_connections_that_a_failing_store_does_not_take_the_latest_are_kept() -> None:
    store = await with_zone()
    recording = insights(store)
    store.failure = StateError("the store is gone", code="store-gone", hint="")

    for _ in range(3 * SUBSCRIPTIONS_MAX):
        connection = await recording.connected("east", PeerTold(), with_token=False)
        await connection.ended()
    store.failure = None
    await recording.flush()

    shown = [each["id"] for each in recorded(store)["subscriptions"]]
    assert shown == [
        f"{number}" for number in range(2 * SUBSCRIPTIONS_MAX + 1, 3 * SUBSCRIPTIONS_MAX + 1)
    ]
