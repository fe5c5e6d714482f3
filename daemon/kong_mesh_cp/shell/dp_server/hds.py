"""The health discovery service: the gRPC method over which Envoys report health.

Source: docs/wire/discovery.md#health
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from kong_mesh_cp.core.xds.health_checks import HealthSpecifier
from kong_mesh_cp.shell.dp_server.ads import STATUSES
from kong_mesh_cp.shell.dp_server.health_messages import health_specifier, read_health_message
from kong_mesh_cp.shell.dp_server.methods import HEALTH
from kong_mesh_cp.shell.grpc.calls import Call, Method
from kong_mesh_cp.shell.grpc.status import GrpcError, Status
from kong_mesh_cp.usecases.data_plane.health import HealthMessage, HealthStreams
from kong_mesh_cp.usecases.data_plane.stream_ports import NodeTold, StreamEndedError

_AUTHORIZATION: Final = "authorization"


class HdsStream:
    """`usecases.data_plane.health.HealthStream` over a call."""

    def __init__(self, call: Call) -> None:
        self._call = call

    @property
    def credentials(self) -> Sequence[str] | None:
        return self._call.metadata.get(_AUTHORIZATION, ())

    async def receive(self) -> HealthMessage | None:
        """Raises: GrpcError for what is neither a request nor a report."""
        message = await self._call.receive()
        if message is None:
            return None
        try:
            read = read_health_message(message)
        except ValueError as error:
            text = f"the message is no health message: {error}"
            raise GrpcError(Status.INVALID_ARGUMENT, text) from None
        if read is None or isinstance(read, NodeTold):
            return HealthMessage(read, None)
        return HealthMessage(None, read)

    async def send(self, specifier: HealthSpecifier) -> None:
        await self._call.send(health_specifier(specifier))


def hds_methods(streams: Callable[[], HealthStreams]) -> Mapping[str, Method]:
    """By path. `streams` is asked for with the first call."""

    async def serve(call: Call) -> None:
        try:
            await streams().serve(HdsStream(call))
        except StreamEndedError as error:
            raise GrpcError(STATUSES[error.ending], error.message) from None

    return {HEALTH: serve}
