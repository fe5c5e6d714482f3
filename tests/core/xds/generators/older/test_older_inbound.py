"""What older policies make of inbounds (docs/wire/older-policies.md#inbounds)."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.xds.names import LISTENER as LISTENERS
from support.specs.sidecars import inbound, older, outbound, told, web
from support.specs.transparent_proxies import Json, made_for, mesh, shown
from support.specs.transparent_proxies import web as transparent_web

LISTENER = "inbound:10.0.0.1:8080"
TO_WEB = [{"match": {"kuma.io/service": "web", "kuma.io/protocol": "http"}}]


def fault(name: str = "p", by: str = "*", **conf: object) -> Json:
    return older("FaultInjection", name, by=by, destinations=TO_WEB, conf=conf)


def limit(name: str = "p", by: str = "*", **http: object) -> Json:
    said = {"requests": 5, "interval": "10s", **http}
    return older("RateLimit", name, by=by, conf={"http": said})


def filters(*documents: Json) -> list[Any]:
    return [each["typedConfig"] for each in told(web(), *documents).filter(LISTENER)["httpFilters"]]


def test_a_fault_is_for_the_callers_that_its_sources_name() -> None:
    first, _ = filters(fault(by="pay.v1", abort={"httpStatus": 500, "percentage": 50}))
    assert first["abort"] == {"httpStatus": 500, "percentage": {"numerator": 50}}
    assert first["headers"] == [
        {
            "name": "x-kuma-tags",
            "safeRegexMatch": {"regex": r".*&kuma.io/service=[^&]*pay\.v1[,&].*"},
        }
    ]


def test_of_several_faults_the_one_with_the_closest_source_comes_first() -> None:
    delay = {"value": "5s", "percentage": 50.5}
    found = filters(fault("any", delay=delay), fault("one", by="pay", delay=delay))
    expressions = [each["headers"][0]["safeRegexMatch"]["regex"] for each in found[:-1]]
    assert expressions == [
        ".*&kuma.io/service=[^&]*pay[,&].*",
        ".*&kuma.io/service=.*",
    ]
    assert found[0]["delay"]["percentage"] == {"numerator": 5050, "denominator": "TEN_THOUSAND"}


@pytest.mark.parametrize(
    ("said", "kbps"), [("50kbps", "50"), ("50 mbps", "50000"), ("2gbps", "2000000")]
)
def test_the_speed_of_answers_is_read_in_every_unit_that_is_taken(said: str, kbps: str) -> None:
    first, _ = filters(fault(responseBandwidth={"limit": said, "percentage": 100}))
    assert first["responseRateLimit"]["fixedLimit"] == {"limitKbps": kbps}


def test_a_limit_is_on_a_route_of_its_own_before_what_is_not_limited() -> None:
    answer = {"status": 423, "headers": [{"key": "x", "value": "1", "append": True}]}
    found = told(web(), limit(by="pay", onRateLimit=answer))
    limited, rest = found.routes(LISTENER)
    (config,) = limited["typedPerFilterConfig"].values()
    assert config["tokenBucket"] == {"maxTokens": 5, "tokensPerFill": 5, "fillInterval": "10s"}
    assert config["status"] == {"code": "Locked"}
    assert limited["match"]["headers"][0]["name"] == "x-kuma-tags"
    assert "typedPerFilterConfig" not in rest
    assert [each["name"] for each in found.filter(LISTENER)["httpFilters"]] == [
        "envoy.filters.http.local_ratelimit",
        "envoy.filters.http.router",
    ]


def test_what_is_no_http_has_no_faults_and_no_limits() -> None:
    found = told(web(inbound("web", 8080, "tcp")), limit())
    assert set(found.filter(LISTENER)) >= {"cluster"}


TRACING = {
    "defaultBackend": "z",
    "backends": [
        {
            "name": "z",
            "type": "zipkin",
            "sampling": 40,
            "conf": {"url": "https://zipkin.example:9411/api/v2/spans", "apiVersion": "httpProto"},
        },
        {
            "name": "d",
            "type": "datadog",
            "conf": {"address": "10.5.0.4", "port": 8126, "splitService": True},
        },
    ],
}


def trace(backend: str = "") -> Json:
    return {
        "type": "TrafficTrace",
        "mesh": "m",
        "name": "t",
        "selectors": [{"match": {"kuma.io/service": "*"}}],
        "conf": {"backend": backend},
    }


def test_spans_go_to_the_backend_of_the_mesh_whose_cluster_is_named_after_it() -> None:
    found = told(mesh(tracing=TRACING), web(), trace())
    tracing = found.filter(LISTENER)["tracing"]
    assert tracing["overallSampling"] == {"value": 40.0}
    config = tracing["provider"]["typedConfig"]
    assert config["collectorEndpointVersion"] == "HTTP_PROTO"
    assert config["collectorHostname"] == "zipkin.example:9411"
    cluster = found.clusters["tracing:z"]
    (secured,) = cluster["transportSocketMatches"]
    assert secured["transportSocket"]["typedConfig"]["sni"] == "zipkin.example"
    assert cluster["type"] == "STRICT_DNS"


def test_datadog_shows_a_service_in_parts_where_it_is_to() -> None:
    found = told(mesh(tracing=TRACING), web(), trace("d"))
    provider = found.filter(LISTENER)["tracing"]["provider"]
    assert provider["typedConfig"]["serviceName"] == "web_INBOUND"
    assert "tracing:d" in found.clusters


def test_a_backend_that_the_mesh_does_not_have_is_none() -> None:
    found = told(mesh(tracing=TRACING), web(), trace("gone"))
    assert "tracing" not in found.filter(LISTENER)
    assert not any(each.startswith("tracing:") for each in found.clusters)


def test_a_collector_without_a_place_is_told_once() -> None:
    backend = {"name": "z", "type": "zipkin", "conf": {"url": "/api/v2/spans"}}
    found = told(mesh(tracing={"defaultBackend": "z", "backends": [backend]}), web(), trace())
    (complaint,) = found.complaints
    assert complaint == (
        "TrafficTrace: the URL of the tracing backend z names no host and port: it is to begin "
        "like http://zipkin.example:9411"
    )


def test_what_passes_through_is_logged_as_the_service_pass_through() -> None:
    logging = {
        "defaultBackend": "f",
        "backends": [
            {
                "name": "f",
                "type": "file",
                "format": "%KUMA_TRAFFIC_DIRECTION% %KUMA_DESTINATION_SERVICE%",
                "conf": {"path": "/log"},
            }
        ],
    }
    log = older("TrafficLog", to="pass_through")
    listeners = shown(made_for(mesh(logging=logging), transparent_web(), log), LISTENERS)
    assert "UNSPECIFIED external" in str(listeners["outbound:passthrough:ipv4"])
    assert "accessLog" not in str(listeners["inbound:passthrough:ipv4"])


def test_a_log_that_cannot_be_written_is_told_once_for_both_versions_of_ip() -> None:
    backend = {"name": "k", "type": "kafka", "conf": {}}
    logging = {"defaultBackend": "k", "backends": [backend]}
    log = older("TrafficLog", to="pass_through")
    found = told(mesh(logging=logging), transparent_web(), log)
    assert found.complaints == [
        "TrafficLog: logging backend k is of type kafka: it is to be file or tcp"
    ]


def test_a_limit_of_an_outbound_is_kept_by_whoever_is_called() -> None:
    assert told(web(to=(outbound(10001, "pay"),)), limit(by="web")).complaints == []
