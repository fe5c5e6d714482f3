"""A zone's part of what it and the global control plane say: docs/wire/zone-sync.md#streams."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
import trio

from kong_mesh_cp.core.discovery.exchanges import Response
from kong_mesh_cp.core.zone_sync.belonging import FromGlobal
from kong_mesh_cp.core.zone_sync.directions import UP
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.zone_sync.offers import Offers
from kong_mesh_cp.usecases.zone_sync.received_resources import Arrivals
from kong_mesh_cp.usecases.zone_sync.sync_ports import Told
from kong_mesh_cp.usecases.zone_sync.zone_insights import RecordingTerms, ZoneInsights
from kong_mesh_cp.usecases.zone_sync.zone_side import HEALTH_SECONDS_MIN, ZoneSide
from support.fakes.fake_resources import FakeResourceStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("autojump_clock")


class SilentStream:
    """Either end of one on which nothing comes."""

    async def receive(self) -> None:
        await trio.sleep_forever()

    async def send(self, response: Response) -> None: ...
    async def subscribe(self, type_name: str) -> None: ...
    async def answer(self, told: Told, refusal: str) -> None: ...


class Restless:
    """A global control plane that wants a sign of life each nanosecond."""

    def __init__(self) -> None:
        self.signs = 0

    def down(self) -> SilentStream:
        return SilentStream()

    def up(self) -> SilentStream:
        return SilentStream()

    async def alive(self) -> int:
        await trio.lowlevel.checkpoint()
        self.signs += 1
        return 1

    async def answer_questions(self) -> None:
        await trio.sleep_forever()


async def test_a_global_control_plane_does_not_keep_its_zones_busy_with_signs_of_life() -> None:
    restless, store = Restless(), FakeResourceStore()

    @asynccontextmanager
    async def dial() -> AsyncIterator[Restless]:
        yield restless

    terms = RecordingTerms(flush=math.inf, idle=math.inf)
    side = ZoneSide(
        "east",
        Arrivals(store, FromGlobal(), lambda: NOW),
        Offers(Replica(store), UP, lambda _resource: None),
        ZoneInsights(store, "east-1", terms, lambda: NOW, lambda: "1", is_global=False),
        dial,
        pauses=(1.0, 1.0),
        jitter=lambda: 0.5,
    )
    with trio.move_on_after(10 * HEALTH_SECONDS_MIN):
        await side.run()
    assert 5 <= restless.signs <= 11
