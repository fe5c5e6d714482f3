from __future__ import annotations

import json

import pytest
import trio
import trio.testing

from kong_mesh_cp.core.admission.attestation import Rule
from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.usecases.admission.seat_recording import LAG_SECONDS_MAX
from kong_mesh_cp.usecases.admission.seating import HeldSeat
from kong_mesh_cp.usecases.license.views import WarningView
from support.fakes.admission import (
    NOON,
    body,
    gateway_body,
    line_of,
    open_desk,
    proxies,
    refused,
    seat,
    take,
)
from support.fakes.fake_store import full_disk
from support.fakes.peers import FakePeer, attested


async def test_the_first_line_tells_seat_and_license() -> None:
    async with open_desk() as desk:
        held = await take(desk)

    line = line_of(held)
    assert line.pop("token").count(".") == 2
    assert line == {
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
    assert list(line_of(held)) == ["decision", "seat", "license", "warnings", "token"]


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
        assert desk.seating.active == 0


async def test_a_dry_run_takes_nothing_records_nothing_and_counts_nothing() -> None:
    async with open_desk(limit=1) as desk:
        peer = FakePeer()
        tried = await desk.admitting.try_out(body(), peer)

        assert line_of(tried)["decision"] == "admitted"
        assert line_of(tried)["license"]["active"] == 0
        assert desk.seating.active == 0
        assert not desk.seating.decisions
        assert desk.recorder.pending == 0
        assert peer.looks == 0
        await take(desk)
        full = await desk.admitting.try_out(body("b"), peer)
        assert isinstance(full, Refused)
        assert full.code is RefusalCode.LICENSE_LIMIT
        assert desk.seating.active == 1


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
        assert desk.seating.active == 0
        assert desk.seating.decisions == {("refused", code.value): 1}


async def test_the_same_bytes_are_decided_anew_each_time() -> None:
    async with open_desk(limit=1) as desk:
        first = await take(desk, "a")
        again = await refused(desk, body("a"))
        desk.seating.release(first)
        third = await take(desk, "a")

    assert again.code is RefusalCode.ALREADY_JOINED
    assert line_of(third)["seat"] == line_of(first)["seat"]
    assert line_of(third)["license"] == line_of(first)["license"]


async def test_all_violations_are_reported_at_once() -> None:
    async with open_desk() as desk:
        answer = await refused(desk, b'{"mesh":"","name":"A","x":1}')

    assert [violation.field for violation in answer.violations] == ["x", "mesh", "name"]


async def test_a_missing_mesh_names_those_that_exist() -> None:
    async with open_desk() as desk:
        answer = await refused(desk, body(mesh="nowhere"))

    assert answer.meshes == ("default", "other")


async def test_the_order_of_checks_is_shape_mesh_identity_constraints_license() -> None:
    nobody = Rule(uid=0)
    async with open_desk(limit=0, rules=[nobody]) as desk:
        desk.meshes.constrained["default"] = proxies(require=[{"team": "payments"}])
        root = FakePeer(attested(uid=0))
        codes = [
            (await refused(desk, body("A", mesh="nowhere"))).code,
            (await refused(desk, body(mesh="nowhere"))).code,
            (await refused(desk, body())).code,
            (await refused(desk, body(), root)).code,
            (await refused(desk, body(team="payments"), root)).code,
        ]

    assert codes == [
        RefusalCode.MALFORMED_REQUEST,
        RefusalCode.MESH_NOT_FOUND,
        RefusalCode.IDENTITY,
        RefusalCode.MESH_CONSTRAINT,
        RefusalCode.LICENSE_LIMIT,
    ]


async def test_the_constraints_of_a_mesh_bind_admissions_and_dry_runs_alike() -> None:
    async with open_desk() as desk:
        desk.meshes.constrained["default"] = proxies(forbid=[{"team": "legacy"}])
        tried = await desk.admitting.try_out(body(team="legacy"), FakePeer())
        asked = await refused(desk, body(team="legacy"))

        assert asked == tried
        assert asked.code is RefusalCode.MESH_CONSTRAINT
        assert desk.seating.active == 0
        assert desk.seating.decisions == {("refused", "mesh-constraint"): 1}
        assert isinstance(await desk.admitting.admit(body(), FakePeer()), HeldSeat)
        elsewhere = body("b", mesh="other", team="legacy")
        assert isinstance(await desk.admitting.admit(elsewhere, FakePeer()), HeldSeat)


async def test_the_tags_of_an_identity_rule_count_for_the_constraints() -> None:
    rule = Rule(uid=0, tags={"team": "payments"})
    root = FakePeer(attested(uid=0))
    async with open_desk(rules=[rule]) as desk:
        desk.meshes.constrained["default"] = proxies(require=[{"team": "payments"}])
        held = await take(desk, peer=root)
        desk.meshes.constrained["default"] = proxies(require=[{"team": "x"}])
        other = await refused(desk, body("b"), root)

    assert line_of(held)["tags"] == {"team": "payments"}
    assert other.code is RefusalCode.MESH_CONSTRAINT


async def test_the_zone_of_a_proxy_is_that_of_its_control_plane() -> None:
    async with open_desk() as desk:
        desk.meshes.constrained["default"] = proxies(require=[{"kuma.io/zone": "default"}])
        desk.meshes.constrained["other"] = proxies(require=[{"kuma.io/zone": "west"}])
        await take(desk)
        lying = body("b", mesh="other", **{"kuma.io/zone": "west"})

        assert (await refused(desk, lying)).code is RefusalCode.MESH_CONSTRAINT


async def test_a_gateway_and_each_inbound_has_to_keep_to_the_constraints() -> None:
    inbound = [
        {"port": port, "tags": {"kuma.io/service": "a", "team": team}}
        for port, team in ((1, "payments"), (2, "x"))
    ]
    resource = {
        "type": "Dataplane",
        "mesh": "default",
        "name": "a",
        "networking": {"address": "10.0.0.1", "inbound": inbound},
    }
    async with open_desk() as desk:
        desk.meshes.constrained["default"] = proxies(require=[{"team": "payments"}])
        gateway = await refused(desk, gateway_body())
        second = await refused(desk, json.dumps({"dataplane": resource}).encode())

    assert gateway.code is second.code is RefusalCode.MESH_CONSTRAINT
    assert second.breach is not None
    assert second.breach.found["team"] == "x"


async def test_constraints_do_not_touch_who_has_a_seat() -> None:
    async with open_desk() as desk:
        held = await take(desk)
        desk.meshes.constrained["default"] = proxies(require=[{"team": "payments"}])
        desk.seating.broadcast({"event": "x"})

        assert desk.seating.active == 1
        assert not held.lost
        desk.seating.release(held)
        assert (await refused(desk, body())).code is RefusalCode.MESH_CONSTRAINT


async def test_a_matching_rule_lets_in_and_its_tags_are_reported() -> None:
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
        desk.seating.release(held)

        await take(desk, "b")
        assert [holder.record.seat.name for holder in desk.seating.holders()] == ["b"]


async def test_a_restarted_client_takes_over_and_its_ghost_is_ended() -> None:
    async with open_desk(limit=1) as desk:
        peer = FakePeer()
        ghost = await take(desk, peer=peer)
        ended: list[str] = []
        desk.seating.attach(ghost, lambda: ended.append("ghost"), lambda _: True)
        peer.ended = True

        await take(desk)
        desk.seating.release(ghost)

        assert ended == ["ghost"]
        assert desk.seating.active == 1


async def test_a_ghost_that_was_replaced_before_it_was_attached_ends_at_once() -> None:
    async with open_desk() as desk:
        peer = FakePeer()
        ghost = await take(desk, peer=peer)
        peer.at_eof = True
        await take(desk)
        ended: list[str] = []

        desk.seating.attach(ghost, lambda: ended.append("ghost"), lambda _: True)

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


async def test_under_the_bundled_license_a_yes_is_on_disk_before_it_is_reported() -> None:
    async with open_desk(refuses=True) as desk:
        await take(desk)

        assert set(desk.store.seats) == {seat("backend-1")}


async def test_under_an_issued_license_no_admission_waits_for_the_disk(
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
        assert desk.seating.active == 0
        assert not desk.store.seats


async def test_a_full_disk_does_not_stop_admissions() -> None:
    async with open_desk() as desk:
        desk.store.failure = full_disk()

        await take(desk, "a")
        await take(desk, "b")

        assert desk.seating.active == 2
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
        assert desk.seating.active == 5
        assert len(desk.store.seats) == 5
