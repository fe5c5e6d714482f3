from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
import trio
import trio.testing

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.admission.identity import Rule
from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId, SeatRecord
from kong_mesh_cp.usecases.admitting import RECLAIM_SECONDS, HeldSeat
from kong_mesh_cp.usecases.license_views import WarningView
from kong_mesh_cp.usecases.recording import LAG_SECONDS_MAX
from support.admission import NOON, Desk, body, gateway_body, open_desk
from support.fake_store import FakeStateStore, full_disk
from support.peers import FakePeer, attested


def seat(name: str, mesh: str = "default") -> SeatId:
    return SeatId("default", mesh, name)


async def take(desk: Desk, name: str = "backend-1", peer: FakePeer | None = None) -> HeldSeat:
    held = await desk.admitting.admit(body(name), peer or FakePeer())
    assert isinstance(held, HeldSeat), held
    return held


async def refused(desk: Desk, asked: bytes, peer: FakePeer | None = None) -> Refused:
    answer = await desk.admitting.admit(asked, peer or FakePeer())
    assert isinstance(answer, Refused)
    return answer


def line_of(held: HeldSeat | bytes | Refused) -> dict[str, Any]:
    line = held.line if isinstance(held, HeldSeat) else held
    assert isinstance(line, bytes)
    assert line.endswith(b"}\n")
    decoded: dict[str, Any] = json.loads(line)
    return decoded


async def test_the_first_line_tells_seat_and_license() -> None:
    async with open_desk() as desk:
        held = await take(desk)

    assert line_of(held) == {
        "decision": "admitted",
        "seat": {
            "zone": "default",
            "mesh": "default",
            "name": "backend-1",
            "kind": "sidecar",
            "counted": True,
        },
        "license": {"allowed": 5, "active": 1, "daysLeft": 29, "demo": True},
        "warnings": [],
    }
    assert list(line_of(held)) == ["decision", "seat", "license", "warnings"]


async def test_a_gateway_is_admitted_uncounted() -> None:
    async with open_desk(limit=0) as desk:
        held = await desk.admitting.admit(gateway_body(), FakePeer())

        assert line_of(held)["seat"] == {
            "zone": "default",
            "mesh": "default",
            "name": "gateway-1",
            "kind": "builtin-gateway",
            "counted": False,
        }
        assert desk.admitting.active == 0


async def test_a_dry_run_takes_nothing_records_nothing_and_counts_nothing() -> None:
    async with open_desk(limit=1) as desk:
        peer = FakePeer()
        tried = await desk.admitting.try_out(body(), peer)

        assert line_of(tried)["decision"] == "admitted"
        assert line_of(tried)["license"]["active"] == 0
        assert desk.admitting.active == 0
        assert not desk.admitting.decisions
        assert desk.recorder.pending == 0
        assert peer.looks == 0
        await take(desk)
        full = await desk.admitting.try_out(body("b"), peer)
        assert isinstance(full, Refused)
        assert full.code is RefusalCode.LICENSE_LIMIT
        assert desk.admitting.active == 1


async def test_a_dry_run_over_the_limit_warns_as_the_admission_would() -> None:
    async with open_desk(limit=1, refuses=False) as desk:
        await take(desk, "a")
        tried = line_of(await desk.admitting.try_out(body("b"), FakePeer()))
        admitted = line_of(await take(desk, "b"))

    assert (
        tried["warnings"] == admitted["warnings"] == [{"code": "over-limit", "message": "2 of 1"}]
    )
    assert (tried["license"]["active"], admitted["license"]["active"]) == (1, 2)


async def test_warnings_of_the_license_stand_in_the_first_line() -> None:
    async with open_desk() as desk:
        desk.license.told.append(WarningView("expires-soon", "soon", NOON))

        held = await take(desk)

    assert line_of(held)["warnings"] == [{"code": "expires-soon", "message": "soon"}]


