"""What a CircuitBreaker does to the clusters of a service.

Source: docs/wire/older-policies.md#circuit-breakers
"""

from __future__ import annotations

from kong_mesh_cp.core.resources.kinds.legacy.circuit_breaker import (
    Conf,
    Detectors,
    Errors,
    Thresholds,
)
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message, duration
from kong_mesh_cp.core.xds.policies.circuit_breaker_effects import (
    ALWAYS,
    NEVER,
    STANDARD_DEVIATIONS,
)


def break_circuits(cluster: Message, conf: Conf) -> None:
    thresholds = conf.thresholds
    if thresholds is not None and thresholds != Thresholds():
        limits = cluster.circuit_breakers.thresholds.add()
        _set(limits.max_connections, thresholds.max_connections)
        _set(limits.max_pending_requests, thresholds.max_pending_requests)
        _set(limits.max_retries, thresholds.max_retries)
        _set(limits.max_requests, thresholds.max_requests)
    detection = cluster.outlier_detection
    detection.SetInParent()
    if conf.interval is not None:
        detection.interval.CopyFrom(duration(conf.interval))
    if conf.base_ejection_time is not None:
        detection.base_ejection_time.CopyFrom(duration(conf.base_ejection_time))
    _set(detection.max_ejection_percent, conf.max_ejection_percent)
    detection.split_external_local_origin_errors = conf.split_external_and_local_errors
    _detect(detection, conf.detectors or Detectors())


def _detect(detection: Message, detectors: Detectors) -> None:
    _count(detection, "consecutive_5xx", detectors.total_errors)
    _count(detection, "consecutive_gateway_failure", detectors.gateway_errors)
    _count(detection, "consecutive_local_origin_failure", detectors.local_errors)
    deviation, failure = detectors.standard_deviation, detectors.failure
    detection.enforcing_success_rate.value = NEVER if deviation is None else ALWAYS
    if deviation is not None:
        _set(detection.success_rate_request_volume, deviation.request_volume)
        _set(detection.success_rate_minimum_hosts, deviation.minimum_hosts)
        if deviation.factor is not None:
            factor = int(deviation.factor * STANDARD_DEVIATIONS)
            detection.success_rate_stdev_factor.value = factor
        detection.enforcing_local_origin_success_rate.value = ALWAYS
    detection.enforcing_failure_percentage.value = NEVER if failure is None else ALWAYS
    if failure is not None:
        _set(detection.failure_percentage_request_volume, failure.request_volume)
        _set(detection.failure_percentage_minimum_hosts, failure.minimum_hosts)
        _set(detection.failure_percentage_threshold, failure.threshold)
        detection.enforcing_failure_percentage_local_origin.value = ALWAYS


def _count(detection: Message, name: str, detector: Errors | None) -> None:
    enforcing = getattr(detection, f"enforcing_{name}")
    if detector is None:
        enforcing.value = NEVER
        return
    enforcing.value = ALWAYS
    _set(getattr(detection, name), detector.consecutive)


def _set(field: Message, said: int | None) -> None:
    if said is not None:
        field.value = said
