"""Outbounds of a mesh with TrafficRoutes (docs/wire/older-policies.md#outbounds)."""

from __future__ import annotations

from typing import Any

import pytest

from support.specs.sidecars import (
    ROUTE_ALL,
    instance,
    older,
    outbound,
    policy,
    tags,
    to_mesh,
    told,
    web,
)
from support.specs.transparent_proxies import Json, mesh

LISTENER = "outbound:127.0.0.1:10001"
CALLER = web(to=(outbound(10001, "pay"),))
HTTP = instance("pay", "http")


def options(cluster: Any) -> Any:
    (found,) = cluster["typedExtensionProtocolOptions"].values()
    return found


def route(to: str = "pay", **conf: object) -> Json:
    return older("TrafficRoute", to, to=to, conf=conf)


def to_tags(service: str, **others: str) -> dict[str, str]:
    return tags(service, **others)


def test_with_a_traffic_route_outbounds_are_as_it_says_and_without_one_as_others_say() -> None:
    manager = told(CALLER, HTTP, ROUTE_ALL).filter(LISTENER)
    assert "normalizePath" not in manager
    assert [
        each["route"]["cluster"] for each in told(CALLER, HTTP, ROUTE_ALL).routes(LISTENER)
    ] == ["pay"]
    assert told(CALLER, HTTP).filter(LISTENER)["normalizePath"] is True


def test_an_outbound_that_no_traffic_route_is_about_leads_nowhere() -> None:
    elsewhere = route("other", destination=to_tags("*"))
    found = told(CALLER, instance("pay", "tcp"), elsewhere)
    assert "filters" not in found.chain(LISTENER)
    assert "pay" not in found.clusters


def test_requests_tell_the_tags_of_their_proxy() -> None:
    (header,) = told(CALLER, HTTP, ROUTE_ALL).filter(LISTENER)["routeConfig"]["requestHeadersToAdd"]
    assert header["header"] == {
        "key": "x-kuma-tags",
        "value": "&kuma.io/protocol=http&&kuma.io/service=web&&kuma.io/zone=default&",
    }


def test_grpc_tells_them_only_where_some_policy_is_about_who_asks() -> None:
    grpc = instance("pay", "grpc")
    limit = older("RateLimit", to="other", conf={"http": {"requests": 1, "interval": "1s"}})
    config = told(CALLER, grpc, ROUTE_ALL).filter(LISTENER)["routeConfig"]
    assert "requestHeadersToAdd" not in config
    config = told(CALLER, grpc, ROUTE_ALL, limit).filter(LISTENER)["routeConfig"]
    assert config["requestHeadersToAdd"]


def test_a_split_goes_to_the_instances_with_its_tags_and_leaves_out_what_weighs_nothing() -> None:
    split = [
        {"weight": 90, "destination": to_tags("pay", version="v1")},
        {"weight": 10, "destination": to_tags("pay", version="v2")},
        {"weight": 0, "destination": to_tags("other")},
    ]
    found = told(
        CALLER,
        instance("pay", "http", 2, version="v1"),
        instance("pay", "http", 3, version="v2"),
        route(split=split),
    )
    (only,) = found.routes(LISTENER)
    shares = only["route"]["weightedClusters"]["clusters"]
    assert [each["weight"] for each in shares] == [90, 10]
    first, second = (found.endpoints[each["name"]]["endpoints"] for each in shares)
    assert first != second


def test_any_value_of_a_tag_is_that_of_the_outbound_as_are_tags_that_are_not_named() -> None:
    caller = web(to=(outbound(10001, "pay", version="v1"),))
    found = told(caller, instance("pay", "http", version="v1"), ROUTE_ALL)
    (only,) = found.routes(LISTENER)
    assert only["route"]["cluster"].startswith("pay-")


def test_the_protocol_is_what_all_have_in_common_that_the_routes_lead_to() -> None:
    split = [{"weight": 1, "destination": to_tags(each)} for each in ("pay", "mail")]
    found = told(CALLER, HTTP, instance("mail", "tcp", 3), route(split=split))
    weighted = found.filter(LISTENER)["weightedClusters"]["clusters"]
    assert [each["name"] for each in weighted] == ["pay", "mail"]


