"""What the control plane of a zone calls at the global one.

Source: docs/wire/zone-sync.md#calls
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, TypeVar

import trio

from kong_mesh_cp.core.discovery.exchanges import Response
from kong_mesh_cp.core.schema.message_binary import decode, encode
from kong_mesh_cp.core.schema.messages import Message
from kong_mesh_cp.core.schema.wire_format import BinaryError
from kong_mesh_cp.core.zone_sync.wire_messages import (
    AdminRequest,
    AdminResponse,
    ConfigDumpRequest,
    FormattedRequest,
    ZoneHealthCheckRequest,
    ZoneHealthCheckResponse,
)
from kong_mesh_cp.shell.grpc.client import ClientCall, GrpcClient
from kong_mesh_cp.shell.grpc.dialing import Address, Trust, dial
from kong_mesh_cp.shell.grpc.status import GrpcError, Status
from kong_mesh_cp.shell.grpc.terms import CallTerms
from kong_mesh_cp.shell.http.h2.client import ClientConnection, ServerGoneError
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
from kong_mesh_cp.usecases.zone_sync.sync_ports import Asked, Told
from kong_mesh_cp.usecases.zone_sync.zone_side import (
    GlobalConnection,
    GlobalLostError,
    NotOfferedError,
)

HEALTH_SECONDS_MAX: Final = 10.0  # for an answer to a sign of life
ANSWERS_AT_ONCE: Final = 16  # questions about Envoys

CONTENT_BYTES_MAX: Final = methods.MESSAGE_BYTES_MAX - 64 * 1024  # room for what is around it

TERMS: Final = CallTerms(message_bytes_max=methods.MESSAGE_BYTES_MAX, takes_gzip=True)
_REQUESTS: Final[Mapping[str, type[AdminRequest]]] = {
    methods.CONFIG_DUMPS: ConfigDumpRequest,
    methods.STATS: FormattedRequest,
    methods.CLUSTERS: FormattedRequest,
}

T = TypeVar("T")
M = TypeVar("M", bound=Message)

AskEnvoy = Callable[[str, AdminRequest], Awaitable[bytes]]
"""What the Envoy of a proxy of this zone answers; by the path of the call that asks. Raises:
ValueError whose text goes back."""


class Dialler:
    """Connects to the global control plane."""

    def __init__(
        self,
        address: Address,
        trust: Trust,
        node: OwnNode,
        metadata: Sequence[tuple[str, str]],
        ask: AskEnvoy,
        *,
        user_agent: str,
    ) -> None:
        """`metadata`: of each call."""
        self._address = address
        self._trust = trust
        self._node = node
        self._metadata = metadata
        self._ask = ask
        self._user_agent = user_agent

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[GlobalConnection]:
        """Raises: GlobalLostError."""
        try:
            stream = await dial(self._address, self._trust)
        except ServerGoneError as error:
            raise GlobalLostError(str(error)) from None
        connection = ClientConnection(stream)
        client = GrpcClient(
            connection,
            authority=self._address.authority,
            scheme="https" if self._address.is_secured else "http",
            terms=TERMS,
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_hold, connection)
            yield _Connection(client, self._node, self._metadata, self._ask, self._user_agent)
            nursery.cancel_scope.cancel()


async def _hold(connection: ClientConnection) -> None:
    try:
        await connection.run()
    except ServerGoneError as error:
        raise GlobalLostError(str(error)) from None


class _Connection:
    """`usecases.zone_sync.zone_side.GlobalConnection`."""

    def __init__(
        self,
        client: GrpcClient,
        node: OwnNode,
        metadata: Sequence[tuple[str, str]],
        ask: AskEnvoy,
        user_agent: str,
    ) -> None:
        self._client = client
        self._node = node
        self._metadata = metadata
        self._ask = ask
        self._user_agent = user_agent

    def down(self) -> _Down:
        return _Down(self._call(methods.GLOBAL_TO_ZONE), self._node)

    def up(self) -> _Up:
        return _Up(self._call(methods.ZONE_TO_GLOBAL), self._node.id)

    async def alive(self) -> int:
        with trio.move_on_after(HEALTH_SECONDS_MAX):
            call = self._call(methods.HEALTH_CHECK)
            with _Told(methods.HEALTH_CHECK):
                await call.send(encode(ZoneHealthCheckRequest()))
                call.finish()
                message = await call.receive()
                return (await _read(ZoneHealthCheckResponse, message or b"")).interval or 0
        raise GlobalLostError("the global control plane does not answer a health check")

    async def answer_questions(self) -> None:
        async with trio.open_nursery() as nursery:
            for path in _REQUESTS:
                nursery.start_soon(self._answer, path)

    async def _answer(self, path: str) -> None:
        call = self._call(path)
        places = trio.Semaphore(ANSWERS_AT_ONCE)
        with _Told(path):
            async with trio.open_nursery() as nursery:
                while (message := await call.receive()) is not None:
                    await places.acquire()
                    request = await _read(_REQUESTS[path], message)
                    nursery.start_soon(self._answer_one, call, path, request, places)
                nursery.cancel_scope.cancel()
        raise GlobalLostError("the global control plane has ended a stream of questions")

    async def _answer_one(
        self, call: ClientCall, path: str, request: AdminRequest, places: trio.Semaphore
    ) -> None:
        try:
            try:
                content = await self._ask(path, request)
                _require_short(content)
            except ValueError as error:
                response = AdminResponse(request_id=request.request_id, error=str(error))
            else:
                response = AdminResponse(request_id=request.request_id, content=content)
            await call.send(encode(response))
        finally:
            places.release()

    def _call(self, path: str) -> ClientCall:
        try:
            return self._client.call(path, self._metadata, user_agent=self._user_agent)
        except GrpcError as error:
            raise GlobalLostError(error.message) from None


class _Told:
    """What the end of a call means for the connection."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if isinstance(error, GrpcError):
            if error.status is Status.UNIMPLEMENTED:
                raise NotOfferedError(f"{self._path} is not offered") from None
            text = f"{self._path} has ended: {error.status.name} {error.message}"
            raise GlobalLostError(text) from None


