"""Spans of requests (docs/wire/envoy-observability.md#traces)."""

from __future__ import annotations

from typing import Any

from support.specs.edges import (
    ToldEdge,
    about_edge,
    by_path,
    edge,
    gateway,
    http_route,
    to_tag,
)
from support.specs.sidecars import Told, inbound, instance, outbound, policy, told, web

INBOUND = "inbound:10.0.0.1:8080"
OUTBOUND = "outbound:127.0.0.1:10001"
CALLER = web(to=(outbound(10001, "pay"),))
PAY = instance("pay", "http")


def traced(backend: dict[str, Any] | None, **conf: Any) -> Told:
    backends = [] if backend is None else [backend]
    said = policy("MeshTrace", default={"backends": backends, **conf})
    return told(CALLER, PAY, said)


def zipkin(url: str, **more: object) -> dict[str, Any]:
    return {"type": "Zipkin", "zipkin": {"url": url, **more}}


def datadog(**more: object) -> dict[str, Any]:
    return {"type": "Datadog", "datadog": {"url": "http://10.0.0.9:8126", **more}}


def provider(found: Told, listener: str) -> Any:
    return found.filter(listener)["tracing"]["provider"]["typedConfig"]


def place(found: Told, cluster: str) -> Any:
    endpoint = found.clusters[cluster]["loadAssignment"]["endpoints"][0]["lbEndpoints"][0]
    return endpoint["endpoint"]["address"]["socketAddress"]


def test_both_ways_are_traced_and_the_collector_has_a_cluster() -> None:
    found = traced(zipkin("http://z.example:9411/api/v2/spans?x=1", apiVersion="httpProto"))
    for listener in (INBOUND, OUTBOUND):
        assert found.filter(listener)["tracing"]["spawnUpstreamSpan"] is False
        assert provider(found, listener)["collectorEndpoint"] == "/api/v2/spans"
        assert provider(found, listener)["collectorHostname"] == "z.example:9411"
        assert provider(found, listener)["collectorEndpointVersion"] == "HTTP_PROTO"
    assert place(found, "meshtrace:zipkin") == {"address": "z.example", "portValue": 9411}
    assert "transportSocketMatches" not in found.clusters["meshtrace:zipkin"]


def test_a_zipkin_at_https_is_spoken_to_in_tls() -> None:
    cluster = traced(zipkin("https://z.example:443/s")).clusters["meshtrace:zipkin"]
    (match,) = cluster["transportSocketMatches"]
    assert match["transportSocket"]["typedConfig"]["sni"] == "z.example"


def test_an_address_is_asked_for_no_name() -> None:
    cluster = traced(zipkin("https://10.0.0.9:443/s")).clusters["meshtrace:zipkin"]
    (match,) = cluster["transportSocketMatches"]
    assert "sni" not in match["transportSocket"]["typedConfig"]


def test_datadog_shows_a_service_in_parts_where_it_is_told_so() -> None:
    whole, parts = traced(datadog()), traced(datadog(splitService=True))
    assert provider(whole, INBOUND)["serviceName"] == "web"
    assert provider(whole, OUTBOUND)["serviceName"] == "web"
    assert provider(parts, INBOUND)["serviceName"] == "web_INBOUND"
    assert provider(parts, OUTBOUND)["serviceName"] == "web_OUTBOUND_pay"


def test_opentelemetry_takes_spans_over_grpc() -> None:
    found = traced({"type": "OpenTelemetry", "openTelemetry": {"endpoint": "[fd00::1]:9"}})
    assert provider(found, INBOUND)["serviceName"] == "web"
    assert place(found, "meshtrace:opentelemetry") == {"address": "fd00::1", "portValue": 9}
    assert "http2ProtocolOptions" in str(found.clusters["meshtrace:opentelemetry"])


def test_what_sampling_does_not_say_is_left_to_envoy() -> None:
    tracing = traced(datadog(), sampling={"overall": 0, "random": "12.5"}).filter(INBOUND)[
        "tracing"
    ]
    assert tracing["overallSampling"] == {}
    assert tracing["randomSampling"] == {"value": 12.5}
    assert "clientSampling" not in tracing


def test_tags_are_literal_or_of_a_header() -> None:
    tags = [
        {"name": "team", "literal": "core"},
        {"name": "v", "header": {"name": "x-v", "default": "none"}},
        {"name": "w", "header": {"name": "x-w"}},
    ]
    assert traced(datadog(), tags=tags).filter(INBOUND)["tracing"]["customTags"] == [
        {"tag": "team", "literal": {"value": "core"}},
        {"tag": "v", "requestHeader": {"name": "x-v", "defaultValue": "none"}},
        {"tag": "w", "requestHeader": {"name": "x-w"}},
    ]


def test_an_empty_list_of_backends_traces_nothing() -> None:
    found = traced(None)
    assert "tracing" not in found.filter(INBOUND)
    assert not any(each.startswith("meshtrace:") for each in found.clusters)


def test_what_is_not_http_has_no_spans_and_yet_the_cluster() -> None:
    own = web(inbound("web", 8080, "tcp"))
    found = told(own, policy("MeshTrace", default={"backends": [datadog()]}))
    assert "tracing" not in found.filter(INBOUND)
    assert "meshtrace:datadog" in found.clusters


def test_spans_begin_at_a_gateway() -> None:
    zipkin = {"type": "Zipkin", "zipkin": {"url": "http://zipkin.example:9411/api/v2/spans"}}
    found = ToldEdge(
        edge(),
        gateway(),
        instance("pay", "http"),
        http_route(by_path("/", to_tag("pay"))),
        about_edge("MeshTrace", default={"backends": [zipkin]}),
    )
    tracing = found.filter("edge:HTTP:8080")["tracing"]
    assert tracing["spawnUpstreamSpan"] is True
    assert tracing["provider"]["typedConfig"]["splitSpansForRequest"] is True
