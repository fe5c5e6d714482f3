"""HealthCheck: asking destinations whether they are well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.connections import (
    CANNOT_BE_EMPTY,
    HAS_TO_BE_DEFINED,
    connection_violations,
)
from kong_mesh_cp.core.resources.proto import Bytes, Duration, Message, Uint32, proto
from kong_mesh_cp.core.resources.tags import Selector, duration_violations, threshold_violations
from kong_mesh_cp.core.resources.violations import FieldPath, Violation, root


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcp(Message):
    send: Bytes | None = None
    receive: tuple[Bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderValue(Message):
    key: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderValueOption(Message):
    header: HeaderValue | None = None
    append: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Http(Message):
    path: str = ""
    request_headers_to_add: tuple[HeaderValueOption, ...] = proto((), original=True)
    expected_statuses: tuple[Uint32, ...] = proto((), original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf(Message):
    interval: Duration | None = None
    timeout: Duration | None = None
    unhealthy_threshold: Uint32 = proto(0, original=True)
    healthy_threshold: Uint32 = proto(0, original=True)
    initial_jitter: Duration | None = proto(original=True)
    interval_jitter: Duration | None = proto(original=True)
    interval_jitter_percent: Uint32 = proto(0, original=True)
    healthy_panic_threshold: float | None = proto(original=True)
    fail_traffic_on_panic: bool | None = proto(original=True)
    event_log_path: str = proto("", original=True)
    always_log_health_check_failures: bool | None = proto(original=True)
    no_traffic_interval: Duration | None = proto(original=True)
    tcp: Tcp | None = None
    http: Http | None = None
    reuse_connection: bool | None = proto(original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck(Message):
    sources: tuple[Selector, ...] = ()
    destinations: tuple[Selector, ...] = ()
    conf: Conf | None = None


def violations(policy: HealthCheck) -> list[Violation]:
    """Everything that is wrong with a HealthCheck."""
    found = connection_violations(policy.sources, policy.destinations)
    path = root("conf")
    if policy.conf is None:
        return [*found, path.violation(HAS_TO_BE_DEFINED)]
    return found + _conf(policy.conf, path)


def _conf(conf: Conf, path: FieldPath) -> list[Violation]:
    found = [
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
    panic = conf.healthy_panic_threshold or 0.0
    if panic < 0 or panic > 100:
        at = path.field("healthyPanicThreshold")
        found.append(at.violation("must be in range [0.0 - 100.0]"))
    if conf.http is not None:
        found += _http(conf.http, path.field("http"))
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