async def test_a_change_of_the_license_shows_in_the_next_line(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001
) -> None:
    async with open_desk() as desk:
        await desk.admitting.try_out(body(), FakePeer())
        desk.license.told.append(WarningView("expires-soon", "soon", NOON))
        await trio.sleep(1)
        aged = line_of(await desk.admitting.try_out(body(), FakePeer()))
        desk.license.limit = 20
        larger = line_of(await desk.admitting.try_out(body(), FakePeer()))

    assert [warning["code"] for warning in aged["warnings"]] == ["expires-soon"]
    assert larger["license"]["allowed"] == 20


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (b"", RefusalCode.MALFORMED_REQUEST),
        (b"{", RefusalCode.MALFORMED_REQUEST),
        (b"[" * 100_000, RefusalCode.MALFORMED_REQUEST),
        (b"\xff\xfe{}", RefusalCode.MALFORMED_REQUEST),
        (b'{"mesh":"a","mesh":"b","name":"c"}', RefusalCode.MALFORMED_REQUEST),
        (b'{"mesh":"default","name":NaN}', RefusalCode.MALFORMED_REQUEST),
        (b'{"mesh":"default","name":"\\ud800"}', RefusalCode.MALFORMED_REQUEST),
        (b'{"mesh":"default","name":"A"}', RefusalCode.MALFORMED_REQUEST),
        (b'{"dataplane":{}}', RefusalCode.INVALID_DATAPLANE),
        (body(mesh="nowhere"), RefusalCode.MESH_NOT_FOUND),
    ],
)
async def test_what_cannot_be_admitted_gets_its_code_and_takes_nothing(
    asked: bytes, code: RefusalCode
) -> None:
    async with open_desk() as desk:
        answer = await refused(desk, asked)

        assert answer.code is code
        assert answer.hint
        assert desk.admitting.active == 0
        assert desk.admitting.decisions == {("refused", code.value): 1}


async def test_the_same_bytes_are_decided_anew_each_time() -> None:
    async with open_desk(limit=1) as desk:
        first = await take(desk, "a")
        again = await refused(desk, body("a"))
        desk.admitting.release(first)
        third = await take(desk, "a")

    assert again.code is RefusalCode.ALREADY_JOINED
    assert line_of(third) == line_of(first)


async def test_all_violations_are_told_at_once() -> None:
    async with open_desk() as desk:
        answer = await refused(desk, b'{"mesh":"","name":"A","x":1}')

    assert [violation.field for violation in answer.violations] == ["x", "mesh", "name"]


async def test_a_missing_mesh_names_those_that_exist() -> None:
    async with open_desk() as desk:
        answer = await refused(desk, body(mesh="nowhere"))

    assert answer.meshes == ("default", "other")


async def test_the_order_of_checks_is_shape_mesh_identity_license() -> None:
    nobody = Rule(uid=0)
    async with open_desk(limit=0, rules=[nobody]) as desk:
        root = FakePeer(attested(uid=0))
        codes = [
            (await refused(desk, body("A", mesh="nowhere"))).code,
            (await refused(desk, body(mesh="nowhere"))).code,
            (await refused(desk, body())).code,
            (await refused(desk, body(), root)).code,
        ]

    assert codes == [
        RefusalCode.MALFORMED_REQUEST,
        RefusalCode.MESH_NOT_FOUND,
        RefusalCode.IDENTITY,
        RefusalCode.LICENSE_LIMIT,
    ]


async def test_a_matching_rule_lets_in_and_its_tags_are_told() -> None:
    rule = Rule(unit="kuma-dp@*.service", name="{instance}", tags={"team": "payments"})
    peer = FakePeer(attested(unit="kuma-dp@backend-1.service"))
    async with open_desk(rules=[rule]) as desk:
        held = await take(desk, "backend-1", peer)
        other = await refused(desk, body("backend-2"), peer)

    assert line_of(held)["tags"] == {"team": "payments"}
    assert other.code is RefusalCode.IDENTITY


async def test_a_dry_run_under_rules_looks_at_the_peer() -> None:
    async with open_desk(rules=[Rule(uid=0)]) as desk:
        peer = FakePeer()

        assert isinstance(await desk.admitting.try_out(body(), peer), Refused)
        assert peer.looks == 1


async def test_user_names_are_known_to_rules_that_need_them() -> None:
    async with open_desk(rules=[Rule(user="payments")]) as desk:
        await take(desk, peer=FakePeer(attested(user="payments")))


async def test_a_released_seat_is_free_at_once() -> None:
    async with open_desk(limit=1) as desk:
        held = await take(desk, "a")
        desk.admitting.release(held)

        await take(desk, "b")
        assert [holder.record.seat.name for holder in desk.admitting.holders()] == ["b"]


async def test_a_restarted_client_takes_over_and_its_ghost_is_ended() -> None:
    async with open_desk(limit=1) as desk:
        peer = FakePeer()
        ghost = await take(desk, peer=peer)
        ended: list[str] = []
        desk.admitting.attach(ghost, lambda _: True, lambda: ended.append("ghost"))
        peer.ended = True

        await take(desk)
        desk.admitting.release(ghost)

        assert ended == ["ghost"]
        assert desk.admitting.active == 1


