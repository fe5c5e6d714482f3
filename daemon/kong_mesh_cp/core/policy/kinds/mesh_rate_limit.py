"""MeshRateLimit: how many requests and connections a proxy lets in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.durations import MILLISECOND
from kong_mesh_cp.core.policy.policy_kind import policy_kind
from kong_mesh_cp.core.policy.spec_parts.gateway_lists import destinations, sources
from kong_mesh_cp.core.policy.spec_parts.http_fields import HeaderChanges
from kong_mesh_cp.core.policy.spec_parts.shapes import (
    PROXIES,
    WHOLE_MESH_ONLY,
    Entries,
    Rules,
    inbound_warnings,
    includes_gateways,
    must_be_empty,
    rules,
    rules_alone,
    top,
    top_ref,
)
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.schema.record_terms import ABSENT_LIST, Duration, Unsigned32
from kong_mesh_cp.core.schema.value_checks import (
    MUST_BE_DEFINED,
    at_least_one_of,
    greater_than_zero,
    longer_than,
)
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

INTERVAL_NANOSECONDS_MIN: Final = 50 * MILLISECOND  # Envoy fills its buckets no faster


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many requests or connections in an interval."""

    num: Unsigned32
    interval: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRateLimit:
    """What the answer to a request over the limit looks like."""

    # Absent is 429, by Envoy's default.
    status: Unsigned32 | None = None
    headers: HeaderChanges | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalHttp:
    """The limit of HTTP requests."""

    disabled: bool | None = None
    request_rate: Rate | None = None
    on_rate_limit: OnRateLimit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTcp:
    """The limit of new connections."""

    disabled: bool | None = None
    connection_rate: Rate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """Limits that each proxy keeps by itself."""

    http: LocalHttp | None = None
    tcp: LocalTcp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """The limits of one direction of traffic."""

    local: Local | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshRateLimit:
    """The spec of a MeshRateLimit."""

    target_ref: TargetRef | None = None
    to: Entries[Conf] = ABSENT_LIST
    from_: Entries[Conf] = ABSENT_LIST
    rules: Rules[Conf] = ABSENT_LIST


def _violations(spec: MeshRateLimit) -> Iterator[Violation]:
    # A MeshHTTPRoute means a route of a gateway here, and takes `to` (see `includes_gateways`).
    kinds = (*PROXIES, "MeshHTTPRoute", "Dataplane")
    yield from top(spec, kinds, inbound=bool(spec.from_ or spec.rules))
    # Nothing has to be set at all: a policy without lists is accepted, as Kuma does it.
    yield from rules_alone(spec)
    yield from sources(spec, spec.from_, WHOLE_MESH_ONLY, _conf)
    yield from destinations(spec, spec.to, _conf)
    # A gateway has no inbounds. Where the target may mean one, inbound rules would hold for a part
    # of the proxies only, and the author is asked to say which ones he means.
    if includes_gateways(top_ref(spec)):
        yield from must_be_empty(spec.rules, "rules")
    else:
        yield from rules(spec.rules, _conf)


def _conf(conf: Conf, default: FieldPath) -> Iterator[Violation]:
    at = default.field("local")
    if conf.local is None:
        yield at.violation(MUST_BE_DEFINED)
        return
    # Only local limits exist; a global one would need a rate limit service.
    if conf.local == Local():
        yield at.violation(at_least_one_of("tcp", "http"))
    if conf.local.http is not None:
        yield from _http(conf.local.http, at.field("http"))
    if conf.local.tcp is not None:
        yield from _tcp(conf.local.tcp, at.field("tcp"))


def _http(http: LocalHttp, at: FieldPath) -> Iterator[Violation]:
    # `disabled` alone is something to say: it takes away what a less specific policy has set.
    if http == LocalHttp():
        yield at.violation(at_least_one_of("disabled", "requestRate", "onRateLimit"))
    yield from _rate(http.request_rate, at.field("requestRate"))
    if http.on_rate_limit is not None:
        yield from greater_than_zero(
            http.on_rate_limit.status, at.field("onRateLimit").field("status")
        )


def _tcp(tcp: LocalTcp, at: FieldPath) -> Iterator[Violation]:
    if tcp == LocalTcp():
        yield at.violation(at_least_one_of("disabled", "connectionRate"))
    yield from _rate(tcp.connection_rate, at.field("connectionRate"))


def _rate(rate: Rate | None, at: FieldPath) -> Iterator[Violation]:
    if rate is not None:
        # Zero requests would close the service, for which there is MeshTrafficPermission.
        yield from greater_than_zero(rate.num, at.field("num"))
        yield from longer_than(rate.interval, INTERVAL_NANOSECONDS_MIN, at.field("interval"))


KIND: Final = policy_kind("MeshRateLimit", MeshRateLimit, Conf, _violations, inbound_warnings)
