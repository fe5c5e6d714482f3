"""Insights of proxies that hold seats, stored Dataplanes, and what ends a seat."""

from __future__ import annotations

import json

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.admission.attestation import Rule
from kong_mesh_cp.core.admission.decision import RefusalCode
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.admission.seating import HeldSeat
from kong_mesh_cp.usecases.ports.resource_store import Put
from support.fakes.admission import (
    NOON,
    body,
    furnished,
    line_of,
    open_desk,
    proxies,
    refused,
    take,
)
from support.fakes.attending import (
    SERVICE,
    Connection,
    apply,
    delete,
    delete_mesh,
    document,
    gateway,
    register,
    settled,
    sidecar,
    stored,
    subscriptions,
)
from support.fakes.fake_resources import InterruptedStore
from support.fakes.fake_store import full_disk
from support.fakes.peers import FakePeer, attested

BEAT_SECONDS = 150  # half of the idle timeout

pytestmark = pytest.mark.usefixtures("autojump_clock")


# Insights.


async def test_a_proxy_with_a_dataplane_is_online_while_it_holds_its_seat() -> None:
    async with open_desk() as desk:
        await apply(desk, sidecar())
        held = await take(desk)
        await settled()
        assert subscriptions(desk) == [("run-1", True)]
        assert desk.resources.resources[
            ResourceKey("DataplaneInsight", "default", "backend-1")
        ].owner == ResourceKey("Dataplane", "default", "backend-1")

        desk.seating.release(held)
        await settled()
        assert subscriptions(desk) == [("run-1", False)]
        assert stored(desk) == ["backend-1"]


async def test_an_insight_has_the_shape_that_clients_know() -> None:
    async with open_desk() as desk:
        await apply(desk, sidecar())
        await take(desk)
        await settled()

        assert document(desk, "DataplaneInsight") == {
            "subscriptions": [
                {
                    "id": "run-1-2",
                    "controlPlaneInstanceId": "run-1",
                    "connectTime": "2026-11-21T12:00:00Z",
                    "status": {
                        "lastUpdateTime": "2026-11-21T12:00:00Z",
                        **{part: {} for part in ("total", "cds", "eds", "lds", "rds")},
                    },
                    "version": {"kumaDp": {}, "envoy": {}},
                }
            ]
        }


async def test_a_proxy_without_a_dataplane_has_no_insight_until_there_is_one() -> None:
    async with open_desk() as desk:
        await take(desk)
        await settled()
        assert stored(desk, "DataplaneInsight") == []
        await apply(desk, sidecar())
        await settled()

        assert subscriptions(desk) == [("run-1", True)]


async def test_each_connection_has_a_subscription_and_the_newest_are_kept() -> None:
    async with open_desk() as desk:
        await apply(desk, sidecar())
        for _ in range(3):
            held = await take(desk)
            await settled()
            desk.seating.release(held)
            await settled()
        await take(desk)
        await settled()

        assert subscriptions(desk) == [("run-1", False), ("run-1", True)]


async def test_a_successor_ends_the_subscription_of_its_ghost() -> None:
    async with open_desk() as desk:
        await apply(desk, sidecar())
        peer = FakePeer()
        ghost = await take(desk, peer=peer)
        await settled()
        peer.at_eof = True
        await take(desk)
        desk.seating.release(ghost)
        await settled()

        assert subscriptions(desk) == [("run-1", False), ("run-1", True)]


async def test_a_store_that_fails_stops_no_admission_and_is_written_when_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_desk() as desk:
        await apply(desk, sidecar())
        await wait_all_tasks_blocked()
        desk.resources.failure = full_disk()
        answer = await take(desk)
        assert [each["code"] for each in line_of(answer)["warnings"]] == [
            "dataplane-not-looked-at",
            "token-not-issued",
        ]
        await settled()
        assert desk.presence.failures > 0
        assert sum(text.startswith("proxies-not-recorded") for text in caplog.messages) == 1
        desk.resources.failure = None
        await trio.sleep(5)

        assert subscriptions(desk) == [("run-1", True)]
        assert desk.presence.pending == 0
        assert "proxies-recorded-again" in caplog.text


