"""Services reach each other through the real Envoy."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.daemons.daemon import eventually
from support.data_plane.applications import ask
from support.data_plane.envoy_stage import answers, staged

pytestmark = pytest.mark.system


def test_two_services_reach_each_other_through_their_envoys(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        web, backend = stage.pair()
        place = web.outbound("backend")
        eventually("it answers", lambda: answers(place))
        assert ask(place).json["application"] == "backend-1"
        for proxy in (web, backend):
            print(proxy.envoy.updates("success"))
            assert set(proxy.envoy.updates("rejected").values()) == {0}
            assert proxy.envoy.rejected() == []
            print(stage.insight(proxy))
