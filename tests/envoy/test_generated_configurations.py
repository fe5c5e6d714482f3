"""The real Envoy takes what is generated for a proxy of each kind (`--mode validate`).

Without services of Kafka: Envoy's own builds have no filter for it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kong_mesh_cp.core.xds.generate import generate
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from support.data_plane.envoy_binary import envoy_binary
from support.specs.sidecars import (
    inbound,
    instance,
    outbound,
    policy,
    to_mesh,
    web,
)
from support.specs.transparent_proxies import REDIRECTED, Json, mesh, view_of
from support.suites.envoy_validation import complaint
from support.suites.recorded_certificates import identity_for

SERVICES = ("http", "http2", "grpc", "tcp")
INBOUNDS = tuple(inbound(f"web-{each}", 8000 + at, each) for at, each in enumerate(SERVICES))
OUTBOUNDS = tuple(outbound(10000 + at, f"pay-{each}") for at, each in enumerate(SERVICES))
OTHERS = tuple(instance(f"pay-{each}", each, 10 + at) for at, each in enumerate(SERVICES))

LONG = {
    "connectionTimeout": "3s",
    "idleTimeout": "1h",
    "http": {
        "requestTimeout": "3s",
        "streamIdleTimeout": "4s",
        "maxStreamDuration": "5s",
        "maxConnectionDuration": "6s",
        "requestHeadersTimeout": "7s",
    },
}
BACK_OFF = {"baseInterval": "20ms", "maxInterval": "1s"}
LIMITED = {
    "maxInterval": "5s",
    "resetHeaders": [
        {"name": "retry-after", "format": "Seconds"},
        {"name": "x-reset", "format": "UnixTimestamp"},
    ],
}
AGAIN = {
    "tcp": {"maxConnectAttempt": 3},
    "grpc": {"numRetries": 2, "backOff": BACK_OFF, "retryOn": ["Unavailable"]},
    "http": {
        "numRetries": 2,
        "perTryTimeout": "2s",
        "backOff": BACK_OFF,
        "rateLimitedBackOff": LIMITED,
        "retryOn": ["5xx", "429", "HttpMethodGet", "ConnectFailure"],
        "retriableRequestHeaders": [{"type": "Present", "name": "x-a"}],
        "retriableResponseHeaders": [{"type": "Exact", "name": "x-b", "value": "c"}],
        "hostSelectionMaxAttempts": 4,
        "hostSelection": [
            {"predicate": "OmitPreviousHosts"},
            {"predicate": "OmitHostsWithTags", "tags": {"version": "v1"}},
            {"predicate": "OmitPreviousPriorities", "updateFrequency": 3},
        ],
    },
}
BREAKER = {
    "connectionLimits": {"maxConnections": 2, "maxPendingRequests": 3, "maxRequests": 5},
    "outlierDetection": {
        "interval": "5s",
        "baseEjectionTime": "30s",
        "maxEjectionPercent": 20,
        "healthyPanicThreshold": "61.5",
        "splitExternalAndLocalErrors": True,
        "detectors": {
            "totalFailures": {"consecutive": 10},
            "gatewayFailures": {"consecutive": 10},
            "localOriginFailures": {"consecutive": 10},
            "successRate": {"minimumHosts": 5, "standardDeviationFactor": "1.9"},
            "failurePercentage": {"minimumHosts": 5, "requestVolume": 6, "threshold": 85},
        },
    },
}
CHECKS = {
    "interval": "5s",
    "timeout": "1s",
    "initialJitter": "1s",
    "intervalJitter": "1s",
    "intervalJitterPercent": 10,
    "noTrafficInterval": "5s",
    "healthyPanicThreshold": "61.5",
    "failTrafficOnPanic": True,
    "alwaysLogHealthCheckFailures": True,
    "reuseConnection": False,
    "eventLogPath": "/dev/null",
    "tcp": {"send": "cGluZw==", "receive": ["cG9uZw=="]},
    "grpc": {"serviceName": "pay", "authority": "pay.test"},
    "http": {
        "path": "/health",
        "expectedStatuses": [200, 204],
        "requestHeadersToAdd": {"set": [{"name": "x-a", "value": "1"}]},
    },
}
RATE = {"num": 5, "interval": "10s"}
TOO_MANY = {"status": 503, "headers": {"add": [{"name": "x-b", "value": "2"}]}}
RATES = {
    "local": {
        "http": {"requestRate": RATE, "onRateLimit": TOO_MANY},
        "tcp": {"connectionRate": RATE},
    }
}
FAULTS = [
    {
        "targetRef": {"kind": "MeshServiceSubset", "name": "web", "tags": {"version": "1.2"}},
        "default": {
            "http": [
                {
                    "abort": {"httpStatus": 503, "percentage": 5},
                    "delay": {"value": "1s", "percentage": "0.5"},
                    "responseBandwidth": {"limit": "64 kbps", "percentage": "0.001"},
                }
            ]
        },
    }
]
EFFECTS = (
    *(
        policy(kind, f"{kind.lower()}-{place}", targetRef={"kind": "Mesh"}, **members)
        for kind, conf in (
            ("MeshTimeout", LONG),
            ("MeshCircuitBreaker", BREAKER),
            ("MeshRetry", AGAIN),
        )
        for place, members in (
            ("to", {"to": to_mesh(**conf)}),
            ("rules", {"rules": [{"default": conf}]}),
        )
        if kind != "MeshRetry" or place == "to"
    ),
    policy("MeshHealthCheck", "checks", to=to_mesh(**CHECKS)),
    policy("MeshRateLimit", "rates", rules=[{"default": RATES}]),
    policy("MeshFaultInjection", "faults", from_=FAULTS),
)
HEADERS = {
    "set": [{"name": "s", "value": "1"}],
    "add": [{"name": "a", "value": "2"}],
    "remove": ["r"],
}
PREFIX = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/v2"}
FULL = {"type": "ReplaceFullPath", "replaceFullPath": "/new"}
COPY = {"kind": "MeshService", "name": "pay-http2"}
RULES: list[Json] = [
    {
        "matches": [
            {
                "path": {"type": "PathPrefix", "value": "/api"},
                "method": "GET",
                "headers": [{"type": "Prefix", "name": "x", "value": "1"}],
                "queryParams": [{"type": "RegularExpression", "name": "q", "value": "1*"}],
            }
        ],
        "default": {
            "filters": [
                {"type": "RequestHeaderModifier", "requestHeaderModifier": HEADERS},
                {"type": "ResponseHeaderModifier", "responseHeaderModifier": HEADERS},
                {"type": "URLRewrite", "urlRewrite": {"hostname": "a.test", "path": PREFIX}},
                {
                    "type": "RequestMirror",
                    "requestMirror": {"percentage": "0.25", "backendRef": COPY},
                },
            ],
            "backendRefs": [{**COPY, "weight": 1}, {**COPY, "name": "pay-http", "weight": 99}],
        },
    },
    {
        "matches": [{"path": {"type": "Exact", "value": "/old"}}],
        "default": {
            "filters": [
                {
                    "type": "RequestRedirect",
                    "requestRedirect": {
                        "scheme": "https",
                        "hostname": "b.test",
                        "port": 8443,
                        "path": FULL,
                        "statusCode": 308,
                    },
                }
            ]
        },
    },
    {"matches": [{"path": {"type": "RegularExpression", "value": "/x.*"}}], "default": {}},
]
ROUTES = policy(
    "MeshHTTPRoute",
    "routes",
    to=[{"targetRef": {"kind": "MeshService", "name": "pay-http"}, "rules": RULES}],
)
PROBES = {
    "port": 9009,
    "endpoints": [
        {"inboundPort": 8000, "path": "/8000/health", "inboundPath": "/health"},
        {"inboundPort": 3000, "path": "/3000/live", "inboundPath": "/live"},
    ],
}


def rich(address: str = "10.0.0.1", **networking: object) -> Json:
    found = web(*INBOUNDS, to=OUTBOUNDS, **networking)
    found["networking"]["address"] = address
    return found


def taken(view: ProxyView, folder: Path) -> str:
    made = generate(view, Parts())
    assert made.complaints == ()
    return complaint(envoy_binary(), folder, made.snapshot)


@pytest.mark.parametrize(
    "documents",
    [
        pytest.param((rich(),), id="plain"),
        pytest.param((rich(), *EFFECTS), id="policies"),
        pytest.param((rich(), ROUTES), id="routes"),
        pytest.param((rich(), ROUTES, *EFFECTS), id="routes and policies"),
        pytest.param(({**rich(), "probes": PROBES},), id="probes"),
        pytest.param((rich(transparentProxying=REDIRECTED), *EFFECTS), id="transparent"),
        pytest.param((rich("fd00::1", transparentProxying=REDIRECTED),), id="transparent IPv6"),
    ],
)
def test_the_real_envoy_takes_it(documents: tuple[Json, ...], tmp_path: Path) -> None:
    assert taken(view_of(*documents, *OTHERS), tmp_path) == ""


@pytest.mark.parametrize("mode", ["STRICT", "PERMISSIVE"])
def test_the_real_envoy_takes_the_meshs_tls(mode: str, tmp_path: Path) -> None:
    backend = {"name": "ca", "type": "builtin", "mode": mode}
    secured = mesh(mtls={"enabledBackend": "ca", "backends": [backend]})
    permission = policy("MeshTrafficPermission", from_=to_mesh(action="Allow"))
    versions = {"tlsVersion": {"min": "TLS12"}, "tlsCiphers": ["ECDHE-ECDSA-AES128-GCM-SHA256"]}
    hard = policy("MeshTLS", rules=[{"default": versions}])
    view = view_of(secured, rich(), permission, hard, ROUTES, *EFFECTS, *OTHERS)
    identity = identity_for(view.dataplane, view.world.mesh, [])
    assert identity is not None
    assert taken(replace(view, identity=identity), tmp_path) == ""