async def test_a_seat_that_ends_while_its_insight_is_written_is_written_once_more() -> None:
    there = await furnished()
    store = InterruptedStore(there.resources, there.log)
    async with open_desk(resources=store) as desk:
        await apply(desk, sidecar())
        await wait_all_tasks_blocked()
        held = await take(desk)

        async def leave() -> None:
            desk.seating.release(held)

        store.meanwhile = ("DataplaneInsight", leave)
        await settled()
        await settled()

        assert subscriptions(desk) == [("run-1", False)]
        assert desk.presence.pending == 0


async def test_a_held_seat_gives_signs_of_life() -> None:
    async with open_desk() as desk:
        await apply(desk, sidecar())
        await take(desk)
        await trio.sleep(2 * BEAT_SECONDS + 10)

        (only,) = document(desk, "DataplaneInsight")["subscriptions"]
        assert only["generation"] == 2


async def test_a_subscription_that_others_closed_is_followed_by_a_new_one() -> None:
    async with open_desk() as desk:
        await apply(desk, sidecar())
        await take(desk)
        await settled()
        insight = desk.resources.resources[ResourceKey("DataplaneInsight", "default", "backend-1")]
        given = json.loads(insight.spec)
        given["subscriptions"][0]["disconnectTime"] = "2026-11-21T12:00:01Z"
        again = Put(key=insight.key, spec=json.dumps(given), owner=insight.owner, at=NOON)
        await desk.resources.apply([again])
        await trio.sleep(BEAT_SECONDS + 10)

        assert subscriptions(desk) == [("run-1", False), ("run-1", True)]


# The short form of a proxy whose Dataplane is stored.


async def test_the_stored_dataplane_decides_kind_and_tags() -> None:
    async with open_desk(limit=0) as desk:
        await apply(desk, gateway())
        await wait_all_tasks_blocked()
        held = await take(desk)

        assert line_of(held)["seat"]["kind"] == "delegated-gateway"
        assert not line_of(held)["seat"]["counted"]


async def test_constraints_are_held_against_the_stored_tags() -> None:
    async with open_desk() as desk:
        await apply(desk, sidecar(team="payments"))
        await wait_all_tasks_blocked()
        desk.meshes.constrained["default"] = proxies(require=[{"team": "payments"}])
        tried = await desk.admitting.try_out(body(), FakePeer())
        await take(desk)
        desk.meshes.constrained["default"] = proxies(forbid=[{"team": "payments"}])
        other = await desk.admitting.try_out(body(), FakePeer())

    assert line_of(tried)["decision"] == "admitted"
    assert getattr(other, "code", None) is RefusalCode.MESH_CONSTRAINT


async def test_given_tags_have_to_be_on_the_stored_dataplane() -> None:
    async with open_desk() as desk:
        await apply(desk, sidecar())
        await wait_all_tasks_blocked()
        answer = await refused(desk, body(**{SERVICE: "web", "team": "x"}))
        assert answer.code is RefusalCode.DATAPLANE_MISMATCH
        assert [(each.field, each.message) for each in answer.violations] == [
            (f'tags["{SERVICE}"]', "is backend in the stored Dataplane"),
            ('tags["team"]', "is not there in the stored Dataplane"),
        ]
        assert desk.seating.active == 0

        right = await desk.admitting.admit(body(**{SERVICE: "backend"}), FakePeer())
        assert isinstance(right, HeldSeat)


