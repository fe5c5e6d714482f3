"""Dataplanes that come with an admission: put as the API would, and gone with the seat."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kong_mesh_cp.core.admission.attestation import Rule
from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.admission.presence import START_SECONDS_MAX
from kong_mesh_cp.usecases.ports.resource_store import (
    Applied,
    Change,
    Delete,
    VersionConflictError,
)
from support.fakes.admission import furnished, line_of, open_desk, proxies, refused, take
from support.fakes.attending import (
    SERVICE,
    apply,
    delete,
    document,
    gateway,
    register,
    registering,
    settled,
    sidecar,
    stored,
)
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.fake_store import full_disk
from support.fakes.peers import FakePeer, attested

ANYBODY = Rule(uid=1000)  # as `attested` has it

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_a_dataplane_is_stored_as_the_api_would_store_it() -> None:
    async with open_desk() as desk:
        await register(desk, sidecar("by-seat"))
        await apply(desk, sidecar("by-api"))
        by_seat, by_api = (
            desk.resources.resources[ResourceKey("Dataplane", "default", name)]
            for name in ("by-seat", "by-api")
        )

    assert by_seat.spec == by_api.spec
    assert by_seat.labels == by_api.labels
    assert by_seat.owner == by_api.owner == ResourceKey("Mesh", "", "default")
    assert json.loads(by_seat.spec)["networking"]["inbound"][0]["tags"] == {
        SERVICE: "backend",
        "kuma.io/zone": "default",
    }


async def test_members_that_a_dataplane_does_not_know_are_warned_of_in_the_first_line() -> None:
    dataplane = sidecar()
    dataplane["networking"]["inbound"][0]["servicePrt"] = 8080
    dataplane["netwroking"] = {}
    async with open_desk() as desk:
        tried = line_of(await desk.admitting.try_out(registering(dataplane), FakePeer()))
        held = line_of(await register(desk, dataplane))
        by_api = await apply(desk, {**dataplane, "name": "by-api"})

    told = [each["message"] for each in held["warnings"] if each["code"] == "dataplane-warning"]
    assert told == list(by_api.warnings)
    assert [each.partition(":")[0] for each in told] == [
        "unknown member networking.inbound[0].servicePrt",
        "unknown member netwroking",
    ]
    assert held["warnings"] == tried["warnings"]


async def test_a_dataplane_without_unknown_members_has_no_warning() -> None:
    async with open_desk() as desk:
        assert line_of(await register(desk))["warnings"] == []


async def test_it_is_gone_when_its_connection_ends() -> None:
    async with open_desk() as desk:
        held = await register(desk)
        await settled()
        assert stored(desk, "DataplaneInsight") == ["backend-1"]
        desk.seating.release(held)
        await settled()

        assert stored(desk) == stored(desk, "DataplaneInsight") == []
        assert stored(desk, "AdmissionRegistration") == []
        assert desk.presence.pending == 0


async def test_a_proxy_that_registers_again_replaces_its_dataplane() -> None:
    async with open_desk() as desk:
        desk.seating.release(await register(desk))
        await register(desk, sidecar(version="v2"))
        await settled()

        assert document(desk)["networking"]["inbound"][0]["tags"]["version"] == "v2"


async def test_a_dry_run_writes_nothing() -> None:
    async with open_desk() as desk:
        tried = await desk.admitting.try_out(registering(sidecar()), FakePeer())
        await settled()

        assert line_of(tried)["decision"] == "admitted"
        assert "token" not in line_of(tried)
        assert stored(desk) == []


async def test_what_the_api_would_refuse_is_refused_with_every_field() -> None:
    wrong = sidecar()
    wrong["networking"] = {"address": "", "inbound": [{"port": 0, "tags": {}}]}
    async with open_desk() as desk:
        answers = [
            await refused(desk, registering(wrong)),
            await desk.admitting.try_out(registering(wrong), FakePeer()),
        ]

    for answer in answers:
        assert isinstance(answer, Refused)
        assert answer.code is RefusalCode.INVALID_DATAPLANE
        assert [each.field for each in answer.violations] == [
            "networking.address",
            "networking.inbound[0].port",
            f'networking.inbound[0].tags["{SERVICE}"]',
        ]


async def test_a_field_of_the_wrong_type_is_reported_in_the_words_of_the_api() -> None:
    wrong = sidecar()
    wrong["networking"]["inbound"][0]["port"] = "http"
    async with open_desk() as desk:
        answer = await refused(desk, registering(wrong))

    assert answer.code is RefusalCode.INVALID_DATAPLANE
    assert answer.reason.startswith("invalid Dataplane object: ")


async def test_shape_is_checked_before_the_mesh_is_looked_for() -> None:
    wrong = sidecar(mesh="nowhere")
    wrong["networking"]["address"] = ""
    async with open_desk() as desk:
        assert (await refused(desk, registering(wrong))).code is RefusalCode.INVALID_DATAPLANE
        no_mesh = await refused(desk, registering(sidecar(mesh="nowhere")))

    assert no_mesh.code is RefusalCode.MESH_NOT_FOUND


async def test_tags_of_a_rule_stand_on_each_inbound_and_cannot_be_overridden() -> None:
    rule = Rule(uid=0, tags={"team": "payments"})
    root = FakePeer(attested(uid=0))
    async with open_desk(rules=[rule]) as desk:
        await register(desk, sidecar("a"), root)
        await register(desk, gateway("b"), root)
        await register(desk, sidecar("c", team="payments"), root)
        lying = await refused(desk, registering(sidecar("d", team="x")), root)

        assert document(desk, name="a")["networking"]["inbound"][0]["tags"]["team"] == "payments"
        assert document(desk, name="b")["networking"]["gateway"]["tags"]["team"] == "payments"
        assert lying.code is RefusalCode.IDENTITY
        assert stored(desk) == ["a", "b", "c"]


async def test_constraints_keep_a_dataplane_out_of_the_store() -> None:
    async with open_desk() as desk:
        desk.meshes.constrained["default"] = proxies(require=[{"team": "payments"}])
        answer = await refused(desk, registering(sidecar()))

        assert answer.code is RefusalCode.MESH_CONSTRAINT
        assert stored(desk) == []


async def test_without_a_free_seat_nothing_is_registered() -> None:
    async with open_desk(limit=1) as desk:
        await take(desk, "other")
        answer = await refused(desk, registering(sidecar()))

        assert answer.code is RefusalCode.LICENSE_LIMIT
        assert stored(desk) == []


async def test_a_store_that_fails_gives_the_seat_back_and_says_when_to_ask_again() -> None:
    async with open_desk(limit=1) as desk:
        desk.resources.failure = full_disk()
        answer = await refused(desk, registering(sidecar()))
        assert answer.code is RefusalCode.BUSY
        assert answer.retry_after_seconds
        assert "no space left" in answer.reason
        assert desk.seating.active == 0
        assert desk.seating.decisions == {("refused", "busy"): 1}
        desk.resources.failure = None
        await desk.recorder.durable()

        assert not desk.store.seats
        await register(desk)


class _LosesAnAnswer(FakeResourceStore):
    """Its connection breaks once, while it commits."""

    lost = False

    async def apply(self, changes: Sequence[Change]) -> Applied:
        made = await super().apply(changes)
        if not self.lost and changes[0].key.type == "Dataplane":
            self.lost = True
            raise StateError("the connection broke", code="store-outcome-unknown", hint="Look.")
        return made


async def test_what_was_stored_although_the_answer_was_lost_is_removed() -> None:
    there = await furnished()
    async with open_desk(resources=_LosesAnAnswer(there.resources, there.log)) as desk:
        answer = await refused(desk, registering(sidecar()))
        assert answer.code is RefusalCode.BUSY
        assert stored(desk) == ["backend-1"]
        await settled()

        assert stored(desk) == []


async def test_a_mesh_that_is_deleted_while_a_proxy_registers_is_not_found() -> None:
    async with open_desk() as desk:
        await desk.resources.apply([Delete(key=ResourceKey("Mesh", "", "default"))])
        answer = await refused(desk, registering(sidecar()))

        assert answer.code is RefusalCode.MESH_NOT_FOUND
        assert answer.meshes == ("other",)
        assert desk.seating.active == 0


async def test_a_mesh_that_is_constrained_while_a_proxy_registers_is_asked_again() -> None:
    async with open_desk() as desk:
        constraints = {"dataplaneProxy": {"requirements": [{"tags": {"team": "x"}}]}}
        await desk.api.put("Mesh", "default", constraints=constraints)
        answer = await refused(desk, registering(sidecar()))

        assert (answer.code, stored(desk)) == (RefusalCode.BUSY, [])


class _SomebodyIsFaster(FakeResourceStore):
    """The first Dataplane that is put meets another writer."""

    met = False

    async def apply(self, changes: Sequence[Change]) -> Applied:
        if not self.met and changes[0].key.type == "Dataplane":
            self.met = True
            raise VersionConflictError(changes[0].key, expected=1, found=2)
        return await super().apply(changes)


async def test_a_proxy_that_meets_another_writer_tries_again() -> None:
    there = await furnished()
    store = _SomebodyIsFaster(there.resources, there.log)
    async with open_desk(resources=store) as desk:
        await register(desk)

        assert store.met
        assert stored(desk) == ["backend-1"]


async def test_a_tag_of_a_rule_that_no_dataplane_can_have_is_reported_as_such() -> None:
    rule = Rule(uid=0, tags={"team": "no value"})
    async with open_desk(rules=[rule]) as desk:
        answer = await refused(desk, registering(sidecar()), FakePeer(attested(uid=0)))

        assert answer.code is RefusalCode.INVALID_DATAPLANE
        assert desk.seating.active == 0


async def test_writers_that_meet_all_get_through() -> None:
    async with open_desk(rules=[ANYBODY]) as desk:

        async def change(number: int) -> None:
            await apply(desk, sidecar(number=str(number)))

        await apply(desk, sidecar())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(register, desk)
            nursery.start_soon(change, 1)

        assert stored(desk) == ["backend-1"]
        assert desk.seating.active == 1


async def test_the_end_of_a_ghost_leaves_the_dataplane_of_its_successor() -> None:
    async with open_desk() as desk:
        peer = FakePeer()
        ghost = await register(desk, peer=peer)
        peer.at_eof = True
        successor = await register(desk)
        desk.seating.release(ghost)
        await settled()
        assert stored(desk) == ["backend-1"]

        desk.seating.release(successor)
        await settled()
        assert stored(desk) == []


async def test_a_successor_in_the_short_form_inherits_the_dataplane() -> None:
    async with open_desk() as desk:
        peer = FakePeer()
        await register(desk, gateway(), peer)
        peer.at_eof = True
        await wait_all_tasks_blocked()
        successor = await take(desk)
        assert line_of(successor)["seat"]["kind"] == "delegated-gateway"
        await settled()
        assert stored(desk) == ["backend-1"]

        desk.seating.release(successor)
        await settled()
        assert stored(desk) == []


async def test_a_ghost_that_went_to_another_mesh_takes_its_dataplane_along() -> None:
    async with open_desk() as desk:
        peer = FakePeer()
        await register(desk, peer=peer)
        peer.ended = True
        await register(desk, sidecar(mesh="other"))
        await settled()

        assert stored(desk) == []
        assert stored(desk, mesh="other") == ["backend-1"]


async def test_what_another_control_plane_has_registered_since_is_left_to_it() -> None:
    async with (
        open_desk() as one,
        open_desk(resources=one.resources, run=("other", "run-9")) as two,
    ):
        held = await register(one)
        moved = await register(two)
        one.seating.release(held)
        await settled()
        assert stored(one) == ["backend-1"]

        two.seating.release(moved)
        await settled()
        assert stored(one) == []


async def test_what_an_operator_made_anew_is_left_to_the_operator() -> None:
    async with open_desk() as desk:
        held = await register(desk)
        await settled()
        await delete(desk)
        await apply(desk, sidecar())
        desk.seating.release(held)
        await settled()

        assert stored(desk) == ["backend-1"]


async def test_before_resources_are_loaded_registering_waits_for_a_bounded_time() -> None:
    async with open_desk(serving=False) as desk:
        started = trio.current_time()
        answer = await refused(desk, registering(sidecar()))

        assert trio.current_time() - started == START_SECONDS_MAX
        assert answer.code is RefusalCode.BUSY
        assert answer.retry_after_seconds