def test_requests_are_matched_and_modified_and_then_go_by_default() -> None:
    http = [
        {
            "match": {
                "path": {"prefix": "/v2"},
                "method": {"exact": "GET"},
                "headers": {"x-b": {"prefix": "p"}, "x-a": {"regex": "r.*"}},
            },
            "modify": {
                "path": {"rewritePrefix": "/"},
                "host": {"value": "inner"},
                "requestHeaders": {"add": [{"name": "x", "value": "1", "append": True}]},
                "responseHeaders": {"remove": [{"name": "y"}]},
            },
            "destination": to_tags("pay"),
        }
    ]
    first, last = told(CALLER, HTTP, route(http=http, destination=to_tags("*"))).routes(LISTENER)
    assert first["match"] == {
        "prefix": "/v2",
        "headers": [
            {"name": "x-a", "safeRegexMatch": {"regex": "r.*"}},
            {"name": "x-b", "prefixMatch": "p"},
            {"name": ":method", "stringMatch": {"exact": "GET"}},
        ],
    }
    assert first["route"]["prefixRewrite"] == "/"
    assert first["route"]["hostRewriteLiteral"] == "inner"
    assert first["requestHeadersToAdd"] == [{"header": {"key": "x", "value": "1"}}]
    assert first["responseHeadersToRemove"] == ["y"]
    assert last["match"] == {"prefix": "/"}


@pytest.mark.parametrize(
    ("balancer", "members"),
    [
        ({"maglev": {}}, {"lbPolicy": "MAGLEV"}),
        ({"random": {}}, {"lbPolicy": "RANDOM"}),
        (
            {"leastRequest": {}},
            {"lbPolicy": "LEAST_REQUEST", "leastRequestLbConfig": {"choiceCount": 2}},
        ),
        (
            {
                "ringHash": {
                    "hashFunction": "MURMUR_HASH_2",
                    "minRingSize": 64,
                    "maxRingSize": 1024,
                }
            },
            {
                "lbPolicy": "RING_HASH",
                "ringHashLbConfig": {
                    "hashFunction": "MURMUR_HASH_2",
                    "minimumRingSize": "64",
                    "maximumRingSize": "1024",
                },
            },
        ),
    ],
)
def test_a_traffic_route_says_how_endpoints_are_chosen(
    balancer: Json, members: dict[str, object]
) -> None:
    balanced = route(loadBalancer=balancer, destination=to_tags("*"))
    cluster = told(CALLER, HTTP, balanced).clusters["pay"]
    assert {name: cluster[name] for name in members} == members


def test_timeouts_of_grpc_are_those_of_http_where_these_are_said() -> None:
    conf = {"grpc": {"streamIdleTimeout": "10s", "maxStreamDuration": "11s"}}
    found = told(CALLER, instance("pay", "grpc"), ROUTE_ALL, older("Timeout", conf=conf))
    assert found.filter(LISTENER)["streamIdleTimeout"] == "10s"
    assert options(found.clusters["pay"])["commonHttpProtocolOptions"]["maxStreamDuration"] == "11s"
    conf["http"] = {"streamIdleTimeout": "8s", "maxStreamDuration": "9s"}
    found = told(CALLER, instance("pay", "grpc"), ROUTE_ALL, older("Timeout", conf=conf))
    assert found.filter(LISTENER)["streamIdleTimeout"] == "8s"
    assert options(found.clusters["pay"])["commonHttpProtocolOptions"]["maxStreamDuration"] == "9s"


def test_a_mesh_timeout_comes_upon_what_a_timeout_has_made() -> None:
    older_one = older("Timeout", conf={"http": {"requestTimeout": "7s"}})
    newer = policy("MeshTimeout", to=to_mesh(http={"requestTimeout": "2s"}))
    (only,) = told(CALLER, HTTP, ROUTE_ALL, older_one).routes(LISTENER)
    assert only["route"]["timeout"] == "7s"
    (only,) = told(CALLER, HTTP, ROUTE_ALL, older_one, newer).routes(LISTENER)
    assert only["route"]["timeout"] == "2s"


@pytest.mark.parametrize(
    ("protocol", "conf", "retried"),
    [
        (
            "http",
            {"http": {"numRetries": 2, "retriableStatusCodes": [500], "retriableMethods": ["GET"]}},
            {
                "numRetries": 2,
                "retryOn": "gateway-error,connect-failure,refused-stream,retriable-status-codes",
                "retriableStatusCodes": [500],
                "retriableRequestHeaders": [{"name": ":method", "stringMatch": {"exact": "GET"}}],
            },
        ),
        ("http", {"http": {"retryOn": ["all_5xx", "reset"]}}, {"retryOn": "5xx,reset"}),
        (
            "grpc",
            {"grpc": {"retryOn": ["resource_exhausted"], "backOff": {"baseInterval": "1s"}}},
            {"retryOn": "resource-exhausted", "retryBackOff": {"baseInterval": "1s"}},
        ),
        ("http2", {"http": {"numRetries": 2}}, None),
        ("http", {"grpc": {"numRetries": 2}}, None),
    ],
)
def test_a_retry_is_for_all_requests_of_its_protocol(
    protocol: str, conf: Json, retried: Json | None
) -> None:
    found = told(CALLER, instance("pay", protocol), ROUTE_ALL, older("Retry", conf=conf))
    (host,) = found.filter(LISTENER)["routeConfig"]["virtualHosts"]
    assert host.get("retryPolicy") == retried


