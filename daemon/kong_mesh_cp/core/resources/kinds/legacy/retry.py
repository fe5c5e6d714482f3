"""Retry: what is tried again, how often and after which pause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.legacy.connections import (
    HAS_TO_BE_DEFINED,
    POSITIVE,
    HttpMethod,
    connection_violations,
    not_zero,
)
from kong_mesh_cp.core.resources.tags import Selector
from kong_mesh_cp.core.schema.messages import Duration, Message, ProtoEnum, Uint32, proto
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

_EMPTY: Final = "field cannot be empty"


class HttpRetryOn(ProtoEnum):
    """Conditions of Envoy's HTTP router."""

    __proto_name__ = "kuma.mesh.v1alpha1.HttpRetryOn"
    # The zero value of an enumeration that has no "none": an absent list is empty, not 5xx.
    all_5xx = 0
    gateway_error = 1
    reset = 2
    connect_failure = 3
    envoy_ratelimited = 4
    retriable_4xx = 5
    refused_stream = 6
    retriable_status_codes = 7
    retriable_headers = 8
    http3_post_connect_failure = 9


class GrpcRetryOn(ProtoEnum):
    """Conditions of gRPC."""

    __proto_name__ = "kuma.mesh.v1alpha1.Retry.Conf.Grpc.RetryOn"
    cancelled = 0
    deadline_exceeded = 1
    internal = 2
    resource_exhausted = 3
    unavailable = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff(Message):
    """The pauses between attempts, growing from the base to the maximum."""

    base_interval: Duration | None = proto(number=1, original=True)
    max_interval: Duration | None = proto(number=2, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Http(Message):
    """When and how an HTTP request is attempted again."""

    num_retries: Uint32 | None = proto(number=2, original=True)
    per_try_timeout: Duration | None = proto(number=3, original=True)
    back_off: BackOff | None = proto(number=4, original=True)
    retriable_status_codes: tuple[Uint32, ...] = proto((), number=5, original=True)
    retriable_methods: tuple[HttpMethod, ...] = proto((), number=6, original=True)
    retry_on: tuple[HttpRetryOn, ...] = proto((), number=7, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcp(Message):
    """Attempts to open a connection."""

    max_connect_attempts: Uint32 = proto(0, number=1, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grpc(Message):
    """When and how a gRPC call is attempted again."""

    retry_on: tuple[GrpcRetryOn, ...] = proto((), number=1, original=True)
    num_retries: Uint32 | None = proto(number=2, original=True)
    per_try_timeout: Duration | None = proto(number=3, original=True)
    back_off: BackOff | None = proto(number=4, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf(Message):
    """Retries by protocol."""

    http: Http | None = proto(number=1)
    tcp: Tcp | None = proto(number=2)
    grpc: Grpc | None = proto(number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry(Message):
    """The spec of a Retry."""

    sources: tuple[Selector, ...] = proto((), number=1)
    destinations: tuple[Selector, ...] = proto((), number=2)
    conf: Conf | None = proto(number=3)


def violations(policy: Retry) -> list[Violation]:
    """Everything that is wrong with a Retry."""
    found = connection_violations(policy.sources, policy.destinations)
    path = root("conf")
    conf = policy.conf
    if conf is None:
        return [*found, path.violation(HAS_TO_BE_DEFINED)]
    # After the presence of `conf`, since Kuma has a text for each.
    if conf == Conf():
        return [*found, path.violation("missing protocol [grpc|http|tcp] configuration")]
    if conf.http is not None:
        found += _http(conf.http, path.field("http"))
    if conf.grpc is not None:
        found += _grpc(conf.grpc, path.field("grpc"))
    if conf.tcp is not None and not conf.tcp.max_connect_attempts:
        at = path.field("tcp").field("maxConnectAttempts")
        found.append(at.violation(POSITIVE))
    return found


def _http(http: Http, path: FieldPath) -> list[Violation]:
    found = [path.violation(_EMPTY)] if http == Http() else []
    found += _attempts(http, path)
    for index, method in enumerate(http.retriable_methods):
        if method == HttpMethod.NONE:
            found.append(path.field("retriableMethods").index(index).violation(_EMPTY))
    for index, condition in enumerate(http.retry_on):
        # The condition refers to a list; the one on headers does so too, but has no list here.
        if condition == HttpRetryOn.retriable_status_codes and not http.retriable_status_codes:
            reason = "retriableStatusCodes cannot be empty when this option is specified"
            found.append(path.field("retryOn").index(index).violation(reason))
    return found


def _grpc(grpc: Grpc, path: FieldPath) -> list[Violation]:
    found = [path.violation(_EMPTY)] if grpc == Grpc() else []
    at = path.field("retryOn")
    # Only for gRPC: Kuma does not look for doubles in HTTP conditions.
    found += [at.violation(reason) for reason in _repeated(grpc.retry_on)]
    return found + _attempts(grpc, path)


def _repeated(conditions: Sequence[GrpcRetryOn]) -> list[str]:
    reasons = []
    for condition in set(conditions):
        positions = [str(at) for at, each in enumerate(conditions) if each == condition]
        if len(positions) > 1:
            shown = go_quote(condition.name or str(condition.value))
            reasons.append(f"repeated value {shown} at indexes [{', '.join(positions)}]")
    # Go walks a map here, in no order; sorted they are the same each time.
    return sorted(reasons)


def _attempts(section: Http | Grpc, path: FieldPath) -> list[Violation]:
    found = [
        *not_zero(path.field("numRetries"), section.num_retries),
        *not_zero(path.field("perTryTimeout"), section.per_try_timeout),
    ]
    if section.back_off is not None:
        found += _back_off(section.back_off, path.field("backOff"))
    return found


def _back_off(back_off: BackOff, path: FieldPath) -> list[Violation]:
    base = path.field("baseInterval")
    # Envoy needs the base interval as soon as there is a back-off.
    if back_off.base_interval is None:
        return [base.violation(HAS_TO_BE_DEFINED)]
    if back_off.base_interval == 0:
        return [base.violation(POSITIVE)]
    return not_zero(path.field("maxInterval"), back_off.max_interval)


KIND: Final[Kind[Retry]] = proto_kind("Retry", Retry, violations)
