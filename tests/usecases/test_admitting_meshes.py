"""Meshes that go away while somebody asks for a seat in them."""

from __future__ import annotations

from dataclasses import dataclass

from kong_mesh_cp.core.admission.attestation import AttestedPeer
from kong_mesh_cp.core.admission.decision import RefusalCode
from support.fakes.admission import Desk, body, open_desk, refused
from support.fakes.attending import delete_mesh
from support.fakes.peers import FakePeer


@dataclass
class _LookedAtForLong(FakePeer):
    """Its mesh is deleted while the process is looked at."""

    desk: Desk | None = None

    async def attest(self, *, names: bool) -> AttestedPeer:
        assert self.desk is not None
        await delete_mesh(self.desk)
        return await super().attest(names=names)


async def test_a_mesh_that_is_deleted_while_the_process_is_looked_at_gives_no_seat() -> None:
    async with open_desk() as desk:
        answer = await refused(desk, body(), _LookedAtForLong(desk=desk))

        assert answer.code is RefusalCode.MESH_NOT_FOUND
        assert answer.meshes == ("other",)
        assert desk.seating.active == 0
        await desk.recorder.durable()
        assert not desk.store.seats


async def test_that_the_mesh_has_gone_is_reported_before_that_all_seats_are_taken() -> None:
    async with open_desk(limit=0) as desk:
        assert (await refused(desk, body())).code is RefusalCode.LICENSE_LIMIT
        answer = await refused(desk, body(), _LookedAtForLong(desk=desk))

        assert answer.code is RefusalCode.MESH_NOT_FOUND
