"""A zone beside a global control plane that is none, or a broken one: it serves, and tries again.

docs/wire/zone-sync.md#streams
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from kong_mesh_cp.core.resources.kinds.subscriptions import KumaCpVersion
from kong_mesh_cp.core.schema.message_binary import decode, encode
from kong_mesh_cp.core.zone_sync.belonging import FromGlobal
from kong_mesh_cp.core.zone_sync.directions import UP
from kong_mesh_cp.core.zone_sync.wire_messages import (
    AdminRequest,
    AdminResponse,
    ConfigDumpRequest,
)
from kong_mesh_cp.shell.grpc.calls import Call, Method
from kong_mesh_cp.shell.grpc.dialing import Address, Trust
from kong_mesh_cp.shell.zone_sync import methods
from kong_mesh_cp.shell.zone_sync.dialled_calls import TERMS, Dialler
from kong_mesh_cp.shell.zone_sync.sync_messages import OwnNode
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.zone_sync.offers import Offers
from kong_mesh_cp.usecases.zone_sync.received_resources import Arrivals
from kong_mesh_cp.usecases.zone_sync.zone_insights import RecordingTerms, ZoneInsights
from kong_mesh_cp.usecases.zone_sync.zone_side import ZoneSide
from support.fakes.fake_resources import FakeResourceStore
from support.http2.grpc_peers import serving_grpc

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WAIT_SECONDS = 30.0  # for what takes milliseconds
PAUSES = (0.001, 0.001)


class Met:
    """How often a zone has come, and what its Envoys say."""

    def __init__(self, answer: bytes | Exception = b"") -> None:
        self.times = 0
        self.news = trio.Event()
        self.answer = answer

    def count(self) -> None:
        self.times += 1
        self.news.set()
        self.news = trio.Event()

    async def again(self, times: int) -> None:
        with trio.fail_after(WAIT_SECONDS):
            while self.times < times:
                await self.news.wait()

    async def ask(self, _path: str, _request: AdminRequest) -> bytes:
        await trio.lowlevel.checkpoint()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def silent(_call: Call) -> None:
    await trio.sleep_forever()


SILENT = dict.fromkeys(
    (methods.GLOBAL_TO_ZONE, methods.ZONE_TO_GLOBAL, methods.STATS, methods.CLUSTERS), silent
)


@asynccontextmanager
async def zone_of(folder: Path, met: Met, offered: dict[str, Method]) -> AsyncIterator[ZoneSide]:
    store = FakeResourceStore()
    async with serving_grpc(folder, offered, terms=TERMS) as served:
        node = OwnNode(
            id="east", instance="east-1", version=KumaCpVersion(), config="{}", features=()
        )
        dial = Dialler(
            Address.parse(f"grpcs://127.0.0.1:{served.port}"),
            Trust(is_blind=True),
            node,
            [("client-id", "east")],
            met.ask,
            user_agent="test",
        )
        side = ZoneSide(
            "east",
            Arrivals(store, FromGlobal(), lambda: NOW),
            Offers(Replica(store), UP, lambda _resource: None),
            ZoneInsights(
                store,
                "east-1",
                RecordingTerms(flush=math.inf, idle=math.inf),
                lambda: NOW,
                lambda: "1",
                is_global=False,
            ),
            dial,
            pauses=PAUSES,
            jitter=lambda: 0.5,
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(side.run)
            yield side
            nursery.cancel_scope.cancel()


async def test_a_server_of_something_else_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    met = Met()

    async def check(_call: Call) -> None:
        met.count()

    async with zone_of(tmp_path, met, {methods.HEALTH_CHECK: check}):
        await met.again(times=3)
    assert "global-lost: /kuma.mesh.v1alpha1.KDSSyncService/" in caplog.text
    assert "request-failed" not in caplog.text


async def test_a_defect_ends_the_connection_and_not_the_control_plane(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    met = Met(RuntimeError("nobody has thought of this"))

    async def question(call: Call) -> None:
        met.count()
        await call.send(encode(ConfigDumpRequest(request_id="1")))
        await silent(call)

    async with zone_of(tmp_path, met, {**SILENT, methods.CONFIG_DUMPS: question}):
        await met.again(times=3)
    assert "nobody has thought of this" in caplog.text
    assert "global-lost: this control plane has a defect" in caplog.text


async def test_an_answer_that_is_too_long_is_told_and_the_connection_stays(tmp_path: Path) -> None:
    met = Met(bytes(methods.MESSAGE_BYTES_MAX))
    answers: list[AdminResponse] = []

    async def question(call: Call) -> None:
        for _ in range(2):
            await call.send(encode(ConfigDumpRequest(request_id="1")))
            message = await call.receive()
            assert message is not None
            answers.append(decode(AdminResponse, message))
            met.count()
        await silent(call)

    async with zone_of(tmp_path, met, {**SILENT, methods.CONFIG_DUMPS: question}):
        await met.again(times=2)
    assert [each.content for each in answers] == [None, None]
    assert all("ask in the zone" in (each.error or "") for each in answers)
