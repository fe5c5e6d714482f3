"""MeshTimeout, MeshRetry, MeshCircuitBreaker, MeshTrafficPermission: each of their rules."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.policy.kinds import (
    mesh_circuit_breaker,
    mesh_retry,
    mesh_timeout,
    mesh_traffic_permission,
)
from support.specs.policy_specs import conf_told, rendered, told, warned

TIMEOUT, RETRY = mesh_timeout.KIND, mesh_retry.KIND
BREAKER, PERMISSION = mesh_circuit_breaker.KIND, mesh_traffic_permission.KIND

NOT_NEGATIVE = "must not be negative when defined"
NOT_ZERO = "must be greater than zero when defined"
GREATER = "must be greater than 0"
PER_ROUTE = "can't be specified when top-level TargetRef is referencing MeshHTTPRoute"


def test_one_of_the_three_lists_is_needed_and_rules_stand_alone() -> None:
    needed = "at least one of 'from', 'to' or 'rules' has to be defined"
    alone = "fields 'to' and 'from' must be empty when 'rules' is defined"
    entry = "[{targetRef: {kind: Mesh}, default: {idleTimeout: 1s}}]"
    rule = "[{default: {idleTimeout: 1s}}]"

    assert told(TIMEOUT, "{}") == {("spec", needed)} == told(BREAKER, "{}")
    assert told(TIMEOUT, f"{{to: {entry}, from: {entry}}}") == set()
    assert told(TIMEOUT, f"{{rules: {rule}, from: {entry}}}") == {("spec", alone)}
    assert told(TIMEOUT, f"{{rules: {rule}, to: {entry}}}") == {("spec", alone)}
    assert told(TIMEOUT, f"{{rules: {rule}}}") == set()


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ("{connectionTimeout: 1s}", set()),
        ("{}", {("", "at least one timeout should be configured")}),
        ("{connectionTimeout: 0s}", {("connectionTimeout", NOT_ZERO)}),
        ("{idleTimeout: 0s}", set()),
        ("{idleTimeout: -1s}", {("idleTimeout", NOT_NEGATIVE)}),
        (
            "{http: {requestHeadersTimeout: 1s}}",
            {("http", "at least one timeout in this section should be configured")},
        ),
        ("{http: {requestTimeout: -1s}}", {("http.requestTimeout", NOT_NEGATIVE)}),
        ("{http: {streamIdleTimeout: -1s}}", {("http.streamIdleTimeout", NOT_NEGATIVE)}),
        ("{http: {maxStreamDuration: -1s}}", {("http.maxStreamDuration", NOT_NEGATIVE)}),
        (
            "{http: {maxConnectionDuration: -1s, requestHeadersTimeout: -1s}}",
            {
                ("http.maxConnectionDuration", NOT_NEGATIVE),
                ("http.requestHeadersTimeout", NOT_NEGATIVE),
            },
        ),
    ],
)
def test_timeouts(conf: str, expected: set[tuple[str, str]]) -> None:
    assert conf_told(TIMEOUT, conf) == expected


def test_timeouts_of_connections_do_not_belong_to_one_route() -> None:
    found = told(
        TIMEOUT,
        """
        targetRef: {kind: MeshHTTPRoute, name: r}
        to:
        - targetRef: {kind: Mesh}
          default:
            connectionTimeout: 1s
            idleTimeout: 1s
            http: {maxStreamDuration: 1s, maxConnectionDuration: 1s, requestTimeout: 1s}
        """,
    )

    assert found == {
        ("spec.to[0].default.connectionTimeout", PER_ROUTE),
        ("spec.to[0].default.idleTimeout", PER_ROUTE),
        ("spec.to[0].default.http.maxStreamDuration", PER_ROUTE),
        ("spec.to[0].default.http.maxConnectionDuration", PER_ROUTE),
    }


def test_timeouts_of_a_gateway_are_for_the_whole_mesh_and_not_for_clients() -> None:
    found = told(
        TIMEOUT,
        """
        targetRef: {kind: MeshGateway, name: edge}
        from: [{targetRef: {kind: Mesh}, default: {idleTimeout: 1s}}]
        to: [{targetRef: {kind: MeshService, name: s}, default: {idleTimeout: 1s}}]
        """,
    )

    assert found == {
        ("spec.from", "must not be defined"),
        ("spec.to[0].targetRef.kind", "value is not supported"),
    }


def test_putting_back_the_timeouts_a_mesh_is_born_with_gives_one_warning() -> None:
    spec = """
        targetRef: {kind: Mesh, proxyTypes: [Sidecar]}
        to: [{targetRef: {kind: Mesh}, default: {connectionTimeout: 5s, idleTimeout: 1h}}]
        from:
        - targetRef: {kind: Mesh}
          default: {http: {requestTimeout: "0", streamIdleTimeout: 90m}}
    """

    assert told(TIMEOUT, spec) == set()
    assert warned(TIMEOUT, spec) == ["'from' field is deprecated, use 'rules' instead"]
    assert rendered(TIMEOUT, spec) == {
        "targetRef": {"kind": "Mesh", "proxyTypes": ["Sidecar"]},
        "to": [
            {
                "targetRef": {"kind": "Mesh"},
                "default": {"connectionTimeout": "5s", "idleTimeout": "1h0m0s"},
            }
        ],
        "from": [
            {
                "targetRef": {"kind": "Mesh"},
                "default": {"http": {"requestTimeout": "0s", "streamIdleTimeout": "1h30m0s"}},
            }
        ],
    }


SERVICE_DEPRECATED = (
    "MeshService value for 'targetRef.kind' is deprecated, "
    "use MeshSubset with 'kuma.io/service' tag instead"
)
SUBSET_DEPRECATED = (
    "MeshSubset value for 'targetRef.kind' is deprecated, use Dataplane with labels instead"
)


@pytest.mark.parametrize(
    ("top", "warnings"),
    [
        ("{kind: MeshService, name: s}", [SERVICE_DEPRECATED]),
        ("{kind: MeshSubset}", [SUBSET_DEPRECATED]),
        ("{kind: Mesh}", []),
        ("{kind: Dataplane}", []),
    ],
)
def test_kinds_on_their_way_out_are_warned_of(top: str, warnings: list[str]) -> None:
    spec = f"{{targetRef: {top}, rules: [{{default: {{idleTimeout: 1s}}}}]}}"

    assert warned(TIMEOUT, spec) == warnings


def test_one_inbound_can_be_meant_where_inbounds_are_spoken_of() -> None:
    spec = "{targetRef: {kind: Dataplane, sectionName: a}, rules: [{default: {idleTimeout: 1s}}]}"

    assert told(TIMEOUT, spec) == set()


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ("{connectionLimits: {}}", set()),
        ("{connectionLimits: {maxRequests: 0}}", {("connectionLimits.maxRequests", GREATER)}),
        (
            "{outlierDetection: {detectors: {}}}",
            {
                (
                    "outlierDetection.detectors",
                    (
                        "must have at least one defined: totalFailures, gatewayFailures, "
                        "localOriginFailures, successRate, failurePercentage"
                    ),
                )
            },
        ),
        (
            (
                "{outlierDetection: {interval: 0s, baseEjectionTime: 0s, "
                "detectors: {totalFailures: {consecutive: 0}}}}"
            ),
            {
                ("outlierDetection.interval", NOT_ZERO),
                ("outlierDetection.baseEjectionTime", NOT_ZERO),
                ("outlierDetection.detectors.totalFailures.consecutive", GREATER),
            },
        ),
        (
            (
                "{outlierDetection: {detectors: {gatewayFailures: {consecutive: 0}, "
                "localOriginFailures: {consecutive: 0}}}}"
            ),
            {
                ("outlierDetection.detectors.gatewayFailures.consecutive", GREATER),
                ("outlierDetection.detectors.localOriginFailures.consecutive", GREATER),
            },
        ),
        (
            (
                "{outlierDetection: {detectors: {successRate: "
                "{minimumHosts: 0, requestVolume: 0, standardDeviationFactor: 0}}}}"
            ),
            {
                ("outlierDetection.detectors.successRate.minimumHosts", GREATER),
                ("outlierDetection.detectors.successRate.requestVolume", GREATER),
                ("outlierDetection.detectors.successRate.standardDeviationFactor", GREATER),
            },
        ),
        (
            (
                "{outlierDetection: {healthyPanicThreshold: x, "
                "detectors: {failurePercentage: {threshold: 100, minimumHosts: 0}}}}"
            ),
            {
                ("outlierDetection.healthyPanicThreshold", "string must be a valid number"),
                ("outlierDetection.detectors.failurePercentage.minimumHosts", GREATER),
            },
        ),
    ],
)
def test_circuit_breakers(conf: str, expected: set[tuple[str, str]]) -> None:
    assert conf_told(BREAKER, conf) == expected


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ("{tcp: {maxConnectAttempt: 1}}", set()),
        ("{http: {hostSelectionMaxAttempts: 3}}", {("conf.http", "must not be empty")}),
        ("{http: {retryOn: [5xx, '503', HttpMethodGet]}}", set()),
        ("{http: {retryOn: [5XX]}}", {("conf.http.retryOn[0]", "unknown item '5XX'")}),
        ("{http: {retryOn: ['999']}}", {("conf.http.retryOn[0]", "unknown item '999'")}),
        (
            "{http: {rateLimitedBackOff: {maxInterval: 0s, resetHeaders: []}}}",
            {
                (
                    "conf.http.rateLimitedBackOff.maxInterval",
                    "must be defined and greater than zero",
                )
            },
        ),
        (
            "{http: {hostSelection: [{predicate: OmitHostsWithTags}]}}",
            {("conf.http.hostSelection[0].tags", "must be defined")},
        ),
        ("{http: {hostSelection: [{predicate: OmitPreviousPriorities}]}}", set()),
    ],
)
def test_retries(conf: str, expected: set[tuple[str, str]]) -> None:
    assert conf_told(RETRY, conf) == expected


def test_permissions_need_clients_and_an_action_for_each() -> None:
    needs_one = {("spec.from", "needs at least one item")}
    assert told(PERMISSION, "{}") == needs_one
    assert told(PERMISSION, "{from: [{targetRef: {kind: Mesh}}]}") == {
        ("spec.from[0].default.action", "must be defined")
    }
    gateway = "{from: [{targetRef: {kind: MeshGateway, name: g}, default: {action: Deny}}]}"
    assert told(PERMISSION, gateway) == {("spec.from[0].targetRef.kind", "value is not supported")}


def test_a_service_as_a_client_is_warned_of() -> None:
    spec = "{from: [{targetRef: {kind: MeshService, name: s}, default: {action: Allow}}]}"

    assert warned(PERMISSION, spec) == [
        (
            "MeshService value for 'from[].targetRef.kind' is deprecated, "
            "use MeshSubset with 'kuma.io/service' instead"
        )
    ]


ONLY_FOR_WHOLE_MESH = (
    "kind MeshExternalService is only allowed with targetRef.kind: Mesh as it is configured on "
    "the Zone Egress and shared by all clients in the mesh"
)
OUTSIDE = "{kind: MeshExternalService, name: e}"


@pytest.mark.parametrize("top", ["{kind: MeshGateway, name: g}", "{kind: MeshHTTPRoute, name: r}"])
def test_gateways_and_routes_have_timeouts_and_retries_for_what_lies_outside(top: str) -> None:
    timeout = f"[{{targetRef: {OUTSIDE}, default: {{http: {{requestTimeout: 1s}}}}}}]"
    retry = f"[{{targetRef: {OUTSIDE}, default: {{tcp: {{maxConnectAttempt: 1}}}}}}]"
    assert told(TIMEOUT, f"{{targetRef: {top}, to: {timeout}}}") == set()
    assert told(RETRY, f"{{targetRef: {top}, to: {retry}}}") == set()


def test_there_are_no_circuits_to_what_lies_outside() -> None:
    to = f"[{{targetRef: {OUTSIDE}, default: {{connectionLimits: {{}}}}}}]"
    unsupported = ("spec.to[0].targetRef.kind", "value is not supported")
    assert told(BREAKER, f"{{to: {to}}}") == {unsupported}
    assert told(BREAKER, f"{{targetRef: {{kind: MeshSubset}}, to: {to}}}") == {
        unsupported,
        ("spec.to[0].targetRef.kind", ONLY_FOR_WHOLE_MESH),
    }
