"""MeshHealthCheck: how proxies find out which endpoints are well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.policy_kind import policy_kind
from kong_mesh_cp.core.policy.spec_parts.http_fields import HeaderChanges
from kong_mesh_cp.core.policy.spec_parts.shapes import (
    CLUSTERS,
    PROXIES,
    Entries,
    egress_is_shared,
    entries,
    top,
    top_ref,
    top_warnings,
)
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.schema.record_terms import ABSENT_LIST, Duration, Int32, IntOrText
from kong_mesh_cp.core.schema.value_checks import (
    MUST_BE_DEFINED,
    at_least_one_of,
    file_path,
    percentage,
    positive,
    status_code,
    whole_percentage,
)
from kong_mesh_cp.core.schema.violations import FieldPath, Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcp:
    """A probe that opens a connection and may exchange bytes, in Base64."""

    # A probe that is switched off still counts as one of the three for the check below.
    disabled: bool | None = None
    send: str | None = None
    receive: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """A probe that makes an HTTP request."""

    GO_NAME: ClassVar[str] = "HttpHealthCheck"

    disabled: bool | None = None
    path: str | None = None
    request_headers_to_add: HeaderChanges | None = None
    expected_statuses: tuple[Int32, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grpc:
    """A probe that calls the gRPC health checking protocol."""

    disabled: bool | None = None
    service_name: str | None = None
    authority: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """When endpoints are probed, when they count as healthy, and by which protocol."""

    # Absent durations are Kuma's: interval 1 m, timeout 15 s, unhealthy after 5, healthy after 1.
    # They are filled where Envoy's configuration is made, so that a later default reaches old
    # policies.
    interval: Duration | None = None
    timeout: Duration | None = None
    unhealthy_threshold: Int32 | None = None
    healthy_threshold: Int32 | None = None
    initial_jitter: Duration | None = None
    interval_jitter: Duration | None = None
    interval_jitter_percent: Int32 | None = None
    healthy_panic_threshold: IntOrText | None = None
    fail_traffic_on_panic: bool | None = None
    event_log_path: str | None = None
    always_log_health_check_failures: bool | None = None
    no_traffic_interval: Duration | None = None
    http: Http | None = None
    tcp: Tcp | None = None
    grpc: Grpc | None = None
    reuse_connection: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshHealthCheck:
    """The spec of a MeshHealthCheck."""

    target_ref: TargetRef | None = None
    to: Entries[Conf] = ABSENT_LIST


def _violations(spec: MeshHealthCheck) -> Iterator[Violation]:
    yield from top(spec, (*PROXIES, "Dataplane"))
    # No MeshExternalService: its endpoints are probed by the zone egress, if there is one, and
    # there is nowhere to say for which clients.
    yield from entries(spec.to, "to", CLUSTERS, _conf)
    yield from egress_is_shared(spec.to, top_ref(spec))


def _conf(conf: Conf, at: FieldPath) -> Iterator[Violation]:
    yield from positive(conf.interval, at.field("interval"))
    yield from positive(conf.timeout, at.field("timeout"))
    yield from positive(conf.unhealthy_threshold, at.field("unhealthyThreshold"))
    yield from positive(conf.healthy_threshold, at.field("healthyThreshold"))
    # Zero is refused although Envoy would take it: in Kuma an absent jitter is the way to have
    # none.
    yield from positive(conf.initial_jitter, at.field("initialJitter"))
    yield from positive(conf.interval_jitter, at.field("intervalJitter"))
    yield from whole_percentage(conf.interval_jitter_percent, at.field("intervalJitterPercent"))
    yield from percentage(conf.healthy_panic_threshold, at.field("healthyPanicThreshold"))
    yield from positive(conf.no_traffic_interval, at.field("noTrafficInterval"))
    # A path on the machine of the proxy: only its form can be known here.
    yield from file_path(conf.event_log_path, at.field("eventLogPath"))
    if conf.http is not None:
        yield from _http(conf.http, at.field("http"))
    # Last, as Kuma lists it last. More than one probe is allowed: TCP is the one that services
    # without a protocol tag get.
    if conf.http is None and conf.tcp is None and conf.grpc is None:
        yield at.violation(at_least_one_of("http", "tcp", "grpc"))


def _http(http: Http, at: FieldPath) -> Iterator[Violation]:
    # An absent path is `/`; one that is there and empty would be sent as it is.
    if http.path == "":
        yield at.field("path").violation(MUST_BE_DEFINED)
    for index, status in enumerate(http.expected_statuses or ()):
        yield from status_code(status, at.field("expectedStatuses").index(index))


def _warnings(spec: MeshHealthCheck) -> Iterator[str]:
    yield from top_warnings(spec)
    for item in spec.to:
        if item.default.healthy_panic_threshold is not None:
            yield (
                "healthyPanicThreshold for 'to[].default' is deprecated. The setting has been "
                "moved to MeshCircuitBreaker policy, please use MeshCircuitBreaker policy instead."
            )


KIND: Final = policy_kind("MeshHealthCheck", MeshHealthCheck, Conf, _violations, _warnings)
