"""Policies about traffic from sources to destinations: what they share, and the small ones."""

from __future__ import annotations

from typing import Any

import pytest

from support.specs.kinds import ANY_SERVICE, Found, connection, found, found_at, shown

RANGE = "has to be in [0.0 - 100.0] range"
POSITIVE = "must have a positive value"
NOT_ZERO = "has to be greater than 0 when defined"

# A valid `conf` of each type, with everything in it.
CONFS: dict[str, dict[str, Any] | None] = {
    "CircuitBreaker": {
        "interval": "1s",
        "baseEjectionTime": "30s",
        "maxEjectionPercent": 20,
        "splitExternalAndLocalErrors": True,
        "detectors": {
            "totalErrors": {"consecutive": 20},
            "gatewayErrors": {"consecutive": 10},
            "localErrors": {},
            "standardDeviation": {"requestVolume": 10, "minimumHosts": 5, "factor": 1.9},
            "failure": {"requestVolume": 10, "minimumHosts": 5, "threshold": 85},
        },
        "thresholds": {
            "maxConnections": 2,
            "maxPendingRequests": 2,
            "maxRetries": 2,
            "maxRequests": 2,
        },
    },
    "FaultInjection": {
        "delay": {"percentage": 50.5, "value": "5s"},
        "abort": {"percentage": 50, "httpStatus": 500},
        "responseBandwidth": {"percentage": 50, "limit": "50 mbps"},
    },
    "HealthCheck": {
        "interval": "10s",
        "timeout": "2s",
        "unhealthyThreshold": 3,
        "healthyThreshold": 1,
        "initialJitter": "5s",
        "intervalJitter": "6s",
        "intervalJitterPercent": 10,
        "healthyPanicThreshold": 60,
        "failTrafficOnPanic": True,
        "eventLogPath": "/tmp/x",
        "alwaysLogHealthCheckFailures": False,
        "noTrafficInterval": "10s",
        "http": {
            "path": "/health",
            "requestHeadersToAdd": [{"header": {"key": "a", "value": "b"}, "append": False}],
            "expectedStatuses": [200, 201],
        },
        "reuseConnection": True,
    },
    "RateLimit": {
        "http": {
            "requests": 10,
            "interval": "10s",
            "onRateLimit": {
                "status": 423,
                "headers": [{"key": "a", "value": "b", "append": True}],
            },
        }
    },
    "Retry": {
        "http": {
            "numRetries": 5,
            "perTryTimeout": "0.200s",
            "backOff": {"baseInterval": "0.020s", "maxInterval": "1s"},
            "retriableStatusCodes": [500, 504],
            "retriableMethods": ["GET"],
            "retryOn": ["all_5xx", "retriable_status_codes"],
        },
        "tcp": {"maxConnectAttempts": 3},
        "grpc": {
            "retryOn": ["cancelled", "unavailable"],
            "numRetries": 5,
            "perTryTimeout": "0.200s",
            "backOff": {"baseInterval": "0.020s"},
        },
    },
    "Timeout": {
        "connectTimeout": "5s",
        "tcp": {"idleTimeout": "50s"},
        "http": {
            "requestTimeout": "15s",
            "idleTimeout": "3600s",
            "streamIdleTimeout": "1800s",
            "maxStreamDuration": "1800s",
        },
        "grpc": {"streamIdleTimeout": "40s", "maxStreamDuration": "1800s"},
    },
    "TrafficLog": {"backend": "logstash"},
    "TrafficPermission": None,
}


def body(name: str, conf: object) -> dict[str, Any]:
    policy = connection(conf)
    if conf is None:
        del policy["conf"]
    if name == "FaultInjection":
        http = {"kuma.io/service": "*", "kuma.io/protocol": "http"}
        policy["destinations"] = [{"match": http}]
    return policy


@pytest.mark.parametrize("name", CONFS)
def test_a_policy_with_everything_is_valid_and_shown_as_it_was(name: str) -> None:
    policy = body(name, CONFS[name])
    assert found(name, policy) == []
    assert shown(name, policy) == policy


@pytest.mark.parametrize("name", CONFS)
def test_there_is_a_source_and_a_destination(name: str) -> None:
    policy = body(name, CONFS[name]) | {"sources": [], "destinations": None}
    assert found(name, policy) == [
        ("sources", "must have at least one element"),
        ("destinations", "must have at least one element"),
    ]


STRICT = ["CircuitBreaker", "HealthCheck", "Retry", "Timeout", "TrafficLog"]


@pytest.mark.parametrize("name", STRICT)
def test_a_destination_of_most_policies_is_a_service_and_nothing_else(name: str) -> None:
    destinations = [{"match": {"kuma.io/service": "a", "region": "eu"}}]
    policy = body(name, CONFS[name]) | {"destinations": destinations}
    assert found(name, policy) == [
        ("destinations[0].match", 'must consist of exactly one tag "kuma.io/service"'),
        ('destinations[0].match["region"]', 'tag "region" is not allowed'),
    ]


