"""One message to one server, and its answer."""

from __future__ import annotations

import secrets
import socket
import struct
from typing import Final

import trio

from kuma_dp.dns.messages import MESSAGE_BYTES_MAX, code_of_answer
from kuma_dp.dns.name_servers import Server

STRANGERS_MAX: Final = 16  # datagrams that are no answer to the question, until we give up
_LENGTH = struct.Struct("!H")  # RFC 1035 section 4.2.2: before each message over TCP


class NoAnswerError(Exception):
    """The server did not answer, or with something else. The text says why."""


Answer = tuple[bytes, int]
"""A message with the number that was sent, and how it came out."""


def new_number() -> int:
    """Nobody can guess it: RFC 5452 section 9.2."""
    return secrets.randbits(16)


async def ask_over_udp(server: Server, message: bytes) -> Answer:
    """From a port of its own, as RFC 5452 section 9.2 asks for. Raises: NoAnswerError."""
    try:
        with trio.socket.socket(_family(server), socket.SOCK_DGRAM) as asking:
            # Connected, so that the kernel lets no stranger's datagram in, and tells at once where
            # nobody listens.
            await asking.connect(server)
            await asking.send(message)
            for _ in range(STRANGERS_MAX):
                answer = await asking.recv(MESSAGE_BYTES_MAX)
                code = code_of_answer(answer, message)
                if code is not None:
                    return answer, code
    except OSError as error:
        raise NoAnswerError(error.strerror or str(error)) from error
    raise NoAnswerError("what it sends are no answers")


async def ask_over_tcp(server: Server, message: bytes) -> Answer:
    """Over a connection of its own. Raises: NoAnswerError."""
    try:
        with trio.socket.socket(_family(server), socket.SOCK_STREAM) as asking:
            await asking.connect(server)
            stream = trio.SocketStream(asking)
            await stream.send_all(framed(message))
            answer = await received(stream)
    except (OSError, trio.BrokenResourceError) as error:
        raise NoAnswerError(str(error) or type(error).__name__) from error
    code = None if answer is None else code_of_answer(answer, message)
    if answer is None or code is None:
        raise NoAnswerError("what it sends is no answer")
    return answer, code


async def received(stream: trio.abc.ReceiveStream) -> bytes | None:
    """One message; None: the peer has ended, maybe within one."""
    head = await _exactly(stream, _LENGTH.size)
    return None if head is None else await _exactly(stream, _LENGTH.unpack(head)[0])


def framed(message: bytes) -> bytes:
    return _LENGTH.pack(len(message)) + message


async def _exactly(stream: trio.abc.ReceiveStream, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        part = await stream.receive_some(size - len(data))
        if not part:
            return None
        data += part
    return bytes(data)


def _family(server: Server) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in server[0] else socket.AF_INET
