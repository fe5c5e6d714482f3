"""The aggregated discovery service: the gRPC methods over which Envoys are configured.

Source: docs/wire/streams.md#stream
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.discovery.delta import DeltaStream
from kong_mesh_cp.core.discovery.exchanges import Response
from kong_mesh_cp.core.discovery.ordered_stream import OrderedStream
from kong_mesh_cp.core.discovery.sotw import SotwStream
from kong_mesh_cp.shell.dp_server.methods import DELTA, STATE_OF_THE_WORLD
from kong_mesh_cp.shell.grpc.calls import Call, Method
from kong_mesh_cp.shell.grpc.status import GrpcError, Status
from kong_mesh_cp.usecases.data_plane.stream_ports import Ending, Received, StreamEndedError
from kong_mesh_cp.usecases.data_plane.streams import Streams

_IPV4_MAPPED: Final = "::ffff:"  # how a listener for both versions sees IPv4
_AUTHORIZATION: Final = "authorization"
STATUSES: Final[Mapping[Ending, Status]] = {
    Ending.REFUSED: Status.UNKNOWN,  # as the original, which gives its errors no status
    Ending.FULL: Status.RESOURCE_EXHAUSTED,
    Ending.NOT_NOW: Status.UNAVAILABLE,
    Ending.GONE: Status.NOT_FOUND,
    Ending.ELSEWHERE: Status.ABORTED,
}


class Codec(Protocol):
    """The binary form of one variant."""

    def decode(self, message: bytes) -> Received:
        """Raises: ValueError for what is no request."""
        ...

    def encode(self, response: Response) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Variant:
    """State of the world, or incremental: how it is written, and the rules it follows."""

    codec: Codec
    table: Callable[[], OrderedStream]


class AdsStream:
    """`usecases.data_plane.stream_ports.ProxyStream` over a call."""

    def __init__(self, call: Call, variant: Variant, stopping: Callable[[], bool]) -> None:
        self._call = call
        self._codec = variant.codec
        self._stopping = stopping
        self.table = variant.table

    @property
    def credentials(self) -> Sequence[str] | None:
        return self._call.metadata.get(_AUTHORIZATION, ())

    @property
    def address(self) -> str:
        address = self._call.peer.address
        return "-" if address is None else address[0].removeprefix(_IPV4_MAPPED)

    @property
    def connection(self) -> object:
        return self._call.peer.socket

    @property
    def stopping(self) -> bool:
        return self._stopping()

    async def receive(self) -> Received | None:
        """Raises: GrpcError for what is no request."""
        message = await self._call.receive()
        if message is None:
            return None
        try:
            return self._codec.decode(message)
        except ValueError as error:
            text = f"the message is no discovery request: {error}"
            raise GrpcError(Status.INVALID_ARGUMENT, text) from None

    async def send(self, response: Response) -> None:
        await self._call.send(self._codec.encode(response))


def ads_methods(
    streams: Callable[[], Streams],
    *,
    sotw: Callable[[], Codec],
    delta: Callable[[], Codec],
    stopping: Callable[[], bool],
) -> Mapping[str, Method]:
    """By path. `streams` and the codecs are asked for with the first call: they bring protobuf."""

    def serving(codec: Callable[[], Codec], table: Callable[[], OrderedStream]) -> Method:
        async def serve(call: Call) -> None:
            try:
                await streams().serve(AdsStream(call, Variant(codec(), table), stopping))
            except StreamEndedError as error:
                raise GrpcError(STATUSES[error.ending], error.message) from None

        return serve

    return {
        STATE_OF_THE_WORLD: serving(sotw, SotwStream),
        DELTA: serving(delta, DeltaStream),
    }