@pytest.mark.parametrize("name", STRICT)
def test_a_source_of_most_policies_names_its_service(name: str) -> None:
    policy = body(name, CONFS[name]) | {"sources": [{"match": {"region": "eu"}}]}
    missing = 'mandatory tag "kuma.io/service" is missing'
    assert found(name, policy) == [("sources[0].match", missing)]


@pytest.mark.parametrize("name", ["RateLimit", "TrafficPermission"])
def test_some_policies_take_any_tags(name: str) -> None:
    any_tags = [{"match": {"region": "*"}}]
    policy = body(name, CONFS[name]) | {"sources": any_tags, "destinations": any_tags}
    assert found(name, policy) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("CircuitBreaker", "must have at least one of the detector or threshold configured"),
        ("FaultInjection", "must have at least one of the faults configured"),
        ("HealthCheck", "has to be defined"),
        ("RateLimit", "must have conf"),
        ("Retry", "has to be defined"),
        ("Timeout", "has to be defined"),
    ],
)
def test_what_has_to_be_said_is_asked_for(name: str, message: str) -> None:
    assert found(name, body(name, None)) == [("conf", message)]


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ({"detectors": {}, "thresholds": {"maxRetries": 1}}, [("detectors", "can't be empty")]),
        ({"detectors": {"failure": {}}, "thresholds": {}}, [("thresholds", "can't be empty")]),
        (
            {"maxEjectionPercent": 101, "detectors": {"failure": {"threshold": 101}}},
            [("maxEjectionPercent", RANGE), ("detectors.failure.threshold", RANGE)],
        ),
    ],
)
def test_a_circuit_breaker(conf: object, expected: Found) -> None:
    assert found_at("CircuitBreaker", connection(conf), "conf.") == expected


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        (
            {"delay": {"percentage": 101}},
            [("delay.percentage", RANGE), ("delay.value", "cannot be empty")],
        ),
        (
            {"delay": {"percentage": -1, "value": "1s"}},
            [("delay.percentage", RANGE)],
        ),
        ({"abort": {"httpStatus": 500}}, [("abort.percentage", "cannot be empty")]),
        (
            {"abort": {"percentage": 1}},
            [("abort.httpStatus", "cannot be empty")],
        ),
        (
            {"abort": {"percentage": 1, "httpStatus": 600}},
            [("abort.httpStatus", "http status code is incorrect")],
        ),
        (
            {"responseBandwidth": {"percentage": 1}},
            [("responseBandwidth.limit", "cannot be empty")],
        ),
        (
            {"responseBandwidth": {"percentage": 1, "limit": "5 tbps"}},
            [("responseBandwidth.limit", "has to be in kbps/mbps/gbps units")],
        ),
    ],
)
def test_a_fault(conf: object, expected: Found) -> None:
    assert found_at("FaultInjection", body("FaultInjection", conf), "conf.") == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"a": "b"}, [("", "protocol must be specified")]),
        (
            {"kuma.io/protocol": "tcp"},
            [('["kuma.io/protocol"]', "must be one of the [http, http2, grpc]")],
        ),
        ({"kuma.io/protocol": "grpc"}, []),
    ],
)
def test_faults_are_those_of_http(tags: dict[str, str], expected: Found) -> None:
    policy = body("FaultInjection", CONFS["FaultInjection"]) | {"destinations": [{"match": tags}]}
    assert found_at("FaultInjection", policy, "destinations[0].match") == expected


CHECK = CONFS["HealthCheck"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"interval": "0s"}, [("interval", POSITIVE)]),
        ({"timeout": None}, [("timeout", POSITIVE)]),
        ({"unhealthyThreshold": 0}, [("unhealthyThreshold", POSITIVE)]),
        ({"healthyThreshold": 0}, [("healthyThreshold", POSITIVE)]),
        ({"initialJitter": "0s"}, [("initialJitter", POSITIVE)]),
        (
            {"healthyPanicThreshold": 100.1},
            [("healthyPanicThreshold", "must be in range [0.0 - 100.0]")],
        ),
        ({"http": {}}, [("http.path", "has to be defined and cannot be empty")]),
        (
            {"http": {"path": "/", "expectedStatuses": [99, 100, 599, 600]}},
            [
                ("http.expectedStatuses[0]", "must be in range [100, 600)"),
                ("http.expectedStatuses[3]", "must be in range [100, 600)"),
            ],
        ),
        (
            {"http": {"path": "/", "requestHeadersToAdd": [{}, {"header": {}}]}},
            [
                ("http.requestHeadersToAdd[0].header", "has to be defined"),
                ("http.requestHeadersToAdd[1].header.key", "cannot be empty"),
            ],
        ),
    ],
)
def test_a_health_check(change: dict[str, Any], expected: Found) -> None:
    assert CHECK is not None
    assert found_at("HealthCheck", connection(CHECK | change), "conf.") == expected


