"""Logs, spans and metrics of a real Envoy come to where policies send them, through our kuma-dp.

What is sent for which policy: docs/wire/envoy-observability.md#access-logs,
docs/wire/metrics.md#scraping.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.daemons.daemon import eventually, free_port
from support.data_plane.applications import Place, application, ask
from support.data_plane.envoy_stage import Proxy, Stage, answers, staged
from support.data_plane.proxy_programs import KumaDp, kuma_dp, serving
from support.data_plane.receivers import Asked, line_collector, otlp_collector, web_server
from support.specs.otlp_messages import read_request

pytestmark = pytest.mark.system

REQUESTS = 10  # Envoy sends spans when it has five
QUICK: dict[str, Any] = {"KUMA_DATAPLANE_RUNTIME_DYNAMIC_CONFIGURATION_REFRESH_INTERVAL": "1s"}


@contextlib.contextmanager
def running(stage: Stage, folder: Path, *, to: tuple[str, ...] = ()) -> Iterator[tuple[Proxy, Any]]:
    """A proxy web-1 that serves, with its application."""
    proxy = stage.proxy("web-1", "web", to=to)
    with (
        application(proxy.name, proxy.behind),
        kuma_dp(stage, proxy, folder, **QUICK) as program,
    ):
        yield proxy, serving(program, proxy)


def put(stage: Stage, policy_type: str, spec: dict[str, object]) -> None:
    document = {"type": policy_type, "mesh": "default", "name": "p", "spec": spec}
    stage.put(f"/meshes/default/{policy_type.lower()}s/p", document)


def refused_nothing(proxy: Proxy, program: KumaDp) -> bool:
    return proxy.envoy.rejected() == [] and "access-log-malformed" not in program.codes()


def requested(place: Place, seen: list[str], text: str) -> bool:
    """Asked once more, it is written down."""
    ask(place, f"/{text}")
    return any(text in each for each in seen)


def test_a_line_comes_to_a_collector_and_into_a_file(tmp_path: Path) -> None:
    with staged(tmp_path) as stage, line_collector() as (collector, heard):
        log = tmp_path / "requests.log"
        json_format = {
            "type": "Json",
            "json": [
                {"key": "path", "value": "%REQ(:PATH)%"},
                {"key": "to", "value": "%KUMA_DESTINATION_SERVICE%"},
                {"key": "direction", "value": "%KUMA_TRAFFIC_DIRECTION%"},
            ],
        }
        address = f"{collector.address}:{collector.port}"
        backends = [
            {"type": "File", "file": {"path": str(log)}},
            {"type": "Tcp", "tcp": {"address": address, "format": json_format}},
        ]
        with running(stage, tmp_path) as (proxy, program):
            put(stage, "MeshAccessLog", {"rules": [{"default": {"backends": backends}}]})

            eventually("it is sent", lambda: requested(proxy.inbound, heard, "seen"))
            eventually("it is written", lambda: "/seen HTTP" in log.read_text())

            (sent, *_) = [json.loads(each) for each in heard if "seen" in each]
            assert sent == {"path": "/seen", "to": "web", "direction": "INBOUND"}
            line = next(each for each in log.read_text().splitlines() if "/seen" in each)
            assert f'"unknown" "web" "{proxy.address}"' in line
            assert " default " in line
            assert refused_nothing(proxy, program)


def test_the_log_of_an_outbound_names_both_services(tmp_path: Path) -> None:
    with staged(tmp_path) as stage, line_collector() as (collector, heard):
        tcp = {
            "address": f"{collector.address}:{collector.port}",
            "format": {
                "type": "Plain",
                "plain": "%KUMA_SOURCE_SERVICE% asks %KUMA_DESTINATION_SERVICE% %REQ(:PATH)%",
            },
        }
        backends = [{"type": "Tcp", "tcp": tcp}]
        backend = stage.start(stage.proxy("backend-1", "backend"))
        entry = {"targetRef": {"kind": "Mesh"}, "default": {"backends": backends}}
        put(stage, "MeshAccessLog", {"to": [entry]})
        with running(stage, tmp_path, to=("backend",)) as (proxy, program):
            place = proxy.outbound("backend")
            eventually("it answers", lambda: answers(place))

            eventually("it is sent", lambda: requested(place, heard, "outward"))

            assert "web asks backend /outward\n" in heard
            assert refused_nothing(proxy, program)
            assert backend.envoy.rejected() == []


def spans(asked: list[Asked]) -> list[dict[str, Any]]:
    return [
        span for each in asked if each.path == "/api/v2/spans" for span in json.loads(each.body)
    ]


def test_a_span_of_a_request_comes_to_zipkin(tmp_path: Path) -> None:
    with staged(tmp_path) as stage, web_server() as (collector, asked):
        url = f"http://{collector.address}:{collector.port}/api/v2/spans"
        default = {
            "backends": [{"type": "Zipkin", "zipkin": {"url": url}}],
            "tags": [
                {"name": "team", "literal": "core"},
                {"name": "agent", "header": {"name": "x-agent", "default": "none"}},
            ],
        }
        put(stage, "MeshTrace", {"default": default})
        with running(stage, tmp_path) as (proxy, _):

            def arrived() -> bool:
                for _ in range(REQUESTS):
                    ask(proxy.inbound, "/traced")
                return bool(spans(asked))

            eventually("a span is there", arrived)

            span = spans(asked)[0]
            assert span["localEndpoint"]["serviceName"] == "web"
            assert span["tags"]["http.url"].endswith("/traced")
            assert (span["tags"]["team"], span["tags"]["agent"]) == ("core", "none")
            assert proxy.envoy.rejected() == []


def scraped(place: Place, path: str) -> str:
    try:
        answer = ask(place, path)
    except OSError:
        return ""
    return answer.body.decode() if answer.status == 200 else ""


def test_a_scrape_as_meshmetric_says_has_metrics_of_envoy_and_the_application(
    tmp_path: Path,
) -> None:
    page = "# TYPE orders_total counter\norders_total 3\n"
    with staged(tmp_path) as stage, web_server({"/stats": page}) as (shop, _):
        port = free_port()
        default = {
            "sidecar": {"profiles": {"appendProfiles": [{"name": "All"}]}},
            "applications": [
                {"name": "shop", "path": "/stats", "port": shop.port, "address": shop.address}
            ],
            "backends": [{"type": "Prometheus", "prometheus": {"port": port, "path": "/all"}}],
        }
        put(stage, "MeshMetric", {"default": default})
        with running(stage, tmp_path) as (proxy, _):
            scraper = Place(proxy.address, port)

            eventually("the application's are there", lambda: "orders" in scraped(scraper, "/all"))

            lines = scraped(scraper, "/all").splitlines()
            of_application = next(each for each in lines if each.startswith("orders_total"))
            assert 'kuma_io_service="web"' in of_application
            assert 'dataplane="web-1"' in of_application
            assert any(each.startswith("envoy_cluster_upstream_rq") for each in lines)
            assert proxy.envoy.rejected() == []


@pytest.mark.parametrize("mtls", [None, "STRICT"], ids=["without mTLS", "with mTLS"])
def test_a_scrape_as_the_mesh_says_comes_from_the_machine_itself(
    tmp_path: Path, mtls: str | None
) -> None:
    with staged(tmp_path) as stage:
        port = free_port()
        backend = {"name": "prom", "type": "prometheus", "conf": {"port": port, "path": "/metrics"}}
        mesh: dict[str, Any] = {
            "type": "Mesh",
            "name": "default",
            "metrics": {"enabledBackend": "prom", "backends": [backend]},
        }
        if mtls is not None:
            authority = {"name": "ca-1", "type": "builtin", "mode": mtls}
            mesh["mtls"] = {"enabledBackend": "ca-1", "backends": [authority]}
        stage.put("/meshes/default", mesh)
        with running(stage, tmp_path) as (proxy, _):
            scraper = Place(proxy.address, port)
            if mtls is None:
                eventually("it is scraped", lambda: "envoy_" in scraped(scraper, "/metrics"))
            else:
                # Not from elsewhere without a certificate of the mesh.
                eventually(
                    "it listens",
                    lambda: proxy.envoy.stat("listener_manager.lds.update_success") > 0,
                )
                assert scraped(scraper, "/metrics") == ""
            assert proxy.envoy.rejected() == []


def test_lines_and_spans_come_to_a_collector_of_opentelemetry(tmp_path: Path) -> None:
    with staged(tmp_path) as stage, otlp_collector() as (collector, heard):
        endpoint = f"{collector.address}:{collector.port}"
        to_logs = {
            "endpoint": endpoint,
            "attributes": [{"key": "to", "value": "%KUMA_DESTINATION_SERVICE%"}],
            "body": {
                "kvlistValue": {"values": [{"key": "p", "value": {"stringValue": "%REQ(:PATH)%"}}]}
            },
        }
        logs = [{"type": "OpenTelemetry", "openTelemetry": to_logs}]
        traces = [{"type": "OpenTelemetry", "openTelemetry": {"endpoint": endpoint}}]
        tags = [{"name": "team", "literal": "blue"}]
        with running(stage, tmp_path) as (proxy, program):
            put(stage, "MeshAccessLog", {"rules": [{"default": {"backends": logs}}]})
            put(stage, "MeshTrace", {"default": {"backends": traces, "tags": tags}})

            def came(signal: str, *texts: bytes) -> bool:
                """Asked once more, all of them are in one message."""
                ask(proxy.inbound, "/told")
                return any(all(text in each for text in texts) for each in heard[signal])

            eventually("lines come", lambda: came("logs", b"/told", b"web"))
            eventually("spans come", lambda: came("traces", b"/told", b"team", b"blue"))
            assert refused_nothing(proxy, program)


def test_metrics_come_to_a_collector_of_opentelemetry(tmp_path: Path) -> None:
    page = "# TYPE orders_total counter\norders_total 3\n"
    with (
        staged(tmp_path) as stage,
        otlp_collector() as (collector, heard),
        web_server({"/stats": page}) as (shop, _),
    ):
        to = {"endpoint": f"{collector.address}:{collector.port}", "refreshInterval": "1s"}
        default = {
            "sidecar": {"profiles": {"appendProfiles": [{"name": "All"}]}},
            "applications": [
                {"name": "shop", "path": "/stats", "port": shop.port, "address": shop.address}
            ],
            "backends": [{"type": "OpenTelemetry", "openTelemetry": to}],
        }
        put(stage, "MeshMetric", {"default": default})

        def names() -> set[str]:
            return {
                metric.name
                for each in heard["metrics"]
                for resource in read_request(each).resource_metrics
                for scope in resource.scope_metrics
                for metric in scope.metrics
            }

        with running(stage, tmp_path) as (proxy, _):
            eventually("the application's come", lambda: "orders_total" in names())
            eventually(
                "Envoy's come", lambda: any(each.startswith("envoy_cluster") for each in names())
            )
            assert proxy.envoy.rejected() == []
