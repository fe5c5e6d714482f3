"""HealthCheck: asking destinations whether they are well."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.legacy.connections import (
    CANNOT_BE_EMPTY,
    HAS_TO_BE_DEFINED,
    connection_violations,
)
from kong_mesh_cp.core.resources.tags import Selector, duration_violations, threshold_violations
from kong_mesh_cp.core.schema.messages import Bytes, Duration, Float, Message, Uint32, proto
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcp(Message):
    """A probe that opens a connection and may exchange bytes."""

    send: Bytes | None = proto(number=1)
    receive: tuple[Bytes, ...] = proto((), number=2, wrapped=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderValue(Message):
    """A header by name and value."""

    key: str = proto("", number=1)
    value: str = proto("", number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderValueOption(Message):
    """A header of the probe, added to what is there or in its place."""

    header: HeaderValue | None = proto(number=1)
    append: bool | None = proto(number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Http(Message):
    """A probe that makes an HTTP request."""

    path: str = proto("", number=1)
    request_headers_to_add: tuple[HeaderValueOption, ...] = proto((), number=2, original=True)
    expected_statuses: tuple[Uint32, ...] = proto((), number=3, original=True, wrapped=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf(Message):
    """When endpoints are probed, and when they count as healthy."""

    interval: Duration | None = proto(number=1)
    timeout: Duration | None = proto(number=2)
    unhealthy_threshold: Uint32 = proto(0, number=3, original=True)
    healthy_threshold: Uint32 = proto(0, number=4, original=True)
    initial_jitter: Duration | None = proto(number=7, original=True)
    interval_jitter: Duration | None = proto(number=8, original=True)
    interval_jitter_percent: Uint32 = proto(0, number=9, original=True)
    healthy_panic_threshold: Float | None = proto(number=10, original=True)
    fail_traffic_on_panic: bool | None = proto(number=11, original=True)
    event_log_path: str = proto("", number=12, original=True)
    always_log_health_check_failures: bool | None = proto(number=13, original=True)
    no_traffic_interval: Duration | None = proto(number=14, original=True)
    tcp: Tcp | None = proto(number=5)
    http: Http | None = proto(number=6)
    reuse_connection: bool | None = proto(number=15, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck(Message):
    """The spec of a HealthCheck."""

    sources: tuple[Selector, ...] = proto((), number=1)
    destinations: tuple[Selector, ...] = proto((), number=2)
    conf: Conf | None = proto(number=3)


def violations(policy: HealthCheck) -> list[Violation]:
    """Everything that is wrong with a HealthCheck."""
    found = connection_violations(policy.sources, policy.destinations)
    path = root("conf")
    if policy.conf is None:
        return [*found, path.violation(HAS_TO_BE_DEFINED)]
    return found + _conf(policy.conf, path)


def _conf(conf: Conf, path: FieldPath) -> list[Violation]:
    found = [
        # These four have no default and have to be there, other than in MeshHealthCheck.
        *duration_violations(path.field("interval"), conf.interval),
        *duration_violations(path.field("timeout"), conf.timeout),
        *threshold_violations(path.field("unhealthyThreshold"), conf.unhealthy_threshold),
        *threshold_violations(path.field("healthyThreshold"), conf.healthy_threshold),
    ]
    for name, nanoseconds in (
        ("initialJitter", conf.initial_jitter),
        ("intervalJitter", conf.interval_jitter),
        ("noTrafficInterval", conf.no_traffic_interval),
    ):
        if nanoseconds is not None:
            found += duration_violations(path.field(name), nanoseconds)
    # Not-a-number passes, as Go's comparisons let it.
    panic = conf.healthy_panic_threshold or 0.0
    if panic < 0 or panic > 100:
        at = path.field("healthyPanicThreshold")
        found.append(at.violation("must be in range [0.0 - 100.0]"))
    if conf.http is not None:
        found += _http(conf.http, path.field("http"))
    # One of them, or none: without either a probe of TCP is made.
    if conf.tcp is not None and conf.http is not None:
        found.append(path.violation("http and tcp cannot be defined at the same time"))
    return found


def _http(http: Http, path: FieldPath) -> list[Violation]:
    found = []
    if not http.path:
        reason = "has to be defined and cannot be empty"
        found.append(path.field("path").violation(reason))
    for index, status in enumerate(http.expected_statuses):
        if not 100 <= status < 600:
            at = path.field("expectedStatuses").index(index)
            found.append(at.violation("must be in range [100, 600)"))
    for index, option in enumerate(http.request_headers_to_add):
        at = path.field("requestHeadersToAdd").index(index).field("header")
        if option.header is None:
            found.append(at.violation(HAS_TO_BE_DEFINED))
        elif not option.header.key:
            found.append(at.field("key").violation(CANNOT_BE_EMPTY))
    return found


KIND: Final[Kind[HealthCheck]] = proto_kind("HealthCheck", HealthCheck, violations)
