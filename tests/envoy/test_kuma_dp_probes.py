"""Who cannot speak to an application past its proxy asks `kuma-dp` for its health."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.daemons.daemon import free_port
from support.data_plane.applications import Place, application, ask
from support.data_plane.envoy_stage import APPLICATION, staged
from support.data_plane.proxy_programs import kuma_dp, serving

pytestmark = pytest.mark.system


def test_an_application_behind_strict_tls_is_asked_by_its_proxys_kuma_dp(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        stage.mesh("STRICT")
        backend = stage.proxy("backend-1", "backend")
        port = free_port()
        asking = Place("127.0.0.1", port)
        with kuma_dp(
            stage, backend, tmp_path, KUMA_APPLICATION_PROBE_PROXY_PORT=str(port)
        ) as program:
            serving(program, backend)
            assert ask(asking, f"/{APPLICATION}/").status == 503
            with application(backend.name, backend.behind):
                for path in (f"/{APPLICATION}/", f"/tcp/{APPLICATION}"):
                    answer = ask(asking, path)
                    assert (answer.status, answer.body) == (200, b"HEALTHY\n")
