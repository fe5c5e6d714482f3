"""Admissions to a mesh with a quota of proxies."""

from __future__ import annotations

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.admission.mesh_quotas import MeshQuotas
from kong_mesh_cp.usecases.admission.seating import HeldSeat
from support.fakes.admission import body, open_desk
from support.fakes.peers import FakePeer


async def test_one_mesh_does_not_take_all_that_an_issued_license_allows() -> None:
    quotas = MeshQuotas({"default": 1})
    async with open_desk(limit=100, refuses=False, quotas=quotas) as desk:
        assert isinstance(await desk.admitting.admit(body("a"), FakePeer()), HeldSeat)

        refused = await desk.admitting.admit(body("b"), FakePeer())

        assert isinstance(refused, Refused)
        assert refused.code is RefusalCode.MESH_QUOTA
        assert isinstance(await desk.admitting.try_out(body("b"), FakePeer()), Refused)
        assert desk.seating.decisions["refused", "mesh-quota"] == 1
        other = body("c", mesh="other")
        assert isinstance(await desk.admitting.admit(other, FakePeer()), HeldSeat)
