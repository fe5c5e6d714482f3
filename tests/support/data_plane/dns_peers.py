"""Askers and servers of DNS on real sockets, with messages made by hand: RFC 1035."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import trio

from support.suites.patience import HANG_SECONDS

A: Final = 1
MX: Final = 15
AAAA: Final = 28
HTTPS: Final = 65
AXFR: Final = 252

NO_ERROR, FORMAT_ERROR, SERVER_FAILURE, NAME_ERROR, NOT_IMPLEMENTED, REFUSED = range(6)
OPT: Final = b"\0" + struct.pack("!HHIH", 41, 4096, 0, 0)
_numbers = itertools.count(1)


def named(name: str) -> bytes:
    labels = [part.encode("latin-1") for part in name.split(".") if part]
    return b"".join(bytes([len(each)]) + each for each in labels) + b"\0"


def question(name: str, kind: int = A) -> bytes:
    return named(name) + struct.pack("!2H", kind, 1)


def query(
    name: str, kind: int = A, *, number: int | None = None, edns: bool = False, flags: int = 0x0100
) -> bytes:
    number = next(_numbers) if number is None else number
    head = struct.pack("!6H", number, flags, 1, 0, 0, edns)
    return head + question(name, kind) + (OPT if edns else b"")


def address_record(address: str) -> bytes:
    """Of the name in the question, which it points to."""
    data = bytes(int(part) for part in address.split("."))
    return struct.pack("!3HIH", 0xC00C, A, 1, 30, len(data)) + data


def answer_to(message: bytes, *records: bytes, code: int = NO_ERROR) -> bytes:
    """As a server that offers no recursion and knows nothing of EDNS gives it: as Envoy does."""
    number, flags = struct.unpack_from("!2H", message)
    end = message.index(b"\0", 12) + 5
    head = struct.pack("!6H", number, flags | 0x8000 | code, 1, len(records), 0, 0)
    return head + message[12:end] + b"".join(records)


@dataclass(frozen=True)
class Heard:
    """An answer, taken apart."""

    message: bytes

    @property
    def number(self) -> int:
        return int(struct.unpack_from("!H", self.message)[0])

    @property
    def code(self) -> int:
        return self.message[3] & 0x0F

    @property
    def is_cut(self) -> bool:
        return bool(self.message[2] & 0x02)

    @property
    def question(self) -> bytes:
        return self.message[12 : self.message.index(b"\0", 12) + 5]

    @property
    def addresses(self) -> list[str]:
        count = struct.unpack_from("!H", self.message, 6)[0]
        at = 12 + len(self.question)
        parts = [self.message[at + 16 * i + 12 : at + 16 * i + 16] for i in range(count)]
        return [".".join(map(str, each)) for each in parts]


async def ask(port: int, message: bytes, host: str = "127.0.0.1") -> Heard:
    """Over UDP. Waits until there is an answer."""
    family = trio.socket.AF_INET6 if ":" in host else trio.socket.AF_INET
    with trio.socket.socket(family, trio.socket.SOCK_DGRAM) as asking:
        await asking.connect((host, port))
        await asking.send(message)
        with trio.fail_after(HANG_SECONDS):
            return Heard(await asking.recv(65535))


async def ask_over_tcp(port: int, *messages: bytes) -> list[Heard]:
    """All of them at once, on one connection."""
    heard = []
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"".join(struct.pack("!H", len(m)) + m for m in messages))
        with trio.fail_after(HANG_SECONDS):
            for _ in messages:
                (size,) = struct.unpack("!H", await _exactly(stream, 2))
                heard.append(Heard(await _exactly(stream, size)))
    return heard


async def _exactly(stream: trio.SocketStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = await stream.receive_some(size - len(data))
        assert part, "the server has ended the connection"
        data += part
    return data


Answers = Callable[[bytes], Awaitable[list[bytes]]]


@dataclass
class DnsServer:
    """A server on UDP and TCP; `asked` is what it was asked, UDP and TCP alike."""

    answers: Answers
    asked: list[bytes] = field(default_factory=list)
    over_tcp: int = 0
    port: int = 0

    async def serve(
        self, *, port: int = 0, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as opened:
            await opened.bind(("127.0.0.1", self.port))
            async with trio.open_nursery() as nursery:
                await nursery.start(trio.serve_listeners, self._converse, listeners)
                task_status.started()
                while True:
                    message, asker = await opened.recvfrom(65535)
                    nursery.start_soon(self._answer, opened, message, asker)

    async def _answer(
        self, opened: trio.socket.SocketType, message: bytes, asker: tuple[str, int]
    ) -> None:
        self.asked.append(message)
        for each in await self.answers(message):
            await opened.sendto(each, asker)

    async def _converse(self, stream: trio.SocketStream) -> None:
        async with stream:
            (size,) = struct.unpack("!H", await _exactly(stream, 2))
            message = await _exactly(stream, size)
            self.asked.append(message)
            self.over_tcp += 1
            for each in await self.answers(message):
                await stream.send_all(struct.pack("!H", len(each)) + each)


def like_envoy(**table: str) -> Answers:
    """What Envoy's DNS filter answers where the table of its listener is `table`, whose names have
    `_` for each dot: names are compared byte by byte, and all it knows are addresses.
    """
    known = {named(name.replace("_", ".")): address for name, address in table.items()}

    async def answers(message: bytes) -> list[bytes]:
        end = message.index(b"\0", 12) + 1
        kind = struct.unpack_from("!H", message, end)[0]
        if kind not in {A, AAAA}:
            return [answer_to(message, code=NOT_IMPLEMENTED)]
        address = known.get(message[12:end])
        if address is None or kind != A:
            return [answer_to(message, code=NAME_ERROR)]
        return [answer_to(message, address_record(address))]

    return answers


def always(*records: bytes, code: int = NO_ERROR) -> Answers:
    async def answers(message: bytes) -> list[bytes]:
        return [answer_to(message, *records, code=code)]

    return answers


async def never(_: bytes) -> list[bytes]:
    return []
