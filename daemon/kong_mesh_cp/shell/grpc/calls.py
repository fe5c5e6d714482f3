"""Calls: what a method is given, and how its call ends."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, Protocol

import trio

from kong_mesh_cp.shell.grpc.messages import Inbox, framed
from kong_mesh_cp.shell.grpc.metadata import escaped, metadata_of, timeout_of
from kong_mesh_cp.shell.grpc.packing import INLINE_BYTES_MAX, unpacked
from kong_mesh_cp.shell.grpc.status import GrpcError, Status
from kong_mesh_cp.shell.grpc.terms import FIRST_MESSAGE_SECONDS, USUAL, CallTerms
from kong_mesh_cp.shell.http.defects import DefectsLogged
from kong_mesh_cp.shell.http.h2.exchange import Exchange, ExchangeHandler, Header
from kong_mesh_cp.shell.listening.lingering import PeerGoneError
from kong_mesh_cp.shell.listening.peer import Peer

CONTENT_TYPE: Final = b"application/grpc"
_GZIP: Final = "gzip"
_DEFECT: Final = GrpcError(
    Status.INTERNAL, "the control plane failed on this call; its log says why"
)


class Call(Protocol):
    """One call, as its method sees it.

    `metadata` has names in lower case and all values in their order; those of names that end in
    `-bin` are read by `metadata.binary_values`.
    """

    @property
    def path(self) -> str: ...

    @property
    def metadata(self) -> Mapping[str, tuple[str, ...]]: ...

    @property
    def peer(self) -> Peer: ...

    async def receive(self) -> bytes | None:
        """One whole message; None: the peer has half-closed. One task at a time may ask.

        Raises: GrpcError for what is no message, or too long; let it pass.
        """
        ...

    async def send(self, message: bytes) -> None:
        """Send one message; waits while there is much that the peer does not take.

        Any task may send, at any time: messages stay whole, in the order of the calls.
        Not a checkpoint as long as the peer takes all.
        """
        ...


Method = Callable[[Call], Awaitable[None]]
"""Serves one call. Returning ends it with OK, GrpcError with what it says; anything else that is
raised is logged and INTERNAL. Cancelled when the peer resets the call, is gone, or has waited
long enough (`grpc-timeout`), where it has not taken a message within FIRST_MESSAGE_SECONDS, and in
a drain (then the call ends with UNAVAILABLE)."""


def calls_of(
    methods: Mapping[str, Method], terms: CallTerms = USUAL
) -> Callable[[Exchange], ExchangeHandler | None]:
    """What serves an exchange that is a call; None for one that is not.

    A call has the content type of one, or the path of a method.
    """

    def handler_of(exchange: Exchange) -> ExchangeHandler | None:
        method = methods.get(exchange.path)
        if _is_grpc(exchange):
            return partial(_serve, method, terms)
        return None if method is None else _refuse_content_type

    return handler_of


class _ServedCall:
    """A `Call` on an exchange."""

    __slots__ = ("_deadline", "_exchange", "_inbox", "_terms", "metadata")

    def __init__(
        self, exchange: Exchange, metadata: Mapping[str, tuple[str, ...]], terms: CallTerms
    ) -> None:
        self._exchange = exchange
        self._terms = terms
        self._inbox = Inbox(terms, gzip=_GZIP in metadata.get("grpc-encoding", ()))
        self.metadata = metadata
        timeout = timeout_of(metadata)
        now = trio.current_time()
        self._deadline = math.inf if timeout is None else now + timeout
        exchange.held_by_drain = True
        exchange.scope.deadline = min(self._deadline, now + FIRST_MESSAGE_SECONDS)
        if exchange.path in terms.silent:
            self._begin()

    @property
    def path(self) -> str:
        return self._exchange.path

    @property
    def peer(self) -> Peer:
        return self._exchange.peer

    async def receive(self) -> bytes | None:
        exchange = self._exchange
        while (message := self._inbox.take()) is None:
            data = await exchange.receive(kept=self._inbox.size)
            if not data:
                if self._inbox.size:
                    raise GrpcError(Status.INTERNAL, "the stream ended inside of a message")
                self._begin()
                return None
            self._inbox.feed(data)
        self._begin()
        if not self._inbox.is_packed:
            return message
        unpack = partial(unpacked, message, self._terms.message_bytes_max)
        if len(message) <= INLINE_BYTES_MAX:
            return unpack()
        return await trio.to_thread.run_sync(unpack)

    async def send(self, message: bytes) -> None:
        if not self._exchange.responded:
            self._exchange.respond(_opening(self._terms))
        await self._exchange.send(framed(message))

    def timed_out(self) -> GrpcError:
        if self._exchange.admitted or trio.current_time() >= self._deadline:
            return GrpcError(Status.DEADLINE_EXCEEDED, "the deadline of the call has passed")
        text = f"no message has come for {FIRST_MESSAGE_SECONDS:.0f} s"
        return GrpcError(Status.DEADLINE_EXCEEDED, text)

    def _begin(self) -> None:
        if not self._exchange.admitted:
            self._exchange.admitted = True
            self._exchange.scope.deadline = self._deadline


async def _serve(method: Method | None, terms: CallTerms, exchange: Exchange) -> None:
    if exchange.method != "POST":
        _end(exchange, GrpcError(Status.INTERNAL, "a call is a POST"), terms, http_status=405)
        return
    error: GrpcError | None = _DEFECT
    with DefectsLogged("a method of the control plane"):
        error = await _outcome(method, terms, exchange)
    _end(exchange, error, terms)


async def _outcome(method: Method | None, terms: CallTerms, exchange: Exchange) -> GrpcError | None:
    """Let the method do its work; None is OK. Raises what it raises."""
    if method is None:
        return GrpcError(Status.UNIMPLEMENTED, f"unknown method {exchange.path}")
    try:
        call = _ServedCall(exchange, metadata_of(exchange.head), terms)
        with exchange.scope:
            await method(call)
            return None
    except GrpcError as error:
        return error
    except PeerGoneError:
        return None
    except ExceptionGroup as group:
        return _only(group)
    if exchange.draining:
        return GrpcError(Status.UNAVAILABLE, "the control plane is stopping")
    return call.timed_out()  # or nobody is there who would hear it


def _only(group: ExceptionGroup[Exception]) -> GrpcError | None:
    """What a nursery of the method has wrapped, where it is that alone. Raises: `group`."""
    error: Exception = group
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, PeerGoneError):
        return None
    if isinstance(error, GrpcError):
        return error
    raise group


def _opening(terms: CallTerms) -> list[Header]:
    return [(b":status", b"200"), *_declared(terms)]


def _declared(terms: CallTerms) -> list[Header]:
    return [(b"content-type", CONTENT_TYPE), (b"grpc-accept-encoding", terms.encodings)]


def _end(
    exchange: Exchange, error: GrpcError | None, terms: CallTerms, *, http_status: int = 200
) -> None:
    """Send the trailers; alone, where nothing was sent before."""
    trailers: list[Header] = [
        (b"grpc-status", b"%d" % (Status.OK if error is None else error.status))
    ]
    if error is not None and error.message:
        trailers.append((b"grpc-message", escaped(error.message)))
    if exchange.responded:
        exchange.finish(trailers)
        return
    head = [(b":status", b"%d" % http_status), *_declared(terms), *trailers]
    exchange.respond(head, ends=True)


async def _refuse_content_type(exchange: Exchange) -> None:
    """To a path of a method comes what is no call; the answer of gRPC's specification is 415."""
    exchange.respond([(b":status", b"415"), (b"accept-post", CONTENT_TYPE)], ends=True)


def _is_grpc(exchange: Exchange) -> bool:
    for name, value in exchange.head:
        if name == b"content-type":
            rest = value.lower().removeprefix(CONTENT_TYPE)
            return rest != value.lower() and rest[:1] in {b"", b"+", b";"}
    return False