async def test_a_ghost_that_was_replaced_before_it_was_attached_ends_at_once() -> None:
    async with open_desk() as desk:
        peer = FakePeer()
        ghost = await take(desk, peer=peer)
        peer.at_eof = True
        await take(desk)
        ended: list[str] = []

        desk.admitting.attach(ghost, lambda _: True, lambda: ended.append("ghost"))

        assert ended == ["ghost"]


async def test_the_seat_of_a_live_client_is_not_taken_over() -> None:
    async with open_desk() as desk:
        await take(desk)

        assert (await refused(desk, body())).code is RefusalCode.ALREADY_JOINED


async def test_a_ghost_that_made_room_is_forgotten_by_the_store() -> None:
    async with open_desk(limit=1) as desk:
        peer = FakePeer()
        await take(desk, "a", peer)
        peer.ended = True
        await take(desk, "b")
        await desk.recorder.durable()

        assert set(desk.store.seats) == {seat("b")}


async def test_under_the_bundled_license_a_yes_is_on_disk_before_it_is_told() -> None:
    async with open_desk(refuses=True) as desk:
        await take(desk)

        assert set(desk.store.seats) == {seat("backend-1")}


async def test_under_an_issued_license_nobody_waits_for_the_disk(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001
) -> None:
    async with open_desk(refuses=False) as desk:
        started = trio.current_time()
        await take(desk)
        at_once = trio.current_time() - started

        assert at_once == 0
        assert not desk.store.seats
        await trio.sleep(LAG_SECONDS_MAX + 0.001)
        assert set(desk.store.seats) == {seat("backend-1")}


async def test_a_client_that_is_cancelled_while_its_seat_is_written_leaves_nothing() -> None:
    async with open_desk() as desk:
        with trio.CancelScope() as scope:
            scope.cancel()
            await desk.admitting.admit(body(), FakePeer())
        await desk.recorder.durable()

        assert scope.cancelled_caught
        assert desk.admitting.active == 0
        assert not desk.store.seats


async def test_a_full_disk_does_not_stop_admissions() -> None:
    async with open_desk() as desk:
        desk.store.failure = full_disk()

        await take(desk, "a")
        await take(desk, "b")

        assert desk.admitting.active == 2
        assert desk.recorder.failures > 0


async def test_only_so_many_are_admitted_when_all_ask_at_once() -> None:
    async with open_desk(limit=5) as desk:
        answers: list[HeldSeat | Refused] = []

        async def ask(number: int) -> None:
            answers.append(await desk.admitting.admit(body(f"p-{number}"), FakePeer()))

        async with trio.open_nursery() as nursery:
            for number in range(64):
                nursery.start_soon(ask, number)

        assert sum(isinstance(answer, HeldSeat) for answer in answers) == 5
        assert desk.admitting.active == 5
        assert len(desk.store.seats) == 5


async def test_a_kept_seat_stays_in_the_store_for_the_next_start() -> None:
    store = FakeStateStore()
    async with open_desk(store=store) as desk:
        kept, left = await take(desk, "kept"), await take(desk, "left")
        desk.admitting.keep(kept)
        desk.admitting.release(kept)
        desk.admitting.release(left)
        await desk.recorder.durable()

    assert set(store.seats) == {seat("kept")}


def known(*names: str) -> list[SeatRecord]:
    return [SeatRecord(seat(name), ProxyKind.SIDECAR, NOON) for name in names]


async def test_known_proxies_are_let_in_and_strangers_wait_for_the_window_to_end(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001
) -> None:
    store = FakeStateStore(seats={record.seat: record for record in known("a", "b")})
    async with open_desk(limit=2, store=store) as desk, trio.open_nursery() as nursery:
        desk.admitting.reserve(known("a", "b"))
        nursery.start_soon(desk.admitting.run, known("a", "b"))
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
        nursery.start_soon(desk.admitting.run, [])
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
            desk.admitting.attach(held, got.send_line, lambda: None)
        desk.admitting.release(seats[1])

        desk.admitting.broadcast({"event": "license-warning", "code": "expires-soon"})

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

        assert desk.admitting.decisions == {
            ("admitted", "within-limit"): 1,
            ("admitted", "over-limit"): 1,
            ("admitted", "not-counted"): 1,
            ("refused", "already-joined"): 1,
        }


async def test_each_decision_is_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with open_desk(limit=1) as desk:
        held = await take(desk, "a", FakePeer(attested(pid=7, uid=8, unit="a.service")))
        await refused(desk, body("b"))
        await refused(desk, b'{"mesh":"default","name":"x","forged\\nline":1}')
        desk.admitting.release(held)

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