async def test_a_rule_wants_its_tags_on_the_stored_dataplane() -> None:
    rule = Rule(uid=0, tags={"team": "payments"})
    root = FakePeer(attested(uid=0))
    async with open_desk(rules=[rule]) as desk:
        await apply(desk, sidecar())
        await wait_all_tasks_blocked()
        answer = await refused(desk, body(), root)
        await apply(desk, sidecar(team="x"))
        other = await refused(desk, body(), root)
        await apply(desk, sidecar(team="payments"))
        held = await take(desk, peer=root)

    assert answer.code is other.code is RefusalCode.IDENTITY
    assert answer.rules[0].rule == 1
    assert [each.found for each in answer.rules[0].selectors] == ["none"]
    assert line_of(held)["tags"] == {"team": "payments"}


async def test_a_stranger_does_not_learn_what_is_stored() -> None:
    async with open_desk(rules=[Rule(uid=0)]) as desk:
        await apply(desk, sidecar())
        await wait_all_tasks_blocked()

        answer = await refused(desk, body(**{SERVICE: "web"}))
        assert answer.code is RefusalCode.IDENTITY
        assert "backend" not in answer.reason.replace("backend-1", "")


# What ends a seat.


async def test_a_dataplane_that_an_operator_deletes_ends_the_seat_of_its_proxy() -> None:
    async with open_desk() as desk:
        await apply(desk, sidecar("stored"))
        await wait_all_tasks_blocked()
        connections = [
            Connection(desk, await take(desk, "stored")),
            Connection(desk, await register(desk, sidecar("registered"))),
            Connection(desk, await take(desk, "bystander")),
        ]
        await settled()
        await delete(desk, "stored")
        await delete(desk, "registered")
        await settled()

        for connection in connections[:2]:
            assert connection.ended
            (event,) = connection.events
            assert (event["event"], event["code"]) == ("seat-ended", "dataplane-deleted")
            assert event["reason"]
            assert event["hint"]
        assert not connections[2].ended
        assert desk.seating.active == 1


async def test_a_dataplane_that_is_made_anew_at_once_ends_nothing() -> None:
    async with open_desk() as desk:
        await apply(desk, sidecar())
        await wait_all_tasks_blocked()
        connection = Connection(desk, await take(desk))
        await settled()
        await delete(desk)
        await apply(desk, sidecar())
        await settled()

        assert not connection.ended
        assert subscriptions(desk) == [("run-1", True)]


async def test_a_mesh_that_is_deleted_ends_the_seats_in_it() -> None:
    async with open_desk() as desk:
        connections = [
            Connection(desk, await take(desk, "plain")),
            Connection(desk, await register(desk)),
        ]
        elsewhere = Connection(desk, await register(desk, sidecar("b", mesh="other")))
        await delete_mesh(desk)
        await settled()

        assert [each.events[0]["code"] for each in connections] == ["mesh-deleted"] * 2
        assert all(each.ended for each in connections)
        assert not elsewhere.ended
        assert desk.seating.active == 1
        assert (await refused(desk, body("plain"))).code is RefusalCode.MESH_NOT_FOUND


async def test_a_seat_that_ends_before_its_connection_is_known_ends_then() -> None:
    async with open_desk() as desk:
        held = await take(desk)
        await delete_mesh(desk)
        connection = Connection(desk, held)

        assert [each["code"] for each in connection.events] == ["mesh-deleted"]
        assert connection.ended


async def test_a_gateway_that_becomes_a_sidecar_has_to_ask_again() -> None:
    async with open_desk(limit=0) as desk:
        await apply(desk, gateway())
        await wait_all_tasks_blocked()
        connection = Connection(desk, await take(desk))
        await settled()
        await apply(desk, sidecar())
        await settled()

        assert [each["code"] for each in connection.events] == ["kind-changed"]
        assert connection.ended
        assert (await refused(desk, body())).code is RefusalCode.LICENSE_LIMIT


async def test_changed_tags_end_nothing() -> None:
    async with open_desk() as desk:
        await apply(desk, sidecar())
        await wait_all_tasks_blocked()
        connection = Connection(desk, await take(desk))
        await apply(desk, sidecar(version="v2"))
        await settled()

        assert not connection.ended
