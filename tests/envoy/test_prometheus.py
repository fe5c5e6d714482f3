"""A real Prometheus finds proxies, and scrapes them.

Debian's is built without `kuma_sd_configs`: it asks with `http_sd_configs`.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.daemons.daemon import eventually, free_port
from support.data_plane.applications import Place, application, ask
from support.data_plane.envoy_stage import Proxy, Stage, staged
from support.data_plane.proxy_programs import kuma_dp, serving
from support.data_plane.receivers import HERE, web_server
from support.suites.patience import HANG_SECONDS

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="needs Debian's package prometheus"
    ),
]

QUICK: dict[str, Any] = {"KUMA_DATAPLANE_RUNTIME_DYNAMIC_CONFIGURATION_REFRESH_INTERVAL": "1s"}


class Prometheus:
    """One that runs."""

    def __init__(self, port: int) -> None:
        self._place = Place(HERE, port)

    def get(self, path: str) -> Any:
        try:
            answer = ask(self._place, path)
        except OSError:
            return None
        return answer.json["data"] if answer.status == 200 else None

    def targets(self) -> dict[str, dict[str, Any]]:
        """Those that it scrapes, by their address."""
        found = (self.get("/api/v1/targets") or {}).get("activeTargets", ())
        return {each["scrapeUrl"]: each for each in found}

    def are_up(self, *urls: str) -> bool:
        found = self.targets()
        return found.keys() == set(urls) and all(each["health"] == "up" for each in found.values())

    def value(self, query: str) -> str | None:
        found = (self.get(f"/api/v1/query?query={urllib.parse.quote(query)}") or {}).get("result")
        return found[0]["value"][1] if found else None


def _kuma_sd(server: str, client: str) -> dict[str, object]:
    named = {"client_id": client} if client else {}
    discovery = {"server": server, "refresh_interval": "1s", "fetch_timeout": "10s", **named}
    return {"kuma_sd_configs": [discovery]}


def _http_sd(server: str, client: str) -> dict[str, object]:
    url = f"{server}/targets?client={client}"
    return {"http_sd_configs": [{"url": url, "refresh_interval": "1s"}]}


WAYS = pytest.mark.parametrize("way", [_kuma_sd, _http_sd], ids=["kuma_sd", "http_sd"])
Way = Callable[[str, str], dict[str, object]]


@contextlib.contextmanager
def prometheus(stage: Stage, folder: Path, way: Way, client: str = "") -> Iterator[Prometheus]:
    port, server = free_port(), stage.daemon.addresses["monitoring"].replace("0.0.0.0", HERE)
    folder.mkdir()
    job = {"job_name": "mesh", "scrape_interval": "1s", **way(server, client)}
    configuration = folder / "prometheus.yml"
    configuration.write_text(json.dumps({"scrape_configs": [job]}))
    checked = subprocess.run(
        ["promtool", "check", "config", str(configuration)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "kuma_sd_configs not found" in checked.stderr:
        pytest.skip("this Prometheus was built without kuma_sd_configs, as Debian's is")
    command = [
        "prometheus",
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={HERE}:{port}",
    ]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process,
    ):
        try:
            yield Prometheus(port)
        finally:
            process.terminate()
            process.wait(HANG_SECONDS)


@contextlib.contextmanager
def running(stage: Stage, folder: Path, name: str) -> Iterator[Proxy]:
    proxy = stage.proxy(name, "web")
    with (
        application(proxy.name, proxy.behind),
        kuma_dp(stage, proxy, folder, **QUICK) as program,
    ):
        serving(program, proxy)
        yield proxy


def put_metrics(stage: Stage, *backends: dict[str, object], **conf: object) -> None:
    spec = {"default": {"backends": list(backends), **conf}}
    document = {"type": "MeshMetric", "mesh": "default", "name": "m", "spec": spec}
    stage.put("/meshes/default/meshmetrics/m", document)


@WAYS
def test_prometheus_finds_the_proxies_of_a_meshmetric_and_scrapes_them(
    tmp_path: Path, way: Way
) -> None:
    page = "# TYPE orders_total counter\norders_total 3\n"
    with staged(tmp_path) as stage, web_server({"/stats": page}) as (shop, _):
        port, own = free_port(), free_port()
        put_metrics(
            stage,
            {"type": "Prometheus", "prometheus": {"port": port, "path": "/all"}},
            {"type": "Prometheus", "prometheus": {"port": own, "clientId": "own"}},
            applications=[
                {"name": "shop", "path": "/stats", "port": shop.port, "address": shop.address}
            ],
        )
        with (
            prometheus(stage, tmp_path / "everybody", way) as found,
            prometheus(stage, tmp_path / "own", way, "own") as other,
            running(stage, tmp_path, "web-1") as first,
        ):
            eventually("it is up", lambda: found.are_up(f"http://{first.address}:{port}/all"))
            eventually(
                "it is up there", lambda: other.are_up(f"http://{first.address}:{own}/metrics")
            )

            (target,) = found.targets().values()
            said = target["discoveredLabels"]
            assert said["__meta_kuma_mesh"] == "default"
            assert said["__meta_kuma_service"] == "web"
            assert said["__meta_kuma_dataplane"] == "web-1"
            eventually(
                "the application's are there",
                lambda: found.value('orders_total{kuma_io_service="web",dataplane="web-1"}') == "3",
            )
            eventually("Envoy's are there", lambda: found.value("envoy_server_live") == "1")

            with running(stage, tmp_path, "web-2") as second:
                both = [f"http://{each.address}:{port}/all" for each in (first, second)]
                eventually("both are up", lambda: found.are_up(*both))

            eventually("one has gone", lambda: found.are_up(both[0]))


@WAYS
def test_prometheus_finds_the_proxies_of_a_mesh_with_metrics(tmp_path: Path, way: Way) -> None:
    with staged(tmp_path) as stage:
        port = free_port()
        backend = {"name": "prom", "type": "prometheus", "conf": {"port": port, "path": "/metrics"}}
        metrics = {"enabledBackend": "prom", "backends": [backend]}
        stage.put("/meshes/default", {"type": "Mesh", "name": "default", "metrics": metrics})
        with (
            prometheus(stage, tmp_path / "prometheus", way) as found,
            running(stage, tmp_path, "web-1") as proxy,
        ):
            eventually("it is up", lambda: found.are_up(f"http://{proxy.address}:{port}/metrics"))

            (target,) = found.targets().values()
            assert target["discoveredLabels"]["__meta_kuma_label_kuma_io_service"] == "web"
            eventually("Envoy's are there", lambda: found.value("envoy_server_live") == "1")
