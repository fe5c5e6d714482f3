"""What becomes of seats after they were given: restarts, midnight, events, log and metrics."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
import trio
import trio.testing

from kong_mesh_cp.core.admission.decision import RefusalCode
from kong_mesh_cp.core.admission.seats import ProxyKind, SeatRecord
from kong_mesh_cp.core.identity.refusal_bounds import ADMISSIONS, WINDOW_SECONDS
from kong_mesh_cp.usecases.admission.seating import RECLAIM_SECONDS
from support.fakes.admission import NOON, body, gateway_body, open_desk, refused, seat, take
from support.fakes.fake_store import FakeStateStore
from support.fakes.peers import FakePeer, attested


async def test_a_kept_seat_stays_in_the_store_for_the_next_start() -> None:
    store = FakeStateStore()
    async with open_desk(store=store) as desk:
        kept, left = await take(desk, "kept"), await take(desk, "left")
        desk.seating.keep(kept)
        desk.seating.release(kept)
        desk.seating.release(left)
        await desk.recorder.durable()

    assert set(store.seats) == {seat("kept")}


def known(*names: str) -> list[SeatRecord]:
    return [SeatRecord(seat(name), ProxyKind.SIDECAR, NOON) for name in names]


async def test_known_proxies_are_let_in_and_strangers_wait_for_the_window_to_end(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001
) -> None:
    store = FakeStateStore(seats={record.seat: record for record in known("a", "b")})
    async with open_desk(limit=2, store=store) as desk, trio.open_nursery() as nursery:
        desk.seating.reserve(known("a", "b"))
        nursery.start_soon(desk.seating.run, known("a", "b"))
        await take(desk, "a")
        assert (await refused(desk, body("c"))).code is RefusalCode.LICENSE_LIMIT
        await trio.sleep(RECLAIM_SECONDS - 1)
        assert (await refused(desk, body("c"))).code is RefusalCode.LICENSE_LIMIT

        await trio.sleep(1.1)
        await take(desk, "c")

        await desk.recorder.durable()
        assert set(store.seats) == {seat("a"), seat("c")}
        nursery.cancel_scope.cancel()


async def test_seats_held_over_midnight_are_marked_for_the_new_day(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001
) -> None:
    async with open_desk() as desk, trio.open_nursery() as nursery:
        nursery.start_soon(desk.seating.run, [])
        await take(desk, "a")
        await take(desk, "b")
        desk.now[0] = NOON + timedelta(days=1)
        await trio.sleep(70)

        assert desk.store.high_water == {
            NOON.date(): 2,
            (NOON + timedelta(days=1)).date(): 2,
        }
        nursery.cancel_scope.cancel()


async def test_events_reach_every_held_seat_and_no_other() -> None:
    async with open_desk() as desk:
        lines = Lines(), Lines()
        seats = await take(desk, "a"), await take(desk, "b")
        for held, got in zip(seats, lines, strict=True):
            desk.seating.attach(held, lambda: None, got.send_line)
        desk.seating.release(seats[1])

        desk.seating.broadcast({"event": "license-warning", "code": "expires-soon"})

        assert lines[0] == [b'{"event":"license-warning","code":"expires-soon"}\n']
        assert lines[1] == []


class Lines(list[bytes]):
    """A connection that takes every line."""

    def send_line(self, line: bytes) -> bool:
        self.append(line)
        return True


async def test_each_decision_is_counted_by_what_it_was() -> None:
    async with open_desk(limit=1, refuses=False) as desk:
        await take(desk, "a")
        await take(desk, "b")
        await desk.admitting.admit(gateway_body(), FakePeer())
        await refused(desk, body("a"))

        assert desk.seating.decisions == {
            ("admitted", "within-limit"): 1,
            ("admitted", "over-limit"): 1,
            ("admitted", "not-counted"): 1,
            ("refused", "already-joined"): 1,
        }


async def test_refusals_do_not_fill_the_log(
    caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    caplog.set_level(logging.INFO)
    async with open_desk() as desk:
        for _ in range(1000):
            await refused(desk, b"no admission")
        refusals = [line for line in caplog.messages if line.startswith("admission-refused")]
        assert len(refusals) == ADMISSIONS.source_lines_max
        assert desk.seating.decisions["refused", "malformed-request"] == 1000
        autojump_clock.jump(WINDOW_SECONDS)
        desk.refusals.tell_untold()
    assert caplog.messages[-1] == (
        "audit-refusals-untold: 970 more at the admission socket within 60 s: 970 from uid 1000"
    )


async def test_each_decision_is_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with open_desk(limit=1) as desk:
        held = await take(desk, "a", FakePeer(attested(pid=7, uid=8, unit="a.service")))
        await refused(desk, body("b"))
        await refused(desk, b'{"mesh":"default","name":"x","forged\\nline":1}')
        desk.seating.release(held)

    assert caplog.messages == [
        (
            "admission-admitted: within-limit default/default/a (sidecar) pid 7 uid 8 "
            "unit 'a.service'; 1 of 1 seats"
        ),
        (
            "admission-refused: license-limit default/default/b pid 4242 uid 1000: "
            "all 1 seats of the pre-bundled license are taken"
        ),
        (
            "admission-refused: malformed-request - pid 4242 uid 1000: "
            "forged\\nline: unknown field; known are mesh, name, tags"
        ),
        "admission-released: default/default/a; 0 seats held",
    ]
