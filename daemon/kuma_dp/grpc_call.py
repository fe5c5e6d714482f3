"""One unary call of gRPC, over a connection of its own.

h2 is imported with the first call: most proxies make none.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import trio

from kong_mesh_cp.core.lazy_import import lazy_import

if TYPE_CHECKING:
    from h2 import config, connection, events, exceptions
else:
    config = lazy_import("h2.config")
    connection = lazy_import("h2.connection")
    events = lazy_import("h2.events")
    exceptions = lazy_import("h2.exceptions")

ANSWER_BYTES_MAX: Final = 1024 * 1024  # with all that HTTP/2 adds to it
READ_BYTES: Final = 32 * 1024
HEADER_BYTES_MAX: Final = 64 * 1024
PREFIX_BYTES: Final = 5  # of a message: whether it is compressed, and its length


class CallError(Exception):
    """The call has no answer. The text says why."""


async def call(
    stream: trio.abc.Stream, *, authority: str, path: str, message: bytes, user_agent: str
) -> bytes:
    """The answer to `message`. Raises: CallError. The caller owns `stream`, and bounds the time."""
    calling = _Calling(stream)
    try:
        return await calling.run(
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":authority", authority),
                (":path", path),
                ("te", "trailers"),
                ("content-type", "application/grpc"),
                ("user-agent", user_agent),
            ],
            b"\0" + len(message).to_bytes(4) + message,
        )
    except (OSError, trio.BrokenResourceError) as error:
        raise CallError(str(error.__cause__ or error)) from error
    except exceptions.ProtocolError as error:
        raise CallError(f"it does not speak HTTP/2: {error}") from error


class _Calling:
    def __init__(self, stream: trio.abc.Stream) -> None:
        logging.getLogger("hpack").setLevel(logging.WARNING)  # it would log every header
        self._stream = stream
        self._machine = connection.H2Connection(
            config.H2Configuration(client_side=True, header_encoding=None)
        )
        self._machine.decoder.max_header_list_size = HEADER_BYTES_MAX
        self._answer = bytearray()
        self._received = 0
        self._headers: dict[str, str] = {}
        self._ended = False

    async def run(self, headers: list[tuple[str, str]], body: bytes) -> bytes:
        self._machine.initiate_connection()
        number = self._machine.get_next_available_stream_id()
        self._machine.send_headers(number, headers)
        sent = 0
        while not self._ended:
            sent += self._send(number, body[sent:]) if sent < len(body) else 0
            if data := self._machine.data_to_send():
                await self._stream.send_all(data)
            received = await self._stream.receive_some(READ_BYTES)
            if not received:
                raise CallError("it has closed the connection")
            self._received += len(received)
            # h2 keeps what belongs to a frame, of whatever length its head claims.
            if self._received > ANSWER_BYTES_MAX:
                raise CallError(f"its answer is longer than {ANSWER_BYTES_MAX // 1024} KiB")
            for event in self._machine.receive_data(bytes(received)):
                self._take(event)
        if data := self._machine.data_to_send():
            await self._stream.send_all(data)
        return self._outcome()

    def _send(self, number: int, rest: bytes) -> int:
        """As much as the peer's windows let out."""
        sent = 0
        while sent < len(rest):
            size = min(
                self._machine.local_flow_control_window(number),
                self._machine.max_outbound_frame_size,
                len(rest) - sent,
            )
            if size <= 0:
                break
            part = rest[sent : sent + size]
            sent += size
            self._machine.send_data(number, part, end_stream=sent == len(rest))
        return sent

    def _take(self, event: events.Event) -> None:
        match event:
            case events.ResponseReceived() | events.TrailersReceived():
                # RFC 9110 section 5.5: a value may be of any bytes; h2 would raise on some.
                self._headers |= {
                    name.decode("utf-8", "replace"): value.decode("utf-8", "replace")
                    for name, value in event.headers
                }
            case events.DataReceived():
                self._answer += event.data
                self._machine.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id
                )
            case events.StreamEnded():
                self._ended = True
            case events.StreamReset():
                raise CallError("it has reset the call")
            case events.ConnectionTerminated():
                raise CallError("it has ended the connection")
            case _:
                pass

    def _outcome(self) -> bytes:
        if self._headers.get(":status") != "200":
            raise CallError(f"it answers with {self._headers.get(':status', 'no status')}")
        status = self._headers.get("grpc-status", "2")
        if status != "0":
            said = self._headers.get("grpc-message", "")
            raise CallError(f"it answers with the status {status} {said}".rstrip())
        size = int.from_bytes(self._answer[1:PREFIX_BYTES])
        if len(self._answer) != PREFIX_BYTES + size or self._answer[0]:
            raise CallError("its answer is not one plain message")
        return bytes(self._answer[PREFIX_BYTES:])
