"""The methods of ADS, called by grpc's own client: what it gets, and with which status."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import grpc
import trio
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.struct_pb2 import Struct

from kong_mesh_cp.core.discovery.snapshots import Resource, Snapshot
from kong_mesh_cp.core.discovery.type_order import CLUSTERS
from kong_mesh_cp.shell.dp_server.ads import ads_methods
from kong_mesh_cp.shell.dp_server.discovery_messages import DeltaCodec, SotwCodec
from kong_mesh_cp.shell.dp_server.methods import STATE_OF_THE_WORLD
from support.daemons.tls_peers import pair
from support.data_plane.proxy_streams import Plane, node, open_plane, token
from support.fakes.attending import sidecar, stored
from support.http2.grpc_peers import serving_grpc
from support.suites.patience import HANG_SECONDS

T = TypeVar("T")


class GrpcEnvoy:
    """Envoy's side of one stream, for a thread."""

    def __init__(self, channel: grpc.Channel, credentials: tuple[str, ...]) -> None:
        self._said: SimpleQueue[bytes | None] = SimpleQueue()
        self._call = channel.stream_stream(STATE_OF_THE_WORLD, None, None)(
            iter(self._said.get, None),
            metadata=tuple(("authorization", each) for each in credentials),
            timeout=HANG_SECONDS,
        )

    def say(self, **members: Any) -> None:
        self._said.put(DiscoveryRequest(**members).SerializeToString())

    def say_bytes(self, message: bytes) -> None:
        self._said.put(message)

    def half_close(self) -> None:
        self._said.put(None)

    def hear(self) -> DiscoveryResponse:
        return DiscoveryResponse.FromString(next(self._call))

    def end(self) -> tuple[grpc.StatusCode, str]:
        """Status and text of the end, once all that came before was heard."""
        try:
            for _ in self._call:
                pass
        except grpc.RpcError:
            pass
        return self._call.code(), self._call.details()


def envoy_node(name: str = "backend-1") -> Node:
    told = node(name, brings=sidecar(name))
    metadata = Struct()
    metadata.update({name: str(value) for name, value in told.metadata.items()})
    return Node(id=told.id, metadata=metadata)


def resource(text: str) -> Resource:
    packed = AnyMessage(type_url=CLUSTERS, value=text.encode()).SerializeToString()
    return Resource.of(text, packed)


class Served:
    """A control plane on a port, and clients of it in threads."""

    def __init__(self, plane: Plane, port: int) -> None:
        self.plane, self._port = plane, port

    async def speak(self, said: Callable[[GrpcEnvoy], T], *credentials: str) -> T:
        def run() -> T:
            options = [("grpc.ssl_target_name_override", "localhost")]
            trusted = grpc.ssl_channel_credentials(pair().certificate)
            with grpc.secure_channel(f"127.0.0.1:{self._port}", trusted, options) as channel:
                return said(GrpcEnvoy(channel, credentials))

        return await trio.to_thread.run_sync(run)


@asynccontextmanager
async def serving(folder: Path, **terms: Any) -> AsyncIterator[Served]:
    async with open_plane(**terms) as plane:
        plane.publishing.publish(Snapshot.of({CLUSTERS: [resource("a")]}))
        methods = ads_methods(
            lambda: plane.streams,
            sotw=lambda: SotwCodec("cp-1"),
            delta=lambda: DeltaCodec("cp-1"),
            stopping=lambda: False,
        )
        async with serving_grpc(folder, methods) as server:
            yield Served(plane, server.port)


async def test_an_envoy_is_told_its_configuration(tmp_path: Path) -> None:
    def speak(envoy: GrpcEnvoy) -> tuple[DiscoveryResponse, grpc.StatusCode]:
        envoy.say(node=envoy_node(), type_url=CLUSTERS)
        response = envoy.hear()
        envoy.say(
            type_url=CLUSTERS,
            version_info=response.version_info,
            response_nonce=response.nonce,
        )
        envoy.half_close()
        return response, envoy.end()[0]

    async with serving(tmp_path) as served:
        response, status = await served.speak(speak, await token(served.plane.desk))

        assert [each.value for each in response.resources] == [b"a"]
        assert response.type_url == CLUSTERS
        assert status is grpc.StatusCode.OK
        assert stored(served.plane.desk) == ["backend-1"]


async def refusal(served: Served, *credentials: str) -> tuple[grpc.StatusCode, str]:
    def speak(envoy: GrpcEnvoy) -> tuple[grpc.StatusCode, str]:
        envoy.say(node=envoy_node(), type_url=CLUSTERS)
        return envoy.end()

    return await served.speak(speak, *credentials)


async def test_a_proxy_without_its_token_hears_why(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert await refusal(served, await token(served.plane.desk, "other")) == (
            grpc.StatusCode.UNKNOWN,
            (
                "authentication failed: proxy name from requestor: backend-1 is different than in "
                "token: other"
            ),
        )
        status, text = await refusal(served, "one", "two")
        assert status is grpc.StatusCode.UNKNOWN
        assert text.endswith('request must have exactly 1 "authorization" header, got 2')


async def test_one_too_many_hears_that_there_is_no_room(tmp_path: Path) -> None:
    async with serving(tmp_path, limit=0) as served:
        status, text = await refusal(served, await token(served.plane.desk))

        assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert text.startswith("license-limit: all 0 seats of the pre-bundled license are taken")


async def test_a_start_asks_for_patience(tmp_path: Path) -> None:
    async with serving(tmp_path, serving=False) as served:
        status, _ = await refusal(served, await token(served.plane.desk))

        assert status is grpc.StatusCode.UNAVAILABLE


async def test_what_is_no_request_is_told_as_that(tmp_path: Path) -> None:
    def speak(envoy: GrpcEnvoy) -> tuple[grpc.StatusCode, str]:
        envoy.say_bytes(b"\xff\xff\xff")
        return envoy.end()

    async with serving(tmp_path) as served:
        status, text = await served.speak(speak)

        assert status is grpc.StatusCode.INVALID_ARGUMENT
        assert text.startswith("the message is no discovery request: ")


async def test_a_refused_response_is_counted_and_kept(tmp_path: Path) -> None:
    def speak(envoy: GrpcEnvoy) -> None:
        envoy.say(node=envoy_node(), type_url=CLUSTERS)
        response = envoy.hear()
        envoy.say(
            type_url=CLUSTERS,
            response_nonce=response.nonce,
            error_detail={"code": 3, "message": "no such cluster"},
        )
        envoy.half_close()
        envoy.end()

    async with serving(tmp_path) as served:
        await served.speak(speak, await token(served.plane.desk))

        assert served.plane.metrics.refused == {CLUSTERS: 1}


async def test_a_lost_connection_frees_the_seat(tmp_path: Path) -> None:
    def speak(envoy: GrpcEnvoy) -> None:
        envoy.say(node=envoy_node(), type_url=CLUSTERS)
        envoy.hear()

    async with serving(tmp_path) as served:
        with trio.fail_after(HANG_SECONDS):
            await served.speak(speak, await token(served.plane.desk))  # and closes the channel
            while served.plane.desk.seating.active:
                await trio.lowlevel.checkpoint()
