"""What Envoy refuses is told once, and keeps nothing else from going on."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.daemons.daemon import eventually
from support.data_plane.applications import Load
from support.data_plane.envoy_stage import Stage, answers, staged

pytestmark = pytest.mark.system

NOBODYS_ADDRESS = "192.0.2.1"  # of no machine's (RFC 5737): nobody can listen there
REFUSED = "configuration-refused: "


def _also_at_nobodys(resource: dict[str, object], port: int) -> dict[str, object]:
    """The same with one more outbound."""
    networking = resource["networking"]
    assert isinstance(networking, dict)
    outbound = {
        "address": NOBODYS_ADDRESS,
        "port": port,
        "tags": {"kuma.io/service": "backend"},
    }
    outbounds = [*networking["outbound"], outbound]
    return {**resource, "networking": {**networking, "outbound": outbounds}}


def _refusals(stage: Stage) -> list[str]:
    return [line for line in stage.daemon.stderr.splitlines() if REFUSED in line]


def test_a_listener_that_envoy_cannot_bind_is_told_once_and_all_else_goes_on(
    tmp_path: Path,
) -> None:
    with staged(tmp_path) as stage:
        stage.start(stage.proxy("backend-1", "backend"))
        web = stage.proxy("web-1", "web", to=("backend",))
        stage.put(web.path, web.resource)
        stage.start(web, registers=False)
        eventually("it answers", lambda: answers(web.outbound("backend")))
        load = Load(web.outbound("backend"))
        with load.running():
            stage.put(web.path, _also_at_nobodys(web.resource, 10001))

            eventually("the insight has it", lambda: "lds" in stage.responses(web, "Rejected"))
            eventually("the log has it", lambda: _refusals(stage))
            assert NOBODYS_ADDRESS in _refusals(stage)[0]
            assert "web-1" in _refusals(stage)[0]

            second = stage.start(stage.proxy("backend-2", "backend"))
            eventually("the new endpoint serves", lambda: second.name in load.answered_by)
            assert web.envoy.stat("listener_manager.lds.update_rejected") == 1
            assert stage.responses(web, "Rejected") == {"lds": 1, "total": 1}

            stage.put(web.path, web.resource)
            eventually("it is taken again", lambda: web.envoy.rejected() == [])
            load.wait_for_more()
        assert load.failures == []
        assert len(_refusals(stage)) == 1
