"""Connections nobody holds are closed; proxies that stay away are taken out.

Source: docs/wire/dataplanes.md#liveness
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.insights.liveness import generation_moved
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.insights import DataplaneInsight
from kong_mesh_cp.core.schema.messages import read_message, write_message
from kong_mesh_cp.usecases.upkeep.liveness_upkeep import (
    COLLECTION_SECONDS,
    AbsenceCollector,
    CleanupAges,
    ConnectionCloser,
    IdleTimeouts,
)
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.observed import NOON, Observed, subscription

pytestmark = pytest.mark.usefixtures("autojump_clock")

IDLE = 300.0
ZONE_IDLE = 600.0
AGE = 72 * 3600.0


@asynccontextmanager
async def _closing(observed: Observed) -> AsyncIterator[None]:
    timeouts = IdleTimeouts(dataplane=IDLE, zone=ZONE_IDLE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ConnectionCloser(observed.store, timeouts, observed.now).run)
        await trio.sleep(1)
        yield
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _collecting(observed: Observed) -> AsyncIterator[None]:
    ages = CleanupAges(dataplane=AGE, zone_resource=2 * AGE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(AbsenceCollector(observed.store, ages, observed.now).run)
        yield
        nursery.cancel_scope.cancel()


async def _ends(observed: Observed, type_name: str, mesh: str, name: str) -> list[object]:
    insight = await observed.read(type_name, mesh, name)
    assert insight is not None
    return [each.get("disconnectTime") for each in insight["subscriptions"]]


async def test_a_connection_that_stands_still_is_closed_at_the_second_look(
    caplog: pytest.LogCaptureFixture,
) -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one")
    await observed.seen("one", subscription("a", ended=NOON), subscription("b"))
    async with _closing(observed):
        assert await _ends(observed, "DataplaneInsight", "m", "one") == [
            "2026-11-21T12:00:00Z",
            None,
        ]
        await trio.sleep(IDLE)
        assert await _ends(observed, "DataplaneInsight", "m", "one") == [
            "2026-11-21T12:00:00Z",
            "2026-11-21T12:05:00Z",
        ]
    assert [each.message for each in caplog.records] == [
        (
            "connections-closed: 1 of type DataplaneInsight, m/one the first, belonged to a"
            " control plane that gives no sign of life, and count as offline now. If it should be"
            " alive, look there: systemctl status kong-mesh-cp"
        )
    ]


async def test_a_connection_whose_holder_lives_stays_open() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.proxy("one")
    await observed.seen("one", subscription("a"))

    async def holder() -> None:
        while True:
            await trio.sleep(IDLE / 2 - 7)  # not at the moment of a look
            document = await observed.read("DataplaneInsight", "m", "one")
            insight = generation_moved(read_message(DataplaneInsight, document), "a")
            await observed.put("DataplaneInsight", "m", "one", write_message(insight))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(holder)
        async with _closing(observed):
            await trio.sleep(10 * IDLE)
            assert await _ends(observed, "DataplaneInsight", "m", "one") == [None]
            nursery.cancel_scope.cancel()


async def test_a_new_connection_has_its_whole_time() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.seen("one", subscription("a"))
    async with _closing(observed):
        await trio.sleep(IDLE - 2)
        await observed.seen("one", subscription("b"))
        await trio.sleep(IDLE)
        assert await _ends(observed, "DataplaneInsight", "m", "one") == [None]
        await trio.sleep(IDLE)
        assert await _ends(observed, "DataplaneInsight", "m", "one") != [None]


@pytest.mark.parametrize("type_name", ["ZoneIngressInsight", "ZoneEgressInsight"])
async def test_zone_proxies_are_closed_as_data_plane_proxies_are(type_name: str) -> None:
    observed = Observed()
    await observed.put(type_name, "", "z", {"subscriptions": [subscription()]})
    async with _closing(observed):
        await trio.sleep(IDLE)
        assert await _ends(observed, type_name, "", "z") == ["2026-11-21T12:05:00Z"]


async def test_zones_have_a_time_of_their_own() -> None:
    observed = Observed()
    await observed.put("ZoneInsight", "", "east", {"subscriptions": [subscription()]})
    async with _closing(observed):
        await trio.sleep(IDLE)
        assert await _ends(observed, "ZoneInsight", "", "east") == [None]
        await trio.sleep(ZONE_IDLE - IDLE)
        assert await _ends(observed, "ZoneInsight", "", "east") == ["2026-11-21T12:10:00Z"]


async def test_what_control_planes_of_another_mode_hold_is_left_to_them() -> None:
    observed = Observed()
    await observed.put("ZoneInsight", "", "east", {"subscriptions": [subscription()]})
    await observed.put("ZoneIngressInsight", "", "z", {"subscriptions": [subscription()]})
    for timeouts in (
        IdleTimeouts(dataplane=None, zone=None),
        IdleTimeouts(dataplane=IDLE, zone=None),
    ):
        with trio.move_on_after(3 * IDLE):
            await ConnectionCloser(observed.store, timeouts, observed.now).run()
        assert await _ends(observed, "ZoneInsight", "", "east") == [None]
    assert await _ends(observed, "ZoneIngressInsight", "", "z") != [None]


async def test_closing_changes_nothing_else_of_an_insight() -> None:
    observed = Observed()
    await observed.mesh()
    document = {"subscriptions": [subscription()], "mTLS": {"issuedBackend": "ca-1"}}
    await observed.put("DataplaneInsight", "m", "one", document)
    async with _closing(observed):
        await trio.sleep(IDLE)
    after = await observed.read("DataplaneInsight", "m", "one")
    assert after is not None
    assert after["mTLS"] == {"issuedBackend": "ca-1"}
    assert after["subscriptions"][0]["connectTime"] == "2026-01-01T00:00:00Z"
    await observed.delete("Mesh", "", "m")
    assert await observed.read("DataplaneInsight", "m", "one") is None, "its owner is kept"


async def test_a_proxy_that_stays_away_is_taken_out_with_its_insight(
    caplog: pytest.LogCaptureFixture,
) -> None:
    observed = Observed()
    await observed.mesh()
    for name, ended in (("away", NOON), ("later", NOON + timedelta(hours=1)), ("here", None)):
        await observed.proxy(name)
        await observed.seen(name, subscription(ended=ended))
    await observed.proxy("never seen")
    with caplog.at_level(logging.INFO):
        async with _collecting(observed):
            await trio.sleep(AGE)
            assert await observed.read("Dataplane", "m", "away") is not None
            await trio.sleep(2 * COLLECTION_SECONDS)
    names = [key.name for key in await _keys(observed, "Dataplane")]
    assert names == ["here", "later", "never seen"]
    assert [key.name for key in await _keys(observed, "DataplaneInsight")] == ["here", "later"]
    assert [each.message for each in caplog.records] == [
        (
            "proxy-removed: Dataplane m/away was away since 2026-11-21T12:00:00Z, longer than"
            " runtime.universal.dataplaneCleanupAge allows"
        )
    ]


async def test_zone_proxies_have_an_age_of_their_own() -> None:
    observed = Observed()
    for type_name in ("ZoneIngress", "ZoneEgress"):
        await observed.put(type_name, "", "z", {})
        document = {"subscriptions": [subscription(ended=NOON)]}
        await observed.put(f"{type_name}Insight", "", "z", document)
    async with _collecting(observed):
        await trio.sleep(AGE + 2 * COLLECTION_SECONDS)
        assert await observed.read("ZoneIngress", "", "z") is not None
        await trio.sleep(AGE)
    for type_name in ("ZoneIngress", "ZoneEgress", "ZoneIngressInsight", "ZoneEgressInsight"):
        assert await observed.read(type_name, "", "z") is None


async def test_an_insight_without_its_proxy_goes_too() -> None:
    observed = Observed()
    await observed.mesh()
    await observed.seen("ghost", subscription(ended=NOON))
    async with _collecting(observed):
        await trio.sleep(AGE + 2 * COLLECTION_SECONDS)
    assert await _keys(observed, "DataplaneInsight") == []


async def test_a_store_that_fails_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    store = FakeResourceStore()
    observed = Observed(store)
    store.failure = StateError("the disk is full", code="state-full", hint="Make room.")
    with caplog.at_level(logging.INFO):
        async with _closing(observed), _collecting(observed):
            await trio.sleep(3 * ZONE_IDLE)
            store.failure = None
            await trio.sleep(ZONE_IDLE)
    lines = [each.message for each in caplog.records]
    assert sorted(lines) == [
        "connections-closed-again: the store answers again",
        "connections-not-closed: the disk is full; trying again. Make room.",
        "proxies-not-removed: the disk is full; trying again. Make room.",
        "proxies-removed-again: the store answers again",
    ]


async def _keys(observed: Observed, type_name: str) -> list[ResourceKey]:
    assert isinstance(observed.store, FakeResourceStore)
    return [key for key in sorted(observed.store.resources) if key.type == type_name]