def test_policies_of_a_service_count_where_the_default_of_some_route_leads_to_it() -> None:
    breaker = older("CircuitBreaker", conf={"thresholds": {"maxConnections": 3}})
    http = [{"match": {"path": {"exact": "/m"}}, "destination": to_tags("mail")}]
    leads = route(http=http, destination=to_tags("*"))
    found = told(CALLER, HTTP, instance("mail", "http", 3), leads, breaker)
    assert found.clusters["pay"]["circuitBreakers"]["thresholds"] == [{"maxConnections": 3}]
    assert "circuitBreakers" not in found.clusters["mail"]


def test_a_detector_that_is_named_is_enforced_and_the_others_are_not() -> None:
    conf = {"detectors": {"totalErrors": {"consecutive": 7}, "standardDeviation": {"factor": 1.9}}}
    detection = told(CALLER, HTTP, ROUTE_ALL, older("CircuitBreaker", conf=conf)).clusters["pay"][
        "outlierDetection"
    ]
    assert detection["consecutive5xx"] == 7
    assert detection["enforcingConsecutive5xx"] == 100
    assert detection["enforcingConsecutiveGatewayFailure"] == 0
    assert detection["successRateStdevFactor"] == 1900
    assert "enforcingFailurePercentageLocalOrigin" not in detection


CHECK = {"interval": "10s", "timeout": "2s", "unhealthyThreshold": 3, "healthyThreshold": 1}


def probed(**conf: object) -> Any:
    return told(CALLER, HTTP, ROUTE_ALL, older("HealthCheck", conf={**CHECK, **conf})).clusters[
        "pay"
    ]


def test_a_health_check_is_over_tcp_unless_it_says_http() -> None:
    (plain,) = probed()["healthChecks"]
    assert plain["tcpHealthCheck"] == {}
    (tcp,) = probed(tcp={"send": "Zm9v", "receive": ["YmFy"]})["healthChecks"]
    assert tcp["tcpHealthCheck"] == {"send": {"text": "666f6f"}, "receive": [{"text": "626172"}]}
    (http,) = probed(http={"path": "/ok", "expectedStatuses": [200]})["healthChecks"]
    assert http["httpHealthCheck"]["expectedStatuses"] == [{"start": "200", "end": "201"}]


def test_a_health_check_says_what_becomes_of_traffic_when_few_are_well() -> None:
    cluster = probed(healthyPanicThreshold=33.3, failTrafficOnPanic=True)
    assert cluster["commonLbConfig"] == {
        "healthyPanicThreshold": {"value": 33.29999923706055},
        "zoneAwareLbConfig": {"failTrafficOnPanic": True},
    }


def test_a_proxy_with_an_http_route_has_its_http_outbounds_as_that_says_and_no_others() -> None:
    caller = web(to=(outbound(10001, "pay"), outbound(10002, "db")))
    rules = [{"matches": [{"path": {"type": "Exact", "value": "/x"}}], "default": {}}]
    newer = policy(
        "MeshHTTPRoute",
        to=[{"targetRef": {"kind": "MeshService", "name": "pay"}, "rules": rules}],
    )
    found = told(caller, HTTP, instance("db", "tcp", 3), ROUTE_ALL, newer)
    assert found.filter(LISTENER)["normalizePath"] is True
    assert found.filter("outbound:127.0.0.1:10002")["idleTimeout"] == "0s"  # a Timeout's default


def test_a_log_names_its_traffic_and_goes_to_the_backend_of_the_mesh() -> None:
    logging = {
        "defaultBackend": "file",
        "backends": [
            {
                "name": "file",
                "type": "file",
                "format": "%KUMA_MESH% %KUMA_SOURCE_SERVICE%>%KUMA_DESTINATION_SERVICE%",
                "conf": {"path": "/tmp/log"},
            },
            {"name": "sink", "type": "tcp", "conf": {"address": "127.0.0.1:5000"}},
        ],
    }

    def logs(conf: Json) -> Any:
        log = older("TrafficLog", conf=conf)
        found = told(mesh(logging=logging), CALLER, instance("pay", "tcp"), ROUTE_ALL, log)
        return found.filter(LISTENER).get("accessLog")

    (log,) = logs({})
    assert log["typedConfig"]["path"] == "/tmp/log"
    line = log["typedConfig"]["logFormat"]["textFormatSource"]["inlineString"]
    assert line == "m web>pay\n"
    (log,) = logs({"backend": "sink"})
    line = log["typedConfig"]["logFormat"]["textFormatSource"]["inlineString"]
    assert line.startswith("127.0.0.1:5000;[%START_TIME%]")
    assert logs({"backend": "unknown"}) is None