def test_a_health_check_is_of_one_protocol() -> None:
    assert CHECK is not None
    tcp = {"send": "dGVzdAo=", "receive": ["dGVzdAo="]}
    both = connection(CHECK | {"tcp": tcp})
    assert found("HealthCheck", both) == [
        ("conf", "http and tcp cannot be defined at the same time")
    ]
    assert shown("HealthCheck", both)["conf"]["tcp"] == tcp


def test_a_rate_limit_says_how_many_in_which_time() -> None:
    http = {"onRateLimit": {"headers": [{"key": "a", "value": "b"}, {}]}}
    assert found_at("RateLimit", connection({"http": http}), "conf.http.") == [
        ("requests", "requests must be set"),
        ("interval", "interval must be set"),
        ('onRateLimit.header["1"]', "key must be set"),
        ('onRateLimit.header["1"]', "value must be set"),
    ]


EMPTY = "field cannot be empty"


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ({"http": {}}, [("http", EMPTY)]),
        ({"grpc": {}}, [("grpc", EMPTY)]),
        ({"tcp": {}}, [("tcp.maxConnectAttempts", "has to be greater than 0")]),
        ({"http": {"numRetries": 0}}, [("http.numRetries", NOT_ZERO)]),
        ({"http": {"perTryTimeout": "0"}}, [("http.perTryTimeout", NOT_ZERO)]),
        ({"http": {"backOff": {}}}, [("http.backOff.baseInterval", "has to be defined")]),
        (
            {"http": {"backOff": {"baseInterval": "0s", "maxInterval": "0s"}}},
            [("http.backOff.baseInterval", "has to be greater than 0")],
        ),
        (
            {"grpc": {"backOff": {"baseInterval": "1s", "maxInterval": "0s"}}},
            [("grpc.backOff.maxInterval", NOT_ZERO)],
        ),
        ({"http": {"retriableMethods": ["GET", "NONE"]}}, [("http.retriableMethods[1]", EMPTY)]),
        (
            {"http": {"retryOn": ["reset", "retriable_status_codes"]}},
            [
                (
                    "http.retryOn[1]",
                    "retriableStatusCodes cannot be empty when this option is specified",
                )
            ],
        ),
        (
            {"grpc": {"retryOn": ["internal", 77, "internal", 77]}},
            [
                ("grpc.retryOn", 'repeated value "77" at indexes [1, 3]'),
                ("grpc.retryOn", 'repeated value "internal" at indexes [0, 2]'),
            ],
        ),
    ],
)
def test_a_retry(conf: object, expected: Found) -> None:
    assert found_at("Retry", connection(conf), "conf.") == expected


def test_a_retry_is_of_some_protocol() -> None:
    assert found("Retry", connection({})) == [
        ("conf", "missing protocol [grpc|http|tcp] configuration")
    ]


SECTION = "at least one timeout in section has to be defined"


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ({}, []),
        ({"tcp": {}}, [("tcp", SECTION)]),
        ({"http": {}}, [("http", SECTION)]),
        ({"grpc": {}}, [("grpc", SECTION)]),
        ({"http": {"streamIdleTimeout": "5s", "maxStreamDuration": "5s"}}, [("http", SECTION)]),
        ({"http": {"idleTimeout": "5s", "streamIdleTimeout": "0s"}}, []),
        ({"tcp": {"idleTimeout": "0s"}}, [("tcp.idleTimeout", "has to be greater than 0")]),
        (
            {"http": {"requestTimeout": "0s", "idleTimeout": "0s"}},
            [("http.requestTimeout", NOT_ZERO), ("http.idleTimeout", NOT_ZERO)],
        ),
        (
            {"grpc": {"streamIdleTimeout": "0s", "maxStreamDuration": "0s"}},
            [("grpc.streamIdleTimeout", NOT_ZERO), ("grpc.maxStreamDuration", NOT_ZERO)],
        ),
    ],
)
def test_a_timeout(conf: object, expected: Found) -> None:
    assert found_at("Timeout", connection(conf), "conf.") == expected


def test_a_trace_has_selectors_only() -> None:
    policy = {"selectors": ANY_SERVICE, "conf": {"backend": "zipkin"}}
    assert found("TrafficTrace", policy) == []
    assert shown("TrafficTrace", policy) == policy
    assert found("TrafficTrace", {"selectors": [{}]}) == [
        ("selectors[0].match", "must have at least one tag")
    ]
    assert found("TrafficTrace", {}) == [("selectors", "must have at least one element")]
