"""MeshCircuitBreaker: how much a destination is asked at once, and when it is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.policy_kind import policy_kind
from kong_mesh_cp.core.policy.spec_parts.shapes import (
    CLUSTERS,
    PROXIES,
    WHOLE_MESH_ONLY,
    Entries,
    Rules,
    egress_is_shared,
    entries,
    inbound_warnings,
    rules,
    rules_or_lists,
    top,
    top_ref,
)
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.schema.record_terms import ABSENT_LIST, Duration, IntOrText, Unsigned32
from kong_mesh_cp.core.schema.value_checks import (
    GREATER_THAN_ZERO,
    MUST_BE_DEFINED,
    at_least_one_of,
    decimal,
    greater_than_zero,
    percentage,
    positive,
    whole_percentage,
)
from kong_mesh_cp.core.schema.violations import FieldPath, Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """How much a proxy has under way towards one destination at once."""

    # Each is a pointer in Go: absent leaves Envoy's own default in force (1024, retries 3), which
    # is another thing than a zero.
    max_connection_pools: Unsigned32 | None = None
    max_connections: Unsigned32 | None = None
    max_pending_requests: Unsigned32 | None = None
    max_retries: Unsigned32 | None = None
    max_requests: Unsigned32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consecutive:
    """A detector that counts failures in a row."""

    consecutive: Unsigned32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalFailures(Consecutive):
    """It counts failures of any kind."""

    GO_NAME: ClassVar[str] = "DetectorTotalFailures"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayFailures(Consecutive):
    """It counts answers of gateways on the way that could not go on."""

    GO_NAME: ClassVar[str] = "DetectorGatewayFailures"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOriginFailures(Consecutive):
    """It counts failures that the proxy itself sees, as connections that are not made."""

    GO_NAME: ClassVar[str] = "DetectorLocalOriginFailures"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessRate:
    """A detector that compares the success rate of an endpoint with that of the others."""

    GO_NAME: ClassVar[str] = "DetectorSuccessRateFailures"

    minimum_hosts: Unsigned32 | None = None
    request_volume: Unsigned32 | None = None
    # A decimal comes as text ("1.9"): Kubernetes' API machinery forbids floats in resources, and
    # the Universal form shares its schema.
    standard_deviation_factor: IntOrText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePercentage:
    """A detector for endpoints whose failures are above a share of their requests."""

    GO_NAME: ClassVar[str] = "DetectorFailurePercentageFailures"

    minimum_hosts: Unsigned32 | None = None
    request_volume: Unsigned32 | None = None
    threshold: Unsigned32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectors:
    """What makes an endpoint an outlier; each one that is set is in use."""

    total_failures: TotalFailures | None = None
    gateway_failures: GatewayFailures | None = None
    local_origin_failures: LocalOriginFailures | None = None
    success_rate: SuccessRate | None = None
    failure_percentage: FailurePercentage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierDetection:
    """Endpoints that misbehave get no traffic for a while."""

    disabled: bool | None = None
    interval: Duration | None = None
    base_ejection_time: Duration | None = None
    max_ejection_percent: Unsigned32 | None = None
    split_external_and_local_errors: bool | None = None
    detectors: Detectors | None = None
    # Stands beside the detectors because Envoy has it on the cluster's load balancer, not on the
    # outlier detection.
    healthy_panic_threshold: IntOrText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """Limits on what is under way, and on endpoints that fail."""

    connection_limits: ConnectionLimits | None = None
    outlier_detection: OutlierDetection | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshCircuitBreaker:
    """The spec of a MeshCircuitBreaker."""

    target_ref: TargetRef | None = None
    to: Entries[Conf] = ABSENT_LIST
    from_: Entries[Conf] = ABSENT_LIST
    rules: Rules[Conf] = ABSENT_LIST


def _violations(spec: MeshCircuitBreaker) -> Iterator[Violation]:
    yield from top(spec, (*PROXIES, "Dataplane"), inbound=bool(spec.from_ or spec.rules))
    yield from rules_or_lists(spec)
    # A breaker guards the one cluster of the application behind an inbound, for all callers:
    # `from` can only mean the whole mesh.
    yield from entries(spec.from_, "from", WHOLE_MESH_ONLY, _conf)
    # No MeshExternalService: the egress has one breaker for it, whatever policy asks for another.
    yield from entries(spec.to, "to", CLUSTERS, _conf)
    # After the entries, in Kuma's order of the texts.
    yield from egress_is_shared(spec.to, top_ref(spec))
    yield from rules(spec.rules, _conf)


def _conf(conf: Conf, at: FieldPath) -> Iterator[Violation]:
    # An empty conf would be merged as "nothing to say", which users took for "no limits".
    if conf == Conf():
        yield at.violation(
            "at least one of: 'connectionLimits' or 'outlierDetection' should be configured"
        )
    if conf.connection_limits is not None:
        yield from _limits(conf.connection_limits, at.field("connectionLimits"))
    if conf.outlier_detection is not None:
        yield from _outliers(conf.outlier_detection, at.field("outlierDetection"))


def _limits(limits: ConnectionLimits, at: FieldPath) -> Iterator[Violation]:
    # A limit of 0 would close a service for good; Envoy would take it.
    yield from greater_than_zero(limits.max_connections, at.field("maxConnections"))
    yield from greater_than_zero(limits.max_connection_pools, at.field("maxConnectionPools"))
    yield from greater_than_zero(limits.max_pending_requests, at.field("maxPendingRequests"))
    yield from greater_than_zero(limits.max_retries, at.field("maxRetries"))
    yield from greater_than_zero(limits.max_requests, at.field("maxRequests"))


def _outliers(detection: OutlierDetection, at: FieldPath) -> Iterator[Violation]:
    # No upper bound here: Envoy has none, and a long interval only means that ejections come late.
    yield from positive(detection.interval, at.field("interval"))
    yield from positive(detection.base_ejection_time, at.field("baseEjectionTime"))
    yield from whole_percentage(detection.max_ejection_percent, at.field("maxEjectionPercent"))
    yield from percentage(detection.healthy_panic_threshold, at.field("healthyPanicThreshold"))
    yield from _detectors(detection.detectors, at.field("detectors"))


def _detectors(detectors: Detectors | None, at: FieldPath) -> Iterator[Violation]:
    # `outlierDetection` with nothing in `detectors` would eject by Envoy's defaults, which nothing
    # in the policy shows.
    if detectors is None:
        yield at.violation(MUST_BE_DEFINED)
        return
    # The names stand in this order in the answer of Kuma's API server, and clients compare whole
    # texts.
    if detectors == Detectors():
        yield at.violation(
            at_least_one_of(
                "totalFailures",
                "gatewayFailures",
                "localOriginFailures",
                "successRate",
                "failurePercentage",
            )
        )
    for name, detector in (
        ("totalFailures", detectors.total_failures),
        ("gatewayFailures", detectors.gateway_failures),
        ("localOriginFailures", detectors.local_origin_failures),
    ):
        if detector is not None:
            yield from greater_than_zero(detector.consecutive, at.field(name).field("consecutive"))
    if detectors.success_rate is not None:
        yield from _success_rate(detectors.success_rate, at.field("successRate"))
    if detectors.failure_percentage is not None:
        yield from _failures(detectors.failure_percentage, at.field("failurePercentage"))


def _success_rate(detector: SuccessRate, at: FieldPath) -> Iterator[Violation]:
    yield from greater_than_zero(detector.minimum_hosts, at.field("minimumHosts"))
    yield from greater_than_zero(detector.request_volume, at.field("requestVolume"))
    if detector.standard_deviation_factor is None:
        return
    # Envoy has thousandths as a whole number; the factor only has to be a number above zero.
    factor = decimal(detector.standard_deviation_factor)
    if factor is None:
        yield at.field("standardDeviationFactor").violation("invalid number")
    elif factor <= 0:
        yield at.field("standardDeviationFactor").violation(GREATER_THAN_ZERO)


def _failures(detector: FailurePercentage, at: FieldPath) -> Iterator[Violation]:
    yield from greater_than_zero(detector.minimum_hosts, at.field("minimumHosts"))
    yield from greater_than_zero(detector.request_volume, at.field("requestVolume"))
    # The field is a uint32 in the schema, so that a negative number never gets here.
    yield from whole_percentage(detector.threshold, at.field("threshold"))


KIND: Final = policy_kind(
    "MeshCircuitBreaker", MeshCircuitBreaker, Conf, _violations, inbound_warnings
)