class _Down:
    """`ReceivingStream` of a zone."""

    def __init__(self, call: ClientCall, node: OwnNode) -> None:
        self._call = call
        self._node = node

    async def receive(self) -> Told | None:
        with _Told(methods.GLOBAL_TO_ZONE):
            message = await self._call.receive()
            return None if message is None else await _parsed(read_response, message)

    async def subscribe(self, type_name: str) -> None:
        with _Told(methods.GLOBAL_TO_ZONE):
            await self._call.send(first_request(self._node, type_name))

    async def answer(self, told: Told, refusal: str) -> None:
        with _Told(methods.GLOBAL_TO_ZONE):
            await self._call.send(answering_request(self._node, told, refusal))


class _Up:
    """`SendingStream` of a zone."""

    def __init__(self, call: ClientCall, zone: str) -> None:
        self._call = call
        self._zone = zone

    async def receive(self) -> Asked | None:
        with _Told(methods.ZONE_TO_GLOBAL):
            message = await self._call.receive()
            return None if message is None else await _parsed(read_request, message)

    async def send(self, response: Response) -> None:
        with _Told(methods.ZONE_TO_GLOBAL):
            await self._call.send(response_bytes(response, self._zone))


def _require_short(content: bytes) -> None:
    """A longer message would end the whole connection. Raises: ValueError."""
    if len(content) > CONTENT_BYTES_MAX:
        raise ValueError(
            f"the answer of Envoy has {len(content)} bytes, and a global control plane takes"
            f" {CONTENT_BYTES_MAX}: ask in the zone"
        )


async def _read(message_type: type[M], data: bytes) -> M:
    return await _parsed(partial(decode, message_type), data)


async def _parsed(read: Callable[[bytes], T], data: bytes) -> T:
    try:
        return await read_beside(read, data)
    except BinaryError as error:
        text = f"the global control plane sends what cannot be read: {error}"
        raise GlobalLostError(text) from None
