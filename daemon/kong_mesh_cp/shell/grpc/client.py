"""Calls of a gRPC server: streams of messages both ways, over one connection."""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence
from functools import partial
from typing import Final

import trio

from kong_mesh_cp.shell.grpc.messages import Inbox, framed
from kong_mesh_cp.shell.grpc.metadata import metadata_of
from kong_mesh_cp.shell.grpc.packing import INLINE_BYTES_MAX, packed, unpacked
from kong_mesh_cp.shell.grpc.status import GrpcError, Status
from kong_mesh_cp.shell.grpc.terms import CallTerms
from kong_mesh_cp.shell.http.h2.client import ClientConnection, ClientExchange, ServerGoneError

PACKED_BYTES_MIN: Final = 1024  # of a message, below which packing gains nothing

_STATUSES: Final = {str(each.value): each for each in Status}

Metadata = Sequence[tuple[str, str]]


class ClientCall:
    """One call. Its methods raise GrpcError with which the server has ended it; UNAVAILABLE also
    where the server is gone.
    """

    def __init__(self, exchange: ClientExchange, terms: CallTerms) -> None:
        self._exchange = exchange
        self._terms = terms
        self._inbox: Inbox | None = None  # when the server says how it packs
        self._sending = trio.Lock()  # a message is not cut by another

    async def receive(self) -> bytes | None:
        """One whole message; None: the server has ended the call with OK."""
        while True:
            inbox = self._inbox
            message = None if inbox is None else inbox.take()
            if inbox is not None and message is not None:
                return await self._plain(message) if inbox.is_packed else message
            try:
                data = await self._exchange.receive()
            except ServerGoneError as error:
                raise GrpcError(Status.UNAVAILABLE, str(error)) from None
            if not data:
                self._judge()
                return None
            if self._inbox is None:
                said = metadata_of(self._exchange.head).get("grpc-encoding", ())
                self._inbox = Inbox(self._terms, gzip="gzip" in said)
            self._inbox.feed(data)

    async def send(self, message: bytes) -> None:
        is_packed = self._terms.takes_gzip and len(message) >= PACKED_BYTES_MIN
        if is_packed:
            message = await trio.to_thread.run_sync(packed, message)
        try:
            async with self._sending:
                await self._exchange.send(framed(message, is_packed=is_packed))
        except ServerGoneError as error:
            raise GrpcError(Status.UNAVAILABLE, str(error)) from None

    def finish(self) -> None:
        """There are no more messages from here."""
        self._exchange.finish()

    def give_up(self) -> None:
        self._exchange.reset()

    async def _plain(self, message: bytes) -> bytes:
        unpack = partial(unpacked, message, self._terms.message_bytes_max)
        if len(message) <= INLINE_BYTES_MAX:
            return unpack()
        return await trio.to_thread.run_sync(unpack)

    def _judge(self) -> None:
        """Raises: GrpcError unless the server has ended it with OK."""
        exchange = self._exchange
        head = {name: value for name, value in exchange.head if name == b":status"}
        told = metadata_of([*exchange.head, *exchange.trailers])
        status = told.get("grpc-status", ("",))[-1]
        if not status.isdecimal():
            http = head.get(b":status", b"none").decode("latin-1")
            raise GrpcError(Status.UNKNOWN, f"the server does not speak gRPC (status {http})")
        known = _STATUSES.get(status, Status.UNKNOWN)
        if known is not Status.OK:
            said = urllib.parse.unquote(told.get("grpc-message", ("",))[-1])
            raise GrpcError(known, said)


class GrpcClient:
    """Makes calls over a connection, whose `run` is somebody else's task."""

    def __init__(
        self, connection: ClientConnection, *, authority: str, scheme: str, terms: CallTerms
    ) -> None:
        """`scheme`: http or https, as the server sees it."""
        self._connection = connection
        self._authority = authority
        self._scheme = scheme
        self._terms = terms

    def call(self, path: str, metadata: Metadata, *, user_agent: str) -> ClientCall:
        """Raises: GrpcError (UNAVAILABLE)."""
        encoding = [("grpc-encoding", "gzip")] if self._terms.takes_gzip else []
        head = [
            (":method", "POST"),
            (":scheme", self._scheme),
            (":path", path),
            (":authority", self._authority),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", user_agent),
            *encoding,
            ("grpc-accept-encoding", self._terms.encodings.decode()),
            *metadata,
        ]
        try:
            exchange = self._connection.open(
                [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head]
            )
        except ServerGoneError as error:
            raise GrpcError(Status.UNAVAILABLE, str(error)) from None
        return ClientCall(exchange, self._terms)
