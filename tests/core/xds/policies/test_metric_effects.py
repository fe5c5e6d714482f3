"""Who scrapes a proxy, and what kuma-dp is told of it (docs/wire/metrics.md#meshmetric)."""

from __future__ import annotations

import json
from typing import Any

from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from support.specs.sidecars import Told, inbound, policy, told, web
from support.specs.transparent_proxies import mesh

CONFIGURATION = "_kuma:dynamicconfig:observability"
SCRAPED = "_kuma:metrics:prometheus:default-backend"
METADATA = ProxyMetadata(ipv6=False, workdir="/run/p", admin_port=9901)
WITH_CERTIFICATE = ProxyMetadata(
    ipv6=False, workdir="/run/p", metrics_cert_path="/c", metrics_key_path="/k"
)


def prometheus(**members: object) -> dict[str, Any]:
    return {"type": "Prometheus", "prometheus": members}


def collector(endpoint: str, **more: object) -> dict[str, Any]:
    return {"type": "OpenTelemetry", "openTelemetry": {"endpoint": endpoint, **more}}


def measured(*backends: dict[str, Any], metadata: ProxyMetadata = METADATA, **conf: Any) -> Told:
    said = policy("MeshMetric", default={"backends": list(backends), **conf})
    return told(web(), said, metadata=metadata)


def document(found: Told) -> Any:
    """What kuma-dp is told."""
    (route,) = found.routes(CONFIGURATION)
    text = route["directResponse"]["body"]["inlineString"]
    return json.loads(text)["observability"]["metrics"]


def test_a_scrape_is_led_to_kuma_dp() -> None:
    found = measured(prometheus(port=1234, path="/all"))
    (route,) = found.routes(SCRAPED)
    assert route["match"] == {"prefix": "/all"}
    assert route["route"] == {"cluster": "_kuma:metrics:hijacker", "prefixRewrite": "/meshmetric"}
    address = found.listeners[SCRAPED]["address"]["socketAddress"]
    assert (address["address"], address["portValue"]) == ("10.0.0.1", 1234)
    assert "/run/p/kuma-mh-web-1-m.sock" in str(found.clusters["_kuma:metrics:hijacker"])


def test_each_client_has_a_listener_and_kuma_dp_hears_of_one() -> None:
    found = measured(prometheus(port=1), prometheus(port=2, clientId="own"))
    assert {SCRAPED, "_kuma:metrics:prometheus:own"} <= found.listeners.keys()
    assert document(found)["backends"] == [{"type": "Prometheus", "name": None}]


def test_a_certificate_of_the_machine_is_shown_where_there_is_one() -> None:
    backend = prometheus(port=1, tls={"mode": "ProvidedTLS"})
    _, secured = measured(backend, metadata=WITH_CERTIFICATE).listeners[SCRAPED]["filterChains"]
    (pair,) = secured["transportSocket"]["typedConfig"]["commonTlsContext"]["tlsCertificates"]
    assert pair["certificateChain"] == {"filename": "/c"}
    assert "transportSocket" not in measured(backend).chain(SCRAPED)


def test_a_collector_is_reached_through_envoy() -> None:
    found = measured(collector("otel.example:4317"), collector("other", refreshInterval="90s"))
    name = "_kuma:metrics:opentelemetry:otel.example-4317"
    socket = "/run/p/kuma-otel-otel.example-4317.sock"
    assert found.listeners[name]["address"] == {"pipe": {"path": socket}}
    assert name in found.clusters
    assert document(found)["backends"] == [
        {
            "type": "OpenTelemetry",
            "name": "otel.example-4317",
            "openTelemetry": {"endpoint": socket, "refreshInterval": "1m0s"},
        },
        {
            "type": "OpenTelemetry",
            "name": "other",
            "openTelemetry": {
                "endpoint": "/run/p/kuma-otel-other.sock",
                "refreshInterval": "1m30s",
            },
        },
    ]


def test_kuma_dp_is_told_of_applications_and_the_sidecar() -> None:
    sidecar = {
        "profiles": {
            "appendProfiles": [{"name": "None"}],
            "include": [{"type": "Exact", "match": "<a>"}],
        },
        "includeUnused": True,
    }
    applications = [{"name": "shop", "port": 1, "path": "/x", "address": "10.0.0.1"}, {"port": 2}]
    found = document(measured(prometheus(port=1), sidecar=sidecar, applications=applications))
    assert found["sidecar"] == sidecar
    assert found["applications"] == [
        {"name": "shop", "path": "/x", "port": 1, "address": "10.0.0.1"},
        {"path": "/metrics", "port": 2, "address": ""},
    ]


def test_labels_have_each_value_of_a_tag() -> None:
    own = web(inbound("web", 8080, "http"), inbound("admin", 8081, "tcp"))
    said = policy("MeshMetric", default={"backends": [prometheus(port=1)]})
    labels = document(told(own, said, metadata=METADATA))["extraLabels"]
    assert (labels["kuma_io_service"], labels["kuma_io_services"]) == ("admin", ",admin,web,")
    assert labels["kuma_io_protocols"] == ",http,tcp,"


def test_without_backends_nothing_is_there() -> None:
    assert not any(each.startswith("_kuma") for each in measured().listeners)


def test_a_meshmetric_takes_the_place_of_what_the_mesh_says() -> None:
    backend = {"name": "p", "type": "prometheus", "conf": {"port": 9, "path": "/m"}}
    of_mesh = mesh(metrics={"enabledBackend": "p", "backends": [backend]})
    assert "kuma:metrics:prometheus" in told(of_mesh, web(), metadata=METADATA).listeners
    said = policy("MeshMetric", default={"backends": [collector("o")]})
    found = told(of_mesh, web(), said, metadata=METADATA)
    assert "kuma:metrics:prometheus" not in found.listeners
    assert "kuma:metrics:hijacker" not in found.clusters
