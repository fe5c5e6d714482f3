"""MeshRetry: which requests are made again, how often, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Annotated, ClassVar, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.policy_kind import policy_kind
from kong_mesh_cp.core.policy.spec_parts.http_fields import HeaderMatch, HeaderName
from kong_mesh_cp.core.policy.spec_parts.shapes import (
    AT_GATEWAY,
    DESTINATIONS,
    PROXIES,
    SPEC,
    Entries,
    entries,
    top,
    top_ref,
    top_warnings,
)
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.schema.record_terms import (
    ABSENT_LIST,
    Duration,
    Int32,
    Int64,
    OneOf,
    Unsigned32,
)
from kong_mesh_cp.core.schema.value_checks import (
    MUST_BE_DEFINED,
    MUST_NOT_BE_EMPTY,
    NEEDS_AN_ITEM,
    greater_than_zero,
)
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

# Envoy's `x-envoy-retry-grpc-on` values, in Kuma's spelling.
_GRPC: Final = (
    "Canceled",
    "DeadlineExceeded",
    "Internal",
    "ResourceExhausted",
    "Unavailable",
)
# Envoy's `x-envoy-retry-on` values. The documentation has `5XX`, too, which Kuma refuses.
_HTTP: Final = (
    "5xx",
    "GatewayError",
    "Reset",
    "Retriable4xx",
    "ConnectFailure",
    "EnvoyRatelimited",
    "RefusedStream",
    "Http3PostConnectFailure",
    "HttpMethodConnect",
    "HttpMethodDelete",
    "HttpMethodGet",
    "HttpMethodHead",
    "HttpMethodOptions",
    "HttpMethodPatch",
    "HttpMethodPost",
    "HttpMethodPut",
    "HttpMethodTrace",
)
_PREDICATES: Final = ("OmitPreviousHosts", "OmitHostsWithTags", "OmitPreviousPriorities")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcp:
    """Attempts to open a connection."""

    GO_NAME: ClassVar[str] = "TCP"

    # Attempts, not retries: 1 is no retry at all.
    max_connect_attempt: Unsigned32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff:
    """The pauses between attempts, growing from the base to the maximum."""

    base_interval: Duration | None = None
    max_interval: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetHeader:
    """A response header that says when an attempt makes sense again."""

    name: HeaderName
    format: Annotated[str, OneOf(("Seconds", "UnixTimestamp"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitedBackOff:
    """Pauses that a rate-limiting destination asks for in its headers."""

    reset_headers: tuple[ResetHeader, ...] | None = None
    max_interval: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicate:
    """A rule for which host the next attempt goes to."""

    predicate: Annotated[str, OneOf(_PREDICATES)]
    tags: Mapping[str, str] | None = None
    update_frequency: Int32 = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """When and how an HTTP request is attempted again."""

    GO_NAME: ClassVar[str] = "HTTP"

    num_retries: Unsigned32 | None = None
    per_try_timeout: Duration | None = None
    back_off: BackOff | None = None
    rate_limited_back_off: RateLimitedBackOff | None = None
    # No enumeration in the schema, because status codes are allowed beside the names.
    retry_on: tuple[str, ...] | None = None
    retriable_response_headers: tuple[HeaderMatch, ...] | None = None
    retriable_request_headers: tuple[HeaderMatch, ...] | None = None
    host_selection: tuple[Predicate, ...] | None = None
    host_selection_max_attempts: Int64 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grpc:
    """When and how a gRPC call is attempted again."""

    GO_NAME: ClassVar[str] = "GRPC"

    num_retries: Unsigned32 | None = None
    per_try_timeout: Duration | None = None
    back_off: BackOff | None = None
    rate_limited_back_off: RateLimitedBackOff | None = None
    retry_on: tuple[Annotated[str, OneOf(_GRPC)], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """Retries by protocol."""

    tcp: Tcp | None = None
    http: Http | None = None
    grpc: Grpc | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshRetry:
    """The spec of a MeshRetry."""

    target_ref: TargetRef | None = None
    to: Entries[Conf] = ABSENT_LIST


def _violations(spec: MeshRetry) -> Iterator[Violation]:
    yield from top(spec, (*PROXIES, "MeshHTTPRoute", "Dataplane"))
    # The list is optional in the schema, and a policy without it would do nothing.
    if not spec.to:
        yield SPEC.field("to").violation(NEEDS_AN_ITEM)
    at_gateway = top_ref(spec).kind in {"MeshGateway", "MeshHTTPRoute"}
    # A gateway retries in its routes, whose destinations are many: entries by service would have no
    # place there, but for external services, which have clusters of their own.
    allowed = AT_GATEWAY if at_gateway else DESTINATIONS
    yield from entries(spec.to, "to", allowed, _conf)


def _conf(conf: Conf, default: FieldPath) -> Iterator[Violation]:
    # No such member exists; the original says it, and clients know it by this name.
    at = default.field("conf")
    if conf == Conf():
        yield at.violation("at least one of the 'tcp', 'http', 'grpc' must be specified")
    if conf.tcp is not None:
        yield from _tcp(conf.tcp, at.field("tcp"))
    if conf.http is not None:
        yield from _http(conf.http, at.field("http"))
    if conf.grpc is not None:
        yield from _grpc(conf.grpc, at.field("grpc"))


def _tcp(tcp: Tcp, at: FieldPath) -> Iterator[Violation]:
    if tcp.max_connect_attempt is None:
        yield at.violation(MUST_NOT_BE_EMPTY)
    yield from greater_than_zero(tcp.max_connect_attempt, at.field("maxConnectAttempt"))


def _http(http: Http, at: FieldPath) -> Iterator[Violation]:
    # How often a host is chosen means nothing without a rule by which to choose.
    if http == Http(host_selection_max_attempts=http.host_selection_max_attempts):
        yield at.violation(MUST_NOT_BE_EMPTY)
    yield from _back_offs(http, at)
    for index, item in enumerate(http.retry_on or ()):
        if item not in _HTTP and not _is_status(item):
            yield at.field("retryOn").index(index).violation(f"unknown item '{item}'")
    yield from _host_selection(http.host_selection or (), at.field("hostSelection"))


def _is_status(text: str) -> bool:
    # A number that no standard names as a status is taken for a slip of the finger, although Envoy
    # would wait for it without complaint.
    if len(text) != 3 or not (text.isascii() and text.isdigit()):
        return False
    return int(text) in _STATUSES


_STATUSES: Final = frozenset(int(status) for status in HTTPStatus)


def _grpc(grpc: Grpc, at: FieldPath) -> Iterator[Violation]:
    if grpc == Grpc():
        yield at.violation(MUST_NOT_BE_EMPTY)
    yield from _back_offs(grpc, at)
    for index, item in enumerate(grpc.retry_on or ()):
        if item not in _GRPC:
            yield at.field("retryOn").index(index).violation(f"unknown item '{item}'")


def _back_offs(section: Http | Grpc, at: FieldPath) -> Iterator[Violation]:
    # Envoy needs the base interval as soon as the message is there.
    if section.back_off == BackOff():
        yield at.field("backOff").violation(MUST_NOT_BE_EMPTY)
    limited = section.rate_limited_back_off
    if limited is None:
        return
    limited_at = at.field("rateLimitedBackOff")
    # Absent is fine in spite of the text: Envoy's default is 300 s.
    if limited.max_interval is not None and limited.max_interval <= 0:
        yield limited_at.field("maxInterval").violation("must be defined and greater than zero")
    # Without a header to read the section could do nothing.
    if limited.reset_headers is None:
        yield limited_at.field("resetHeaders").violation(MUST_BE_DEFINED)
    for index, header in enumerate(limited.reset_headers or ()):
        if not header.name:
            field = limited_at.field("resetHeaders").index(index).field("name")
            yield field.violation(MUST_BE_DEFINED)


def _host_selection(predicates: tuple[Predicate, ...], at: FieldPath) -> Iterator[Violation]:
    priorities = 0
    for index, rule in enumerate(predicates):
        predicate_at = at.index(index)
        match rule.predicate:
            case "OmitPreviousHosts":
                pass
            # Envoy compares endpoint metadata, and without tags every host would be omitted.
            case "OmitHostsWithTags":
                if rule.tags is None:
                    yield predicate_at.field("tags").violation(MUST_BE_DEFINED)
            case "OmitPreviousPriorities":
                # Envoy has one retry priority for a route, but a list of host predicates.
                if priorities:
                    message = f"{rule.predicate} must only be specified once"
                    yield predicate_at.field("predicate").violation(message)
                if rule.update_frequency <= 0:
                    message = "must be defined and greater than zero"
                    yield predicate_at.field("updateFrequency").violation(message)
                priorities += 1
            case unknown:
                yield predicate_at.field("predicate").violation(
                    f"unknown predicate type '{unknown}'"
                )


KIND: Final = policy_kind("MeshRetry", MeshRetry, Conf, _violations, top_warnings)
