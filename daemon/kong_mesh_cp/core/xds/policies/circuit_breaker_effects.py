"""What MeshCircuitBreaker does to a proxy.

Source: docs/wire/envoy-policies.md#circuit-breakers
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.policy.kinds.mesh_circuit_breaker import (
    Conf,
    ConnectionLimits,
    Consecutive,
    Detectors,
    FailurePercentage,
    OutlierDetection,
    SuccessRate,
)
from kong_mesh_cp.core.policy.typed_confs import DestinationConfs, InboundConfs, TypedConf
from kong_mesh_cp.core.xds.effects import Effect, InboundFacts, OutboundFacts
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message, duration
from kong_mesh_cp.core.xds.gateways.gateway_draft import GatewayDraft
from kong_mesh_cp.core.xds.gateways.listener_confs import confs_at, led_to, resources_led_to
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.services.service_resources import EXTERNAL
from kong_mesh_cp.core.xds.unmakeable import number

POLICY_TYPE: Final = "MeshCircuitBreaker"
ALWAYS: Final = 100  # per cent of the endpoints that a detector finds are ejected
NEVER: Final = 0
STANDARD_DEVIATIONS: Final = 1000  # Envoy has the factor in thousandths


def _inbound_cluster(draft: ClusterDraft, _facts: InboundFacts, confs: InboundConfs) -> None:
    _cluster(draft, confs.rules)


def _outbound_cluster(draft: ClusterDraft, facts: OutboundFacts, confs: DestinationConfs) -> None:
    # An external service's breaker is with the egress that all its callers share.
    # Of a service that routes alone lead to, the original sets no limits.
    if facts.is_called and not (facts.is_resource and facts.is_external):
        _cluster(draft, confs.conf)


def _gateway(draft: GatewayDraft, view: ProxyView, matched: Matched) -> None:
    breakers = matched.of_type(POLICY_TYPE)
    for planned in draft.plan.listeners:
        confs = confs_at(breakers, view, planned)
        if confs is not None:
            for cluster, destination in led_to(draft, planned.hosts):
                _cluster(cluster, confs.of_service(destination.service))
    for cluster, to, _ in resources_led_to(draft):
        if to.type != EXTERNAL:
            _cluster(cluster, breakers.destination(to).conf)


def _cluster(draft: ClusterDraft, typed: TypedConf | None) -> None:
    if typed is None:
        return
    conf = typed.of_kind(Conf)
    if conf.connection_limits is not None:
        _limits(draft.message, conf.connection_limits)
    if conf.outlier_detection is not None and not conf.outlier_detection.disabled:
        _outliers(draft.message, conf.outlier_detection)


def _limits(cluster: Message, limits: ConnectionLimits) -> None:
    cluster.ClearField("circuit_breakers")
    threshold = cluster.circuit_breakers.thresholds.add(track_remaining=True)
    _set(threshold.max_connection_pools, limits.max_connection_pools)
    _set(threshold.max_connections, limits.max_connections)
    _set(threshold.max_pending_requests, limits.max_pending_requests)
    _set(threshold.max_retries, limits.max_retries)
    _set(threshold.max_requests, limits.max_requests)


def _outliers(cluster: Message, conf: OutlierDetection) -> None:
    cluster.ClearField("outlier_detection")
    detection = cluster.outlier_detection
    detection.SetInParent()
    if conf.interval is not None:
        detection.interval.CopyFrom(duration(conf.interval))
    if conf.base_ejection_time is not None:
        detection.base_ejection_time.CopyFrom(duration(conf.base_ejection_time))
    if conf.split_external_and_local_errors is not None:
        detection.split_external_local_origin_errors = conf.split_external_and_local_errors
    _set(detection.max_ejection_percent, conf.max_ejection_percent)
    detectors = conf.detectors or Detectors()
    _count(detection, "consecutive_5xx", detectors.total_failures)
    _count(detection, "consecutive_local_origin_failure", detectors.local_origin_failures)
    _count(detection, "consecutive_gateway_failure", detectors.gateway_failures)
    # Without detectors at all those that compare endpoints are as Envoy has them.
    if conf.detectors is not None:
        _success_rate(detection, detectors.success_rate)
        _failure_percentage(detection, detectors.failure_percentage)
    if conf.healthy_panic_threshold is not None:
        what = f"healthyPanicThreshold of a {POLICY_TYPE}"
        percentage = number(conf.healthy_panic_threshold, what)
        cluster.common_lb_config.healthy_panic_threshold.value = float(percentage)


def _count(detection: Message, name: str, detector: Consecutive | None) -> None:
    """A detector counts if it says to how many; all others are switched off."""
    enforcing = getattr(detection, f"enforcing_{name}")
    if detector is None or detector.consecutive is None:
        enforcing.value = NEVER
        return
    enforcing.value = ALWAYS
    getattr(detection, name).value = detector.consecutive


def _success_rate(detection: Message, conf: SuccessRate | None) -> None:
    enforced = NEVER if conf is None else ALWAYS
    detection.enforcing_success_rate.value = enforced
    detection.enforcing_local_origin_success_rate.value = enforced
    if conf is None:
        return
    _set(detection.success_rate_minimum_hosts, conf.minimum_hosts)
    _set(detection.success_rate_request_volume, conf.request_volume)
    if conf.standard_deviation_factor is not None:
        what = f"standardDeviationFactor of a {POLICY_TYPE}"
        factor = number(conf.standard_deviation_factor, what)
        detection.success_rate_stdev_factor.value = int(factor * STANDARD_DEVIATIONS)


def _failure_percentage(detection: Message, conf: FailurePercentage | None) -> None:
    enforced = NEVER if conf is None else ALWAYS
    detection.enforcing_failure_percentage.value = enforced
    detection.enforcing_failure_percentage_local_origin.value = enforced
    if conf is None:
        return
    _set(detection.failure_percentage_minimum_hosts, conf.minimum_hosts)
    _set(detection.failure_percentage_request_volume, conf.request_volume)
    _set(detection.failure_percentage_threshold, conf.threshold)


def _set(field: Message, said: int | None) -> None:
    if said is not None:
        field.value = said


EFFECT: Final = Effect(
    policy_type=POLICY_TYPE,
    inbound_cluster=_inbound_cluster,
    outbound_cluster=_outbound_cluster,
    gateway=_gateway,
)
