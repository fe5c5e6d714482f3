"""What a global control plane serves on the port for zones.

Source: docs/wire/zone-sync.md#calls
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from kong_mesh_cp.core.discovery.exchanges import Response
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.schema.message_binary import decode, encode
from kong_mesh_cp.core.schema.wire_format import BinaryError
from kong_mesh_cp.core.zone_sync.wire_messages import (
    AdminRequest,
    AdminResponse,
    ZoneHealthCheckRequest,
    ZoneHealthCheckResponse,
)
from kong_mesh_cp.shell.grpc.calls import Call, Method
from kong_mesh_cp.shell.grpc.status import GrpcError, Status
from kong_mesh_cp.shell.zone_sync import methods
from kong_mesh_cp.shell.zone_sync.reading import read_beside
from kong_mesh_cp.shell.zone_sync.sync_messages import (
    OwnNode,
    answering_request,
    first_request,
    read_request,
    read_response,
    response_bytes,
)
from kong_mesh_cp.usecases.zone_sync.admin_tunnel import AdminTunnel, Question
from kong_mesh_cp.usecases.zone_sync.global_side import GlobalSide, ZoneTold
from kong_mesh_cp.usecases.zone_sync.sync_ports import Asked, Ending, SyncEndedError, Told

IDENTIFIER: Final = "global"  # of this side, in its responses

_STATUSES: Final[Mapping[Ending, Status]] = {
    Ending.UNNAMED: Status.UNKNOWN,  # as the original, which gives its errors no status
    Ending.MISNAMED: Status.INVALID_ARGUMENT,
    Ending.UNKNOWN_TYPE: Status.INTERNAL,
    Ending.NOT_STORED: Status.INTERNAL,
    Ending.UNHEARD: Status.CANCELLED,
}
_ADMIN: Final[Mapping[str, Question]] = {
    methods.CONFIG_DUMPS: Question.CONFIG_DUMP,
    methods.STATS: Question.STATS,
    methods.CLUSTERS: Question.CLUSTERS,
}


class SendingCall:
    """`usecases.zone_sync.sync_ports.SendingStream` over a call."""

    def __init__(self, call: Call, identifier: str) -> None:
        self._call = call
        self._identifier = identifier

    async def receive(self) -> Asked | None:
        """Raises: GrpcError for what is no request."""
        message = await self._call.receive()
        if message is None:
            return None
        try:
            return await read_beside(read_request, message)
        except BinaryError as error:
            raise _unreadable(error) from None

    async def send(self, response: Response) -> None:
        message = response_bytes(response, self._identifier)
        if len(message) > methods.MESSAGE_BYTES_MAX:
            text = (
                f"trying to send message larger than max ({len(message)} vs."
                f" {methods.MESSAGE_BYTES_MAX})"
            )
            raise GrpcError(Status.RESOURCE_EXHAUSTED, text)
        await self._call.send(message)


class ReceivingCall:
    """`usecases.zone_sync.sync_ports.ReceivingStream` over a call."""

    def __init__(self, call: Call, node: OwnNode) -> None:
        self._call = call
        self._node = node

    async def receive(self) -> Told | None:
        """Raises: GrpcError for what is no response."""
        message = await self._call.receive()
        if message is None:
            return None
        try:
            return await read_beside(read_response, message)
        except BinaryError as error:
            raise _unreadable(error) from None

    async def subscribe(self, type_name: str) -> None:
        await self._call.send(first_request(self._node, type_name))

    async def answer(self, told: Told, refusal: str) -> None:
        await self._call.send(answering_request(self._node, told, refusal))


class AdminCall:
    """`usecases.zone_sync.admin_tunnel.AdminStream` over a call."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def receive(self) -> AdminResponse | None:
        message = await self._call.receive()
        if message is None:
            return None
        try:
            return await read_beside(partial(decode, AdminResponse), message)
        except BinaryError as error:
            raise _unreadable(error) from None

    async def send(self, request: AdminRequest) -> None:
        await self._call.send(encode(request))


def zone_methods(
    side: Callable[[], Awaitable[GlobalSide]],
    tunnel: AdminTunnel,
    node_of: Callable[[str], OwnNode],
    *,
    interval: int,
) -> Mapping[str, Method]:
    """By path. `side` is asked for with each call. `node_of`: this control plane to a zone.

    `interval`: between two health checks of a zone, in nanoseconds.
    """

    async def down(call: Call) -> None:
        told = ZoneTold.of(call.metadata)
        await (await side()).global_to_zone(told, SendingCall(call, IDENTIFIER))

    async def up(call: Call) -> None:
        told = ZoneTold.of(call.metadata)
        await (await side()).zone_to_global(told, ReceivingCall(call, node_of(told.zone)))

    async def check(call: Call) -> None:
        told = _named(call)
        message = await call.receive()
        try:
            await read_beside(partial(decode, ZoneHealthCheckRequest), message or b"")
        except BinaryError as error:
            raise _unreadable(error) from None
        (await side()).heard(told)
        await call.send(encode(ZoneHealthCheckResponse(interval=interval)))

    async def admin(call: Call) -> None:
        told = _named(call)
        await side()
        await tunnel.serve(told.zone, _ADMIN[call.path], AdminCall(call))

    return {
        methods.GLOBAL_TO_ZONE: _ending(down),
        methods.ZONE_TO_GLOBAL: _ending(up),
        methods.HEALTH_CHECK: _ending(check),
        **dict.fromkeys(_ADMIN, _ending(admin)),
    }


def _named(call: Call) -> ZoneTold:
    """As the original, whose other service has a status for this."""
    try:
        return ZoneTold.of(call.metadata)
    except SyncEndedError as error:
        raise GrpcError(Status.INVALID_ARGUMENT, error.message) from None


def _ending(method: Method) -> Method:
    """`method`, with the statuses of how it ends."""

    async def serve(call: Call) -> None:
        try:
            await method(call)
        except SyncEndedError as error:
            raise GrpcError(_STATUSES[error.ending], error.message) from None
        except StateError as error:
            raise GrpcError(Status.UNAVAILABLE, f"{error.code}: {error.message}") from None
        except ExceptionGroup as group:
            raise _first(group) from None

    return serve


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """What ends a call whose tasks have ended together. Raises nothing: a defect is in it."""
    for each in group.exceptions:
        error = _first(each) if isinstance(each, ExceptionGroup) else each
        if isinstance(error, SyncEndedError):
            return GrpcError(_STATUSES[error.ending], error.message)
        if isinstance(error, StateError):
            return GrpcError(Status.UNAVAILABLE, f"{error.code}: {error.message}")
        return error
    return group


def _unreadable(error: BinaryError) -> GrpcError:
    return GrpcError(Status.INVALID_ARGUMENT, f"the message cannot be read: {error}")
