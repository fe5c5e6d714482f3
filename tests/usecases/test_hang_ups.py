"""Clients that hang up while they register: what was begun is finished, and then taken back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio

from kong_mesh_cp.usecases.ports.resource_store import Applied, Change, ChangeKind
from support.fakes.admission import furnished, open_desk
from support.fakes.attending import registering, settled, sidecar, stored
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.peers import FakePeer

pytestmark = pytest.mark.usefixtures("autojump_clock")

COMMIT_SECONDS = 10  # long after what is due behind the admissions has been looked at


async def test_a_client_that_is_gone_while_it_registers_leaves_nothing() -> None:
    async with open_desk(refuses=False) as desk:
        with trio.CancelScope() as scope:
            scope.cancel()
            await desk.admitting.admit(registering(sidecar()), FakePeer())
        await settled()

        assert scope.cancelled_caught
        assert desk.seating.active == 0
        assert stored(desk) == []


class _CommitsLater(FakeResourceStore):
    """Takes its time over a Dataplane, and finishes also for one who has left, as databases do."""

    async def apply(self, changes: Sequence[Change]) -> Applied:
        if changes[0].key.type != "Dataplane":
            return await super().apply(changes)
        made: list[Applied] = []
        committed = trio.Event()
        apply = super().apply

        async def commit() -> None:
            await trio.sleep(COMMIT_SECONDS)
            made.append(await apply(changes))
            committed.set()

        trio.lowlevel.spawn_system_task(commit)
        await committed.wait()
        return made[0]


async def test_a_dataplane_that_is_stored_after_its_client_hung_up_is_removed() -> None:
    there = await furnished()
    store = _CommitsLater(there.resources, there.log)
    async with open_desk(resources=store) as desk:
        with trio.move_on_after(COMMIT_SECONDS / 2) as hung_up:
            await desk.admitting.admit(registering(sidecar()), FakePeer())
        assert hung_up.cancelled_caught
        await trio.sleep(COMMIT_SECONDS)
        await settled()

        assert [change.kind for change in store.log if change.key.type == "Dataplane"] == [
            ChangeKind.CREATED,
            ChangeKind.DELETED,
        ]
        assert stored(desk) == stored(desk, "AdmissionRegistration") == []
        assert desk.seating.active == 0
        await desk.recorder.durable()
        assert not desk.store.seats
