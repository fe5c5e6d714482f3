"""Requests and connections that are attempted again (docs/wire/envoy-policies.md#retries)."""

from __future__ import annotations

from typing import Any

import pytest

from support.specs.edges import (
    ToldEdge,
    about_edge,
    by_path,
    edge,
    gateway,
    http_route,
    listener,
    tcp_route,
    to_tag,
)
from support.specs.sidecars import instance, outbound, policy, to_mesh, to_service, told, web

OUTBOUND = "outbound:127.0.0.1:10001"
CALLER = web(to=(outbound(10001, "pay"),))
GRPC = "cancelled,connect-failure,gateway-error,refused-stream,reset,resource-exhausted,unavailable"


def retries(protocol: str, **conf: object) -> Any:
    """The policy of the only route; None: it has none."""
    documents = (CALLER, instance("pay", protocol), policy("MeshRetry", to=to_mesh(**conf)))
    (route,) = told(*documents).routes(OUTBOUND)
    return route["route"].get("retryPolicy")


def test_a_number_of_attempts_is_enough_to_begin_with() -> None:
    assert retries("http", http={"numRetries": 3}) == {
        "retryOn": "gateway-error,connect-failure,refused-stream",
        "numRetries": 3,
    }
    assert retries("grpc", grpc={"numRetries": 3}) == {"retryOn": GRPC, "numRetries": 3}


def test_none_is_none() -> None:
    assert retries("http", http={"numRetries": 0, "perTryTimeout": "1s"}) is None
    assert retries("grpc", grpc={"numRetries": 0, "perTryTimeout": "1s"}) is None


@pytest.mark.parametrize(
    ("protocol", "conf"),
    [
        ("http", {"grpc": {"numRetries": 3}}),
        ("grpc", {"http": {"numRetries": 3}}),
        ("http2", {"http": {"numRetries": 3}}),
        ("http", {"tcp": {"maxConnectAttempt": 3}}),
    ],
)
def test_what_is_said_of_another_protocol_does_not_count(
    protocol: str, conf: dict[str, object]
) -> None:
    assert retries(protocol, **conf) is None


def test_pauses_and_limits_are_those_of_the_conf() -> None:
    found = retries(
        "http",
        http={
            "perTryTimeout": "2s",
            "backOff": {"baseInterval": "10ms", "maxInterval": "1s"},
            "rateLimitedBackOff": {
                "maxInterval": "5s",
                "resetHeaders": [
                    {"name": "retry-after", "format": "Seconds"},
                    {"name": "x-reset", "format": "UnixTimestamp"},
                ],
            },
        },
    )
    assert found["perTryTimeout"] == "2s"
    assert "numRetries" not in found
    assert found["retryBackOff"] == {"baseInterval": "0.010s", "maxInterval": "1s"}
    assert found["rateLimitedRetryBackOff"] == {
        "maxInterval": "5s",
        "resetHeaders": [
            {"name": "retry-after"},
            {"name": "x-reset", "format": "UNIX_TIMESTAMP"},
        ],
    }


def test_the_shortest_pause_of_grpc_is_25_ms() -> None:
    found = retries("grpc", grpc={"backOff": {"maxInterval": "1s"}})
    assert found["retryBackOff"] == {"baseInterval": "0.025s", "maxInterval": "1s"}
    assert (
        "baseInterval"
        not in retries("http", http={"backOff": {"maxInterval": "1s"}})["retryBackOff"]
    )


def test_conditions_of_http_are_conditions_statuses_and_methods() -> None:
    found = retries("http", http={"retryOn": ["5xx", "Reset", "429", "HttpMethodGet", "503"]})
    assert found["retryOn"] == "5xx,reset,retriable-status-codes"
    assert found["retriableStatusCodes"] == [429, 503]
    assert found["retriableRequestHeaders"] == [
        {"name": ":method", "stringMatch": {"exact": "GET"}}
    ]


def test_statuses_alone_come_beside_the_usual_conditions() -> None:
    found = retries("http", http={"retryOn": ["503"]})
    assert found["retryOn"] == (
        "gateway-error,connect-failure,refused-stream,retriable-status-codes"
    )


def test_conditions_of_grpc_are_in_their_order() -> None:
    found = retries("grpc", grpc={"retryOn": ["Unavailable", "Canceled", "DeadlineExceeded"]})
    assert found["retryOn"] == "unavailable,canceled,deadline-exceeded"


