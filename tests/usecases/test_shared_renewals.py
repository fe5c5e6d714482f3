"""What happens to seats while a control plane renews those that it has in a shared store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId, SeatRecord
from kong_mesh_cp.usecases.admission.seating import HeldSeat
from kong_mesh_cp.usecases.admission.shared_seats import LOOK_SECONDS
from kong_mesh_cp.usecases.ports.resource_store import SLOT_RENEWAL_SECONDS
from support.fakes.admission import NOON, Desk, body, gateway_body, open_desk, seat, take
from support.fakes.attending import Connection
from support.fakes.fake_slots import FakeSlots, SharedTable
from support.fakes.peers import FakePeer

pytestmark = pytest.mark.usefixtures("autojump_clock")

LOOKED = LOOK_SECONDS + 1
RENEWED = SLOT_RENEWAL_SECONDS + LOOKED  # and not twice


@dataclass
class _Interrupted(FakeSlots):
    """Before one answer is heard, something else happens, once: `meanwhile`, by the call's name."""

    meanwhile: dict[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)
    given_back: list[SeatId] = field(default_factory=list)
    sought: list[SeatId] = field(default_factory=list)  # seats that were thought to be gone

    async def renew(self) -> frozenset[SeatId]:
        ours = await super().renew()
        await self._interrupt("renew")
        return ours

    async def regain(self, records: Collection[SeatRecord], limit: int | None) -> frozenset[SeatId]:
        self.sought += [each.seat for each in records]
        back = await super().regain(records, limit)
        await self._interrupt("regain")
        return back

    async def free(self, seat: SeatId) -> None:
        self.given_back.append(seat)
        await super().free(seat)

    async def _interrupt(self, call: str) -> None:
        happen = self.meanwhile.pop(call, None)
        if happen is not None:
            await happen()


@dataclass
class _Asking:
    """Somebody who asks for a seat in the background: the claim may have to wait for its turn."""

    desk: Desk
    name: str
    nursery: trio.Nursery
    answers: list[HeldSeat | Refused] = field(default_factory=list)

    async def begin(self) -> None:
        self.nursery.start_soon(self._ask)
        await wait_all_tasks_blocked()
        assert not self.answers

    async def _ask(self) -> None:
        self.answers.append(await self.desk.admitting.admit(body(self.name), FakePeer()))


@dataclass
class _Two:
    table: SharedTable
    slots: _Interrupted  # of `one`
    one: Desk
    two: Desk
    nursery: trio.Nursery


@asynccontextmanager
async def two_desks(
    table: SharedTable, *, limit: int = 5, refuses: bool = True
) -> AsyncIterator[_Two]:
    slots = _Interrupted(table, "one")
    async with (
        open_desk(limit=limit, refuses=refuses, slots=slots) as one,
        open_desk(limit=limit, refuses=refuses, slots=FakeSlots(table, "two")) as two,
        trio.open_nursery() as nursery,
    ):
        yield _Two(table, slots, one, two, nursery)


async def test_a_seat_that_a_proxy_had_before_it_became_a_gateway_is_given_back() -> None:
    async with two_desks(SharedTable(), limit=1) as both:
        peer = FakePeer()
        await take(both.one, "gateway-1", peer)
        peer.ended = True
        assert isinstance(await both.one.admitting.admit(gateway_body(), FakePeer()), HeldSeat)
        await trio.sleep(RENEWED + LOOKED)

        assert both.table.held == {}
        await take(both.two, "b")


async def test_a_seat_that_comes_free_during_a_renewal_is_given_back_at_the_next_look() -> None:
    async with two_desks(SharedTable(), limit=1) as both:
        held = await take(both.one, "a")

        async def leave() -> None:
            both.one.seating.release(held)

        both.slots.meanwhile["renew"] = leave
        await trio.sleep(RENEWED)

        assert not both.slots.meanwhile
        assert both.table.held == {}


async def test_a_claim_that_waits_for_a_renewal_is_refused_and_not_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with two_desks(SharedTable(), limit=1) as both:
        await take(both.two, "b")
        asking = _Asking(both.one, "a", both.nursery)
        both.slots.meanwhile["renew"] = asking.begin
        await trio.sleep(RENEWED)

        (answer,) = asking.answers
        assert isinstance(answer, Refused)
        assert answer.code is RefusalCode.LICENSE_LIMIT
        assert "seat-lost" not in caplog.text
        assert both.slots.sought == []


async def test_a_proxy_that_comes_back_during_a_renewal_finds_its_seat_of_before() -> None:
    table = SharedTable()
    left = SeatRecord(seat("a"), ProxyKind.SIDECAR, NOON)
    await FakeSlots(table, "one").hold([left])
    async with two_desks(table, limit=1) as both:
        asking = _Asking(both.one, "a", both.nursery)
        both.slots.meanwhile["renew"] = asking.begin
        await trio.sleep(RENEWED)

        (answer,) = asking.answers
        assert isinstance(answer, HeldSeat)
        assert table.of("one") == {"a"}
        assert both.slots.given_back == []  # somebody else might have had it in between


async def test_a_proxy_that_moves_here_during_a_renewal_is_not_lost_to_where_it_was() -> None:
    async with two_desks(SharedTable(), refuses=False) as both:
        await take(both.two, "a")
        await trio.sleep(LOOKED)
        assert both.table.of("two") == {"a"}
        arrived: list[Connection] = []

        async def move() -> None:
            arrived.append(Connection(both.one, await take(both.one, "a")))

        both.slots.meanwhile["renew"] = move
        await trio.sleep(RENEWED)

        (connection,) = arrived
        assert not connection.ended
        assert both.table.of("one") == {"a"}
        assert both.one.seating.occupancy().active == 1


async def test_one_who_leaves_while_its_seat_is_looked_for_has_not_lost_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with two_desks(SharedTable()) as both:
        held = await take(both.one, "a")
        await take(both.two, "a")

        async def leave() -> None:
            both.one.seating.release(held)

        both.slots.meanwhile["regain"] = leave
        await trio.sleep(RENEWED)

        assert not both.slots.meanwhile
        assert "seat-lost" not in caplog.text
        assert both.table.of("two") == {"a"}
