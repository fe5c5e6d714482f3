"""Envoy checks the application, and its Dataplane says what it found."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.daemons.daemon import eventually
from support.data_plane.applications import application
from support.data_plane.envoy_stage import Proxy, Stage, answers, staged

pytestmark = pytest.mark.system

QUICKLY = {"KUMA_DP_SERVER_HDS_INTERVAL": "1s", "KUMA_DP_SERVER_HDS_REFRESH_INTERVAL": "1s"}


def _state(stage: Stage, proxy: Proxy) -> object:
    return stage.get(proxy.path)["networking"]["inbound"][0].get("state")


def test_an_inbound_is_ready_while_its_application_answers(tmp_path: Path) -> None:
    with staged(tmp_path, QUICKLY) as stage:
        probed: dict[str, object] = {"serviceProbe": {"tcp": {}}}
        backend = stage.proxy("backend-1", "backend", inbound_members=probed)
        stage.start(backend, serves=False)
        web = stage.start(stage.proxy("web-1", "web", to=("backend",)))
        eventually("it is not ready", lambda: _state(stage, backend) == "NotReady")

        with application("backend-1", backend.behind):
            eventually("it is ready", lambda: _state(stage, backend) in {"Ready", None})
            eventually("clients use it", lambda: answers(web.outbound("backend")))

        eventually("it is not ready any more", lambda: _state(stage, backend) == "NotReady")
        eventually(
            "clients have no endpoint",
            lambda: backend.address.encode() not in web.envoy.admin("/clusters").body,
        )
