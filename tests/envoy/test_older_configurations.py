"""The real Envoy takes what older policies make of a proxy (`--mode validate`)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from kong_mesh_cp.core.xds.generate import generate
from kong_mesh_cp.core.xds.parts import Parts
from support.data_plane.envoy_binary import envoy_binary
from support.specs.sidecars import (
    ROUTE_ALL,
    external,
    inbound,
    instance,
    older,
    outbound,
    tags,
    web,
)
from support.specs.transparent_proxies import Json, mesh, view_of
from support.specs.transparent_proxies import web as transparent_web
from support.suites.envoy_validation import complaint

SERVICES: Final = ("http", "http2", "grpc", "tcp")
INBOUNDS = tuple(inbound(f"web-{each}", 8000 + at, each) for at, each in enumerate(SERVICES))
OUTBOUNDS = tuple(outbound(10000 + at, f"pay-{each}") for at, each in enumerate(SERVICES))
OTHERS = tuple(instance(f"pay-{each}", each, 10 + at) for at, each in enumerate(SERVICES))
CALLER = web(*INBOUNDS, to=OUTBOUNDS)

BACKENDS = mesh(
    logging={
        "defaultBackend": "file",
        "backends": [
            {"name": "file", "type": "file", "conf": {"path": "/dev/null"}},
        ],
    },
    tracing={
        "defaultBackend": "zipkin",
        "backends": [
            {
                "name": "zipkin",
                "type": "zipkin",
                "sampling": 12.5,
                "conf": {"url": "https://127.0.0.1:9411/api/v2/spans", "traceId128bit": True},
            }
        ],
    },
)
ROUTE = older(
    "TrafficRoute",
    conf={
        "http": [
            {
                "match": {
                    "path": {"regex": "/r.*"},
                    "method": {"exact": "GET"},
                    "headers": {"x-a": {"prefix": "p"}, "x-b": {"regex": "q.*"}},
                },
                "modify": {
                    "path": {"regex": {"pattern": "^/a", "substitution": "/b"}},
                    "host": {"fromPath": {"pattern": "^/(.*)$", "substitution": r"\1.example"}},
                    "requestHeaders": {"add": [{"name": "x", "value": "1", "append": True}]},
                    "responseHeaders": {"remove": [{"name": "y"}]},
                },
                "destination": tags("*"),
            }
        ],
        "split": [
            {"weight": 90, "destination": tags("*", version="v1")},
            {"weight": 10, "destination": tags("*", version="v2")},
        ],
        "loadBalancer": {
            "ringHash": {"hashFunction": "XX_HASH", "minRingSize": 64, "maxRingSize": 1024}
        },
    },
)
TIMES = {
    "connectTimeout": "6s",
    "tcp": {"idleTimeout": "61s"},
    "http": {"requestTimeout": "7s", "streamIdleTimeout": "8s", "maxStreamDuration": "9s"},
    "grpc": {"streamIdleTimeout": "10s", "maxStreamDuration": "11s"},
}
AGAIN = {
    "http": {
        "numRetries": 2,
        "perTryTimeout": "1s",
        "backOff": {"baseInterval": "20ms", "maxInterval": "1s"},
        "retriableStatusCodes": [500, 504],
        "retriableMethods": ["GET"],
        "retryOn": ["all_5xx", "reset", "http3_post_connect_failure"],
    },
    "grpc": {"numRetries": 2, "retryOn": ["cancelled", "unavailable"]},
    "tcp": {"maxConnectAttempts": 4},
}
BREAKER = {
    "interval": "5s",
    "baseEjectionTime": "5s",
    "maxEjectionPercent": 50,
    "splitExternalAndLocalErrors": True,
    "thresholds": {"maxConnections": 2, "maxPendingRequests": 3, "maxRetries": 4},
    "detectors": {
        "totalErrors": {"consecutive": 20},
        "gatewayErrors": {},
        "localErrors": {},
        "standardDeviation": {"requestVolume": 10, "minimumHosts": 5, "factor": 1.9},
        "failure": {"requestVolume": 11, "minimumHosts": 6, "threshold": 85},
    },
}
PROBE = {
    "interval": "10s",
    "timeout": "2s",
    "unhealthyThreshold": 3,
    "healthyThreshold": 1,
    "initialJitter": "1s",
    "intervalJitterPercent": 6,
    "healthyPanicThreshold": 90,
    "failTrafficOnPanic": True,
    "noTrafficInterval": "30s",
    "alwaysLogHealthCheckFailures": True,
    "reuseConnection": False,
}
OVER_TCP = {"tcp": {"send": "Zm9v", "receive": ["YmFy"]}}
OVER_HTTP = {
    "http": {
        "path": "/ok",
        "requestHeadersToAdd": [{"header": {"key": "x", "value": "1"}, "append": False}],
        "expectedStatuses": [200, 201],
    }
}
FAULT = {
    "abort": {"httpStatus": 500, "percentage": 50},
    "delay": {"value": "1s", "percentage": 0.5},
    "responseBandwidth": {"limit": "50mbps", "percentage": 1},
}
LIMIT = {
    "http": {
        "requests": 5,
        "interval": "10s",
        "onRateLimit": {"status": 423, "headers": [{"key": "x", "value": "1"}]},
    }
}
TRACE = {
    "type": "TrafficTrace",
    "mesh": "m",
    "name": "t",
    "selectors": [{"match": {"kuma.io/service": "*"}}],
}
TLS = {"enabled": True, "serverName": "inner.example", "allowRenegotiation": True}
OUT = (
    external("pay-http", "pay.example:443", "http", tls=TLS),
    {**external("pay-http", "192.0.2.1:80", "http"), "name": "other"},
    external("pay-grpc", "192.0.2.1:80", "grpc"),
    external("pay-tcp", "192.0.2.1:80", "tcp"),
)


@pytest.mark.parametrize(
    "documents",
    [
        pytest.param((ROUTE,), id="routes"),
        pytest.param((ROUTE_ALL, older("Timeout", conf=TIMES)), id="timeouts"),
        pytest.param((ROUTE_ALL, older("Retry", conf=AGAIN)), id="retries"),
        pytest.param((ROUTE_ALL, older("CircuitBreaker", conf=BREAKER)), id="breakers"),
        pytest.param(
            (ROUTE_ALL, older("HealthCheck", conf={**PROBE, **OVER_TCP})), id="probes over tcp"
        ),
        pytest.param(
            (ROUTE_ALL, older("HealthCheck", conf={**PROBE, **OVER_HTTP})), id="probes over http"
        ),
        pytest.param((older("RateLimit", conf=LIMIT),), id="limits"),
        pytest.param(
            tuple(
                older(
                    "FaultInjection",
                    each,
                    destinations=[{"match": {"kuma.io/service": "*", "kuma.io/protocol": each}}],
                    conf=FAULT,
                )
                for each in SERVICES[:3]
            ),
            id="faults",
        ),
        pytest.param((ROUTE_ALL, BACKENDS, older("TrafficLog"), TRACE), id="logs and spans"),
        pytest.param(OUT, id="services outside"),
        pytest.param(
            (
                *OUT,
                ROUTE_ALL,
                older("TrafficPermission"),
                older("RateLimit", conf=LIMIT),
            ),
            id="services outside by older routes",
        ),
    ],
)
def test_envoy_takes_what_an_older_policy_makes(
    tmp_path: Path, documents: tuple[Json, ...]
) -> None:
    binary = envoy_binary()
    others = () if documents[: len(OUT)] == OUT else OTHERS
    made = generate(view_of(*documents, CALLER, *others), Parts())
    assert made.complaints == ()
    assert complaint(binary, tmp_path, made.snapshot) == ""


def test_envoy_takes_the_log_of_what_passes_through(tmp_path: Path) -> None:
    binary = envoy_binary()
    proxy = transparent_web(directAccessServices=["*"])
    log = older("TrafficLog", to="pass_through")
    made = generate(view_of(BACKENDS, proxy, *OTHERS, log), Parts())
    assert complaint(binary, tmp_path, made.snapshot) == ""
