from __future__ import annotations

from pathlib import Path

from kong_mesh_cp.shell.diagnostics.handler import build_diagnostics
from support.daemons.http_peers import get, serving


async def test_health_readiness_and_metrics(tmp_path: Path) -> None:
    serves = False
    handler = build_diagnostics(
        ready=lambda: serves, why_not=lambda: "store-gone", metrics=lambda: "# HELP a b\n"
    )
    async with serving(tmp_path, handler) as server, server.client() as client:
        health = await client.ask(get("/healthy"))
        assert (health.status, health.body) == (200, b"")
        assert "content-type" not in health.headers
        refused = await client.ask(get("/ready"))
        assert (refused.status, refused.body) == (503, b"not ready: store-gone\n")
        serves = True
        assert (await client.ask(get("/ready"))).status == 200
        metrics = await client.ask(get("/metrics"))

    assert metrics.body == b"# HELP a b\n"
    assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_anything_else_is_not_found(tmp_path: Path) -> None:
    handler = build_diagnostics(ready=lambda: True, metrics=str)
    async with serving(tmp_path, handler) as server, server.client() as client:
        assert (await client.ask(get("/debug/pprof/"))).status == 404
        assert (await client.ask(b"POST /healthy HTTP/1.1\r\nHost: h\r\n\r\n")).status == 405
