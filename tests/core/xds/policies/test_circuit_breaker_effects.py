"""How much a destination is asked, and when it is left alone.

Source: docs/wire/envoy-policies.md#circuit-breakers
"""

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
    to_tag,
)
from support.specs.sidecars import inbound, instance, outbound, policy, to_mesh, told, web

CALLER = web(to=(outbound(10001, "pay"),))
LIMITS = {
    "maxConnectionPools": 1,
    "maxConnections": 2,
    "maxPendingRequests": 3,
    "maxRetries": 4,
    "maxRequests": 5,
}


def cluster(**conf: object) -> Any:
    breaker = policy("MeshCircuitBreaker", to=to_mesh(**conf))
    return told(CALLER, instance("pay", "http"), breaker).clusters["pay"]


def detection(**conf: object) -> Any:
    return cluster(outlierDetection=conf)["outlierDetection"]


def test_without_a_policy_a_cluster_has_no_breaker() -> None:
    for found in told(CALLER, instance("pay", "http")).clusters.values():
        assert {"circuitBreakers", "outlierDetection"} & set(found) == set()


def test_limits_are_one_threshold_that_says_what_is_left() -> None:
    assert cluster(connectionLimits=LIMITS)["circuitBreakers"] == {
        "thresholds": [{**LIMITS, "trackRemaining": True}]
    }
    assert cluster(connectionLimits={"maxRetries": 1})["circuitBreakers"] == {
        "thresholds": [{"maxRetries": 1, "trackRemaining": True}]
    }


@pytest.mark.parametrize(
    "members",
    [
        {"from": to_mesh(connectionLimits=LIMITS)},
        {"rules": [{"default": {"connectionLimits": LIMITS}}]},
    ],
)
def test_the_application_is_spared_likewise(members: dict[str, Any]) -> None:
    breaker = policy("MeshCircuitBreaker", targetRef={"kind": "Mesh"}, **members)
    found = told(web(inbound("web", 8080), to=(outbound(10001, "pay"),)), breaker)
    assert found.clusters["localhost:8080"]["circuitBreakers"]["thresholds"][0]["maxRequests"] == 5
    assert "circuitBreakers" not in found.clusters["pay"]


def test_a_detection_that_is_switched_off_is_none() -> None:
    assert "outlierDetection" not in cluster(
        outlierDetection={"disabled": True, "interval": "5s"}, connectionLimits=LIMITS
    )


def test_a_detector_that_says_how_many_counts_and_others_do_not() -> None:
    assert detection(
        interval="5s",
        baseEjectionTime="30s",
        maxEjectionPercent=20,
        splitExternalAndLocalErrors=True,
        detectors={"totalFailures": {"consecutive": 10}},
    ) == {
        "interval": "5s",
        "baseEjectionTime": "30s",
        "maxEjectionPercent": 20,
        "splitExternalLocalOriginErrors": True,
        "consecutive5xx": 10,
        "enforcingConsecutive5xx": 100,
        "enforcingConsecutiveGatewayFailure": 0,
        "enforcingConsecutiveLocalOriginFailure": 0,
        "enforcingSuccessRate": 0,
        "enforcingLocalOriginSuccessRate": 0,
        "enforcingFailurePercentage": 0,
        "enforcingFailurePercentageLocalOrigin": 0,
    }


def test_without_detectors_those_that_compare_endpoints_are_envoys() -> None:
    assert detection(interval="5s") == {
        "interval": "5s",
        "enforcingConsecutive5xx": 0,
        "enforcingConsecutiveGatewayFailure": 0,
        "enforcingConsecutiveLocalOriginFailure": 0,
    }


def test_a_success_rate_is_compared_in_thousandths_of_the_deviation() -> None:
    found = detection(
        detectors={
            "successRate": {
                "minimumHosts": 5,
                "requestVolume": 6,
                "standardDeviationFactor": "1.9",
            }
        }
    )
    assert found["enforcingSuccessRate"] == found["enforcingLocalOriginSuccessRate"] == 100
    assert found["successRateMinimumHosts"] == 5
    assert found["successRateRequestVolume"] == 6
    assert found["successRateStdevFactor"] == 1900


def test_a_failure_percentage_has_hosts_a_volume_and_a_threshold() -> None:
    found = detection(
        detectors={
            "failurePercentage": {"minimumHosts": 5, "requestVolume": 6, "threshold": 85},
            "gatewayFailures": {"consecutive": 2},
            "localOriginFailures": {"consecutive": 3},
        }
    )
    assert found["enforcingFailurePercentage"] == 100
    assert found["enforcingFailurePercentageLocalOrigin"] == 100
    assert found["failurePercentageMinimumHosts"] == 5
    assert found["failurePercentageRequestVolume"] == 6
    assert found["failurePercentageThreshold"] == 85
    assert found["consecutiveGatewayFailure"] == 2
    assert found["consecutiveLocalOriginFailure"] == 3


def test_the_threshold_of_panic_is_with_the_balancing() -> None:
    found = cluster(outlierDetection={"healthyPanicThreshold": "61.5"})
    assert found["commonLbConfig"]["healthyPanicThreshold"] == {"value": 61.5}


def test_clusters_of_a_gateway_have_the_breaker_of_their_service() -> None:
    target = {"kind": "MeshService", "name": "pay"}
    found = ToldEdge(
        edge(),
        gateway(),
        instance("pay", "http"),
        instance("audit", "http", last=3),
        http_route(by_path("/x", to_tag("pay"), to_tag("audit"))),
        about_edge(
            "MeshCircuitBreaker",
            to=[{"targetRef": target, "default": {"connectionLimits": {"maxConnections": 7}}}],
        ),
    )
    (threshold,) = found.cluster("pay")["circuitBreakers"]["thresholds"]
    assert threshold["maxConnections"] == 7
    assert "circuitBreakers" not in found.cluster("audit")
