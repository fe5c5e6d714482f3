"""CircuitBreaker: hosts that fail too often get no traffic."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.legacy.connections import (
    PERCENTAGE_RANGE,
    connection_violations,
)
from kong_mesh_cp.core.resources.tags import Selector
from kong_mesh_cp.core.schema.messages import Duration, Message, Uint32, proto
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

_EMPTY: Final = "can't be empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors(Message):
    """A detector that counts errors in a row."""

    consecutive: Uint32 | None = proto(number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardDeviation(Message):
    """A detector that compares the success rate of an endpoint with the others."""

    request_volume: Uint32 | None = proto(number=1)
    minimum_hosts: Uint32 | None = proto(number=2)
    factor: float | None = proto(number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(Message):
    """A detector for endpoints whose failures are above a share of their requests."""

    request_volume: Uint32 | None = proto(number=1)
    minimum_hosts: Uint32 | None = proto(number=2)
    threshold: Uint32 | None = proto(number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectors(Message):
    """What makes an endpoint an outlier; each one that is set is in use."""

    total_errors: Errors | None = proto(number=1)
    gateway_errors: Errors | None = proto(number=2)
    local_errors: Errors | None = proto(number=3)
    standard_deviation: StandardDeviation | None = proto(number=4)
    failure: Failure | None = proto(number=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds(Message):
    """How much a proxy has under way towards one destination at once."""

    max_connections: Uint32 | None = proto(number=1)
    max_pending_requests: Uint32 | None = proto(number=2)
    max_retries: Uint32 | None = proto(number=3)
    max_requests: Uint32 | None = proto(number=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf(Message):
    """Limits on what is under way, and on endpoints that fail."""

    interval: Duration | None = proto(number=1)
    base_ejection_time: Duration | None = proto(number=2)
    max_ejection_percent: Uint32 | None = proto(number=3)
    split_external_and_local_errors: bool = proto(default=False, number=4)
    detectors: Detectors | None = proto(number=5)
    thresholds: Thresholds | None = proto(number=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreaker(Message):
    """The spec of a CircuitBreaker."""

    sources: tuple[Selector, ...] = proto((), number=1)
    destinations: tuple[Selector, ...] = proto((), number=2)
    conf: Conf | None = proto(number=3)


def violations(policy: CircuitBreaker) -> list[Violation]:
    """Everything that is wrong with a CircuitBreaker."""
    found = connection_violations(policy.sources, policy.destinations)
    return found + _conf(policy.conf or Conf(), root("conf"))


def _conf(conf: Conf, path: FieldPath) -> list[Violation]:
    # One of the two is enough, so that an empty section beside a full one is a fault of its own.
    if _is_empty(conf.detectors) and _is_empty(conf.thresholds):
        reason = "must have at least one of the detector or threshold configured"
        return [path.violation(reason)]
    found: list[Violation] = []
    detectors = path.field("detectors")
    if conf.detectors is not None and _is_empty(conf.detectors):
        found.append(detectors.violation(_EMPTY))
    found += _percentage(path.field("maxEjectionPercent"), conf.max_ejection_percent)
    if conf.detectors is not None and conf.detectors.failure is not None:
        at = detectors.field("failure").field("threshold")
        found += _percentage(at, conf.detectors.failure.threshold)
    if conf.thresholds is not None and _is_empty(conf.thresholds):
        found.append(path.field("thresholds").violation(_EMPTY))
    return found


def _is_empty(section: Message | None) -> bool:
    # `{}` and absent are alike on the wire of proto3 but for a message's presence.
    return section is None or section == type(section)()


def _percentage(path: FieldPath, percentage: int | None) -> list[Violation]:
    # Unsigned, hence no lower bound to check.
    return [path.violation(PERCENTAGE_RANGE)] if (percentage or 0) > 100 else []


KIND: Final[Kind[CircuitBreaker]] = proto_kind("CircuitBreaker", CircuitBreaker, violations)
