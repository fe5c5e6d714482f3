"""What a global control plane answers to zones: docs/wire/zone-sync.md#calls."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.kinds.subscriptions import KumaCpVersion
from kong_mesh_cp.core.schema.message_binary import decode, encode
from kong_mesh_cp.core.zone_sync.directions import DOWN
from kong_mesh_cp.core.zone_sync.wire_messages import (
    ZoneHealthCheckRequest,
    ZoneHealthCheckResponse,
)
from kong_mesh_cp.shell.grpc.client import ClientCall, GrpcClient
from kong_mesh_cp.shell.grpc.dialing import Address, Trust, dial
from kong_mesh_cp.shell.grpc.status import GrpcError, Status
from kong_mesh_cp.shell.http.h2.client import ClientConnection, ServerGoneError
from kong_mesh_cp.shell.zone_sync import methods
from kong_mesh_cp.shell.zone_sync.dialled_calls import TERMS
from kong_mesh_cp.shell.zone_sync.served_calls import zone_methods
from kong_mesh_cp.shell.zone_sync.sync_messages import OwnNode
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.zone_sync.admin_tunnel import AdminTunnel
from kong_mesh_cp.usecases.zone_sync.global_side import GlobalSide
from kong_mesh_cp.usecases.zone_sync.offers import Offers
from kong_mesh_cp.usecases.zone_sync.zone_insights import RecordingTerms, ZoneInsights
from support.fakes.fake_resources import FakeResourceStore
from support.http2.grpc_peers import serving_grpc

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EAST = [("client-id", "east")]
INTERVAL = 5_000_000_000


def node_of(zone: str) -> OwnNode:
    return OwnNode(id=zone, instance="cp-1", version=KumaCpVersion(), config="", features=())


def global_side() -> tuple[GlobalSide, AdminTunnel]:
    store = FakeResourceStore()
    terms = RecordingTerms(flush=math.inf, idle=math.inf)
    insights = ZoneInsights(store, "cp-1", terms, lambda: NOW, lambda: "1")
    offers = Offers(Replica(store), DOWN, lambda _resource: None)
    return GlobalSide(store, offers, insights, lambda: NOW), AdminTunnel(insights, lambda: "1")


@asynccontextmanager
async def connected(
    folder: Path, side: Callable[[GlobalSide], Awaitable[GlobalSide]]
) -> AsyncIterator[GrpcClient]:
    made, tunnel = global_side()
    served_methods = zone_methods(lambda: side(made), tunnel, node_of, interval=INTERVAL)
    async with serving_grpc(folder, served_methods, terms=TERMS) as served:
        address = Address.parse(f"grpcs://127.0.0.1:{served.port}")
        connection = ClientConnection(await dial(address, Trust(is_blind=True)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lost, connection)
            yield GrpcClient(connection, authority="cp", scheme="https", terms=TERMS)
            nursery.cancel_scope.cancel()


async def lost(connection: ClientConnection) -> None:
    with pytest.raises(ServerGoneError):
        await connection.run()


async def checked(
    client: GrpcClient, metadata: Sequence[tuple[str, str]] = EAST
) -> ZoneHealthCheckResponse:
    call: ClientCall = client.call(methods.HEALTH_CHECK, metadata, user_agent="test")
    await call.send(encode(ZoneHealthCheckRequest()))
    call.finish()
    message = await call.receive()
    assert message is not None
    return decode(ZoneHealthCheckResponse, message)


async def at_once(side: GlobalSide) -> GlobalSide:
    await trio.lowlevel.checkpoint()
    return side


async def test_a_zone_is_told_when_to_say_again_that_it_is_there(tmp_path: Path) -> None:
    async with connected(tmp_path, at_once) as client:
        assert (await checked(client)).interval == INTERVAL


async def test_a_zone_without_a_name_is_refused(tmp_path: Path) -> None:
    async with connected(tmp_path, at_once) as client:
        with pytest.raises(GrpcError, match="client-id") as caught:
            await checked(client, [])
        assert caught.value.status is Status.INVALID_ARGUMENT


async def test_a_global_control_plane_without_its_store_is_there_again_with_the_next_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failures = [StateError(code="store-gone", message="the store is gone", hint="")]

    async def side(made: GlobalSide) -> GlobalSide:
        await trio.lowlevel.checkpoint()
        if failures:
            raise failures.pop()
        return made

    async with connected(tmp_path, side) as client:
        with pytest.raises(GrpcError, match="store-gone: the store is gone") as caught:
            await checked(client)
        assert caught.value.status is Status.UNAVAILABLE
        assert (await checked(client)).interval == INTERVAL
    assert "request-failed" not in caplog.text
