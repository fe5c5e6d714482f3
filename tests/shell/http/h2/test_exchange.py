"""One stream, as its handler and its connection see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import pytest
import trio
import trio.testing

from kong_mesh_cp.shell.http.h2.bounds import SEND_AHEAD_BYTES
from kong_mesh_cp.shell.http.h2.exchange import Exchange, Header
from kong_mesh_cp.shell.listening.lingering import PeerGoneError

if TYPE_CHECKING:
    from kong_mesh_cp.shell.listening.peer import Peer


class Wire:
    """A `Carrier` that notes what it is told."""

    def __init__(self) -> None:
        self.peer = cast("Peer", None)
        self.heads: list[Sequence[Header]] = []
        self.kept_bytes = 0
        self.resets: list[int] = []

    def respond(self, exchange: Exchange, headers: Sequence[Header], *, ends: bool) -> None:
        self.heads.append(headers)
        assert exchange.ends == ends

    def has_output(self, exchange: Exchange, size: int) -> None:
        assert size <= exchange.unsent

    def kept(self, change: int) -> None:
        self.kept_bytes += change

    def give_credit(self, exchange: Exchange) -> None:
        assert exchange.credit_due

    def reset(self, exchange: Exchange, code: int) -> None:
        exchange.close()
        self.resets.append(code)


def exchange(wire: Wire) -> Exchange:
    head = [(b":method", b"POST"), (b":path", b"/s/m"), (b"x", b"y")]
    return Exchange(wire, 1, head, peer_ended=False)


async def test_what_comes_is_taken_together_and_its_window_is_due() -> None:
    wire = Wire()
    made = exchange(wire)
    made.arrived(b"ab", 2)
    made.arrived(b"c", 10)  # with padding

    assert wire.kept_bytes == 12
    assert await made.receive() == b"abc"
    assert (made.credit_due, wire.kept_bytes) == (12, 3)
    made.end_of_peer()
    assert await made.receive(kept=1) == b""
    assert wire.kept_bytes == 1
    made.close()
    assert wire.kept_bytes == 0


async def test_a_sender_waits_while_much_is_not_taken() -> None:
    made = exchange(Wire())
    await made.send(bytes(SEND_AHEAD_BYTES))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.send, b"more")
        await trio.testing.wait_all_tasks_blocked()
        assert nursery.child_tasks
        assert made.next_output(3) == bytes(3)
        await trio.testing.wait_all_tasks_blocked()
        assert nursery.child_tasks
        assert made.next_output(1) == bytes(1)

    assert made.unsent == SEND_AHEAD_BYTES


async def test_output_is_framed_in_order_and_as_the_window_allows() -> None:
    made = exchange(Wire())
    made.queue(b"abcdef")
    made.queue(b"gh")

    assert made.next_output(0) == b""
    assert [made.next_output(size) for size in (4, 4, 4)] == [b"abcd", b"ef", b"gh"]
    assert (made.unsent, made.output) == (0, [])


async def test_nothing_is_said_to_a_peer_that_is_gone() -> None:
    wire = Wire()
    made = exchange(wire)
    made.reset(8)

    made.respond([(b":status", b"200")])
    made.queue(b"x")
    made.finish()
    made.reset(8)
    assert (wire.heads, wire.resets, made.unsent) == ([], [8], 0)
    assert made.scope.cancel_called
    with pytest.raises(PeerGoneError):
        await made.receive()
    with pytest.raises(PeerGoneError):
        await made.send(b"x")


async def test_who_waits_hears_that_the_peer_is_gone() -> None:
    made = exchange(Wire())
    made.queue(bytes(2 * SEND_AHEAD_BYTES))
    gone = []

    async def hears(reads: bool) -> None:
        try:
            await (made.receive() if reads else made.send(b"x"))
        except PeerGoneError:
            gone.append(reads)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hears, True)
        nursery.start_soon(hears, False)
        await trio.testing.wait_all_tasks_blocked()
        made.close()

    assert sorted(gone) == [False, True]


async def test_a_drain_ends_what_it_has_to_and_nothing_else() -> None:
    request, call = exchange(Wire()), exchange(Wire())
    call.held_by_drain = True
    for each in (request, call):
        each.end_by_drain()

    assert (request.scope.cancel_called, call.scope.cancel_called) == (False, True)
    assert call.draining
