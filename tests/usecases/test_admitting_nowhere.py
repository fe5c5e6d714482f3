"""Where no proxy may join."""

from __future__ import annotations

from kong_mesh_cp.core.admission.decision import NO_PROXIES_JOIN_GLOBAL
from support.fakes.admission import body, gateway_body, open_desk, refused
from support.fakes.peers import FakePeer


async def test_nobody_joins_a_global_control_plane() -> None:
    async with open_desk(closed=NO_PROXIES_JOIN_GLOBAL) as desk:
        for asked in (body(), gateway_body(), b"not even JSON"):
            assert await refused(desk, asked) is NO_PROXIES_JOIN_GLOBAL
            assert await desk.admitting.try_out(asked, FakePeer()) is NO_PROXIES_JOIN_GLOBAL
        assert desk.seating.decisions == {("refused", "global-control-plane"): 3}
        assert desk.seating.active == 0
