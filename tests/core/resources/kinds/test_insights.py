"""Insights come back as they were written: they are the control plane's own words."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.resources.kinds.insights import DataplaneInsight, ZoneInsight
from kong_mesh_cp.core.schema.messages import read_message
from support.specs.kinds import found, shown

COUNTS = {"responsesSent": "10", "responsesAcknowledged": "9", "responsesRejected": "1"}
AT = "2026-01-01T10:00:00.123Z"

SUBSCRIPTION = {
    "id": "7f3c",
    "controlPlaneInstanceId": "cp-host-2875",
    "connectTime": AT,
    "disconnectTime": "2026-01-01T11:00:00Z",
    "status": {"lastUpdateTime": AT, "total": COUNTS, "cds": {}, "eds": {}, "lds": {}, "rds": {}},
    "version": {
        "kumaDp": {
            "version": "2.10.11",
            "gitTag": "v2",
            "gitCommit": "abc",
            "buildDate": "today",
            "kumaCpCompatible": True,
        },
        "envoy": {"version": "1.33.2", "build": "b", "kumaDpCompatible": True},
        "dependencies": {"coredns": "1.11.1"},
    },
    "generation": 3,
}
PROXIES = {"total": 3, "online": 1, "offline": 1, "partiallyDegraded": 1}

INSIGHTS: dict[str, dict[str, Any]] = {
    "DataplaneInsight": {
        "subscriptions": [SUBSCRIPTION],
        "mTLS": {
            "certificateExpirationTime": AT,
            "lastCertificateRegeneration": AT,
            "certificateRegenerations": 2,
            "issuedBackend": "ca-1",
            "supportedBackends": ["ca-1"],
        },
    },
    "ZoneIngressInsight": {"subscriptions": [SUBSCRIPTION]},
    "ZoneEgressInsight": {"subscriptions": [SUBSCRIPTION]},
    "ZoneInsight": {
        "subscriptions": [
            {
                "id": "a",
                "globalInstanceId": "g",
                "connectTime": AT,
                "disconnectTime": AT,
                "status": {"lastUpdateTime": AT, "total": COUNTS, "stat": {"Mesh": COUNTS}},
                "version": {
                    "kumaCp": {
                        "version": "2.10.11",
                        "gitTag": "v2",
                        "gitCommit": "abc",
                        "buildDate": "today",
                        "kumaCpGlobalCompatible": True,
                    }
                },
                "generation": 3,
                "config": "{}",
                "authTokenProvided": True,
                "zoneInstanceId": "z",
            }
        ],
        "envoyAdminStreams": {
            "configDumpGlobalInstanceId": "a",
            "statsGlobalInstanceId": "b",
            "clustersGlobalInstanceId": "c",
        },
        "healthCheck": {"time": AT},
    },
    "MeshInsight": {
        "dataplanes": PROXIES,
        "policies": {"MeshTimeout": {"total": 2}},
        "dpVersions": {"kumaDp": {"2.10.11": PROXIES}, "envoy": {"unknown": PROXIES}},
        "mTLS": {"issuedBackends": {"ca-1": PROXIES}, "supportedBackends": {"ca-1": PROXIES}},
        "services": {"total": 2, "internal": 1, "external": 1},
        "dataplanesByType": {
            "standard": PROXIES,
            "gateway": {"total": 1},
            "gatewayBuiltin": {},
            "gatewayDelegated": {"total": 1},
        },
        "resources": {"Dataplane": {"total": 3}},
    },
    "ServiceInsight": {
        "services": {
            "backend": {
                "status": "partially_degraded",
                "dataplanes": {"total": 2, "online": 1, "offline": 1},
                "issuedBackends": {"ca-1": 2},
                "serviceType": "gateway_builtin",
                "addressPort": "backend.mesh:80",
                "zones": ["east"],
            }
        }
    },
}


@pytest.mark.parametrize("kind", INSIGHTS)
def test_an_insight_is_shown_as_it_was(kind: str) -> None:
    assert shown(kind, INSIGHTS[kind]) == INSIGHTS[kind]
    assert found(kind, INSIGHTS[kind]) == []


@pytest.mark.parametrize("kind", INSIGHTS)
def test_an_empty_insight_is_valid(kind: str) -> None:
    assert shown(kind, {}) == {}
    assert found(kind, {}) == []


def test_zeros_are_not_shown() -> None:
    counts = {"responsesSent": 0, "responsesRejected": "0"}
    status = {"status": {"total": counts}}
    body = {"subscriptions": [{"generation": 0, **status}]}
    assert shown("DataplaneInsight", body) == {"subscriptions": [{"status": {"total": {}}}]}


def test_numbers_of_64_bits_are_text() -> None:
    counts = {"responsesSent": 18446744073709551615}
    body = {"subscriptions": [{"status": {"total": counts}}]}
    (subscription,) = shown("DataplaneInsight", body)["subscriptions"]
    assert subscription["status"]["total"]["responsesSent"] == "18446744073709551615"


@pytest.mark.parametrize(
    ("subscriptions", "online"),
    [
        ([], False),
        ([{"connectTime": AT}], True),
        ([{"connectTime": AT, "disconnectTime": AT}], False),
        ([{}], False),
        ([{"connectTime": AT, "disconnectTime": AT}, {"connectTime": AT}], True),
    ],
)
def test_an_open_subscription_is_online(subscriptions: list[object], online: bool) -> None:
    body = {"subscriptions": subscriptions}
    assert read_message(DataplaneInsight, body).is_online is online
    assert read_message(ZoneInsight, body).is_online is online