def test_headers_say_which_requests_and_which_answers() -> None:
    found = retries(
        "http",
        http={
            "retriableRequestHeaders": [{"type": "Present", "name": "x-a"}],
            "retriableResponseHeaders": [{"type": "Exact", "name": "x-b", "value": "c"}],
        },
    )
    assert found["retriableRequestHeaders"] == [{"name": "x-a", "presentMatch": True}]
    assert found["retriableHeaders"] == [{"name": "x-b", "stringMatch": {"exact": "c"}}]


def test_the_next_attempt_goes_to_another_host() -> None:
    found = retries(
        "http",
        http={
            "hostSelectionMaxAttempts": 4,
            "hostSelection": [
                {"predicate": "OmitPreviousHosts"},
                {"predicate": "OmitHostsWithTags", "tags": {"version": "v1"}},
                {"predicate": "OmitPreviousPriorities", "updateFrequency": 3},
            ],
        },
    )
    previous, tagged = found["retryHostPredicate"]
    assert previous["name"] == "envoy.retry_host_predicates.previous_hosts"
    metadata = tagged["typedConfig"]["metadataMatch"]["filterMetadata"]
    assert metadata == {"envoy.lb": {"version": "v1"}}
    assert found["retryPriority"]["typedConfig"]["updateFrequency"] == 3
    assert found["hostSelectionRetryMaxAttempts"] == "4"


@pytest.mark.parametrize(("protocol", "attempts"), [("tcp", 5), ("kafka", None), ("", None)])
def test_connections_are_attempted_again_for_services_that_say_tcp(
    protocol: str, attempts: int | None
) -> None:
    conf = policy("MeshRetry", to=to_mesh(tcp={"maxConnectAttempt": 5}))
    found = told(CALLER, instance("pay", protocol), conf)
    assert found.filter(OUTBOUND).get("maxConnectAttempts") == attempts


def test_other_services_are_not_concerned() -> None:
    conf = policy("MeshRetry", to=to_service("else", http={"numRetries": 3}))
    (route,) = told(CALLER, instance("pay", "http"), conf).routes(OUTBOUND)
    assert "retryPolicy" not in route["route"]


def test_a_conf_for_a_route_takes_the_place_of_the_services() -> None:
    rule = {"matches": [{"path": {"type": "Exact", "value": "/a"}}], "default": {}}
    entry = {"targetRef": {"kind": "MeshService", "name": "pay"}, "rules": [rule]}
    of_route = policy(
        "MeshRetry",
        "a",
        targetRef={"kind": "MeshHTTPRoute", "name": "a"},
        to=to_mesh(http={"numRetries": 9}),
    )
    of_all = policy("MeshRetry", "b", to=to_mesh(http={"numRetries": 1}))
    found = told(
        CALLER, instance("pay", "http"), policy("MeshHTTPRoute", "a", to=[entry]), of_route, of_all
    )
    assert [each["route"]["retryPolicy"]["numRetries"] for each in found.routes(OUTBOUND)] == [9, 1]


def test_a_gateway_makes_requests_again_as_http_whatever_the_service_speaks() -> None:
    confs = {"http": {"numRetries": 2}, "grpc": {"numRetries": 3}}
    found = ToldEdge(
        edge(),
        gateway(),
        instance("pay", "grpc"),
        http_route(by_path("/x", to_tag("pay"), match="Exact")),
        about_edge("MeshRetry", to=to_mesh(**confs)),
    )
    (route,) = found.table()
    assert route["route"]["retryPolicy"]["numRetries"] == 2


def test_a_gateway_connects_again_on_all_chains() -> None:
    names = ("a.example", "b.example")
    tls = {"mode": "PASSTHROUGH"}
    found = ToldEdge(
        edge(),
        gateway(*(listener(9443, "TLS", hostname=each, tls=tls) for each in names)),
        instance("pay", "tcp"),
        tcp_route(to_tag("pay")),
        about_edge("MeshRetry", to=to_mesh(tcp={"maxConnectAttempt": 4})),
    )
    chains = found.listeners["edge:TLS:9443"]["filterChains"]
    attempts = [each["filters"][0]["typedConfig"]["maxConnectAttempts"] for each in chains]
    assert attempts == [4, 4]
