"""Whose a stored Dataplane is: a client's of the API, or a seat's, and of which user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from kong_mesh_cp.core.admission.attestation import Rule
from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import Applied, Change
from support.fakes.admission import Desk, furnished, open_desk, refused, take
from support.fakes.attending import (
    apply,
    document,
    gateway,
    register,
    registering,
    settled,
    sidecar,
    stored,
)
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.peers import FakePeer, attested

ANYBODY = Rule(uid=1000)  # as `attested` has it

pytestmark = pytest.mark.usefixtures("autojump_clock")


def stands_for(desk: Desk, name: str = "backend-1") -> dict[str, Any]:
    tags: dict[str, Any] = document(desk, name=name)["networking"]["inbound"][0]["tags"]
    return tags


async def test_with_rules_what_an_operator_changes_goes_with_the_seat() -> None:
    async with open_desk(rules=[ANYBODY]) as desk:
        held = await register(desk)
        await apply(desk, sidecar(version="v2"))
        desk.seating.release(held)
        await settled()

        assert stored(desk) == []


async def test_with_rules_what_an_operator_stored_is_taken_over_and_goes_too() -> None:
    async with open_desk(rules=[ANYBODY]) as desk:
        await apply(desk, sidecar())
        desk.seating.release(await register(desk))
        await settled()

        assert stored(desk) == []


@pytest.mark.parametrize("refuses", [True, False])
async def test_without_rules_what_an_operator_stored_is_not_replaced(
    refuses: bool,
) -> None:
    async with open_desk(refuses=refuses) as desk:
        await apply(desk, sidecar(version="operators"))
        answers = [
            await refused(desk, registering(sidecar(version="mine"))),
            await refused(desk, registering(gateway())),
            await refused(desk, registering(sidecar()), FakePeer(attested(uid=0))),
            await desk.admitting.try_out(registering(sidecar(version="mine")), FakePeer()),
        ]
        await settled()

        for answer in answers:
            assert isinstance(answer, Refused)
            assert answer.code is RefusalCode.DATAPLANE_STORED
            assert "backend-1 of mesh default" in answer.reason
            assert "admission.rules" in answer.reason
            assert "kumactl delete dataplane" in answer.hint
        assert stands_for(desk)["version"] == "operators"
        assert stored(desk, "AdmissionRegistration") == []
        assert desk.seating.active == 0


async def test_without_rules_a_proxy_joins_with_what_an_operator_stored_and_leaves_it() -> None:
    async with open_desk() as desk:
        await apply(desk, sidecar(version="operators"))
        before = dict(desk.resources.resources)
        desk.seating.release(await take(desk))
        await settled()

        key = ResourceKey("Dataplane", "default", "backend-1")
        assert desk.resources.resources[key] == before[key]


async def test_without_rules_what_an_operator_writes_over_a_registered_one_stays() -> None:
    async with open_desk() as desk:
        held = await register(desk)
        await settled()
        await apply(desk, sidecar(version="operators"))
        await settled()
        desk.seating.release(held)
        await settled()

        assert stands_for(desk)["version"] == "operators"
        assert stored(desk, "AdmissionRegistration") == []
        listed = document(desk, "DataplaneInsight")["subscriptions"]
        assert all("disconnectTime" in each for each in listed)
        answer = await refused(desk, registering(sidecar()))
        assert answer.code is RefusalCode.DATAPLANE_STORED


async def test_without_rules_an_operator_who_is_faster_keeps_what_was_written() -> None:
    """Whatever is written between the look and the change."""

    class Interrupted(FakeResourceStore):
        meanwhile = True

        async def apply(self, changes: Sequence[Change]) -> Applied:
            registers = any(each.key.type == "AdmissionRegistration" for each in changes)
            if registers and self.meanwhile:
                self.meanwhile = False
                await apply(desk, sidecar(version="operators"))
            return await super().apply(changes)

    there = await furnished()
    for second in (False, True):
        store = Interrupted(dict(there.resources), [*there.log])
        async with open_desk(resources=store) as desk:
            if second:  # over what it has registered before
                store.meanwhile = False
                desk.seating.release(await register(desk))
                store.meanwhile = True
            answer = await refused(desk, registering(sidecar(version="mine")))
            await settled()

            assert answer.code is RefusalCode.DATAPLANE_STORED
            assert stands_for(desk)["version"] == "operators"


async def test_without_rules_what_another_user_registered_is_kept_for_that_user() -> None:
    mine, other = FakePeer(attested(uid=1000)), FakePeer(attested(uid=2000))
    async with open_desk() as desk:
        held = await register(desk, sidecar(version="v1"), mine)
        desk.seating.release(held)
        answer = await refused(desk, registering(sidecar(version="v2")), other)

        assert answer.code is RefusalCode.BUSY
        assert answer.retry_after_seconds
        assert "uid 1000" in answer.reason
        assert stands_for(desk)["version"] == "v1"
        await settled()
        assert stored(desk) == [], "it goes all the same"
        desk.seating.release(await register(desk, sidecar(version="v2"), other))
        root = FakePeer(attested(uid=0))
        await register(desk, sidecar(version="v3"), root)
        assert stands_for(desk)["version"] == "v3"


async def test_a_user_of_another_machine_takes_over_what_moved_there() -> None:
    async with (
        open_desk() as one,
        open_desk(resources=one.resources, run=("other", "run-9")) as two,
    ):
        await register(one, peer=FakePeer(attested(uid=1000)))
        await register(two, sidecar(version="v2"), FakePeer(attested(uid=2000)))

        assert stands_for(two)["version"] == "v2"


async def test_what_an_older_release_has_registered_is_a_seats() -> None:
    async with open_desk() as desk:
        held = await register(desk)
        key = ResourceKey("AdmissionRegistration", "default", "backend-1")
        mark = desk.resources.resources[key]
        desk.resources.resources[key] = replace(mark, spec='{"instance": "run-0"}')
        desk.seating.release(held)
        other = FakePeer(attested(uid=2000))
        desk.seating.release(await register(desk, sidecar(version="v2"), other))
        await settled()

        assert stored(desk) == []
