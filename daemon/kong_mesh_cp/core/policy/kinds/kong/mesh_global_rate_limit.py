"""MeshGlobalRateLimit: a limit that all proxies share by asking a rate limit service.

Source: docs/wire/policies.md#policies-of-kong-mesh
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.spec_parts.gateway_lists import destinations, sources
from kong_mesh_cp.core.policy.spec_parts.http_fields import HeaderChanges
from kong_mesh_cp.core.policy.spec_parts.shapes import (
    PROXIES,
    WHOLE_MESH_ONLY,
    RequiredEntries,
    top,
    top_warnings,
)
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.resources.plugin_kind import plugin_kind
from kong_mesh_cp.core.schema.record_terms import Duration, Int32, OneOf
from kong_mesh_cp.core.schema.value_checks import MUST_NOT_BE_EMPTY, greater_than_zero
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

NO_EFFECT: Final = (
    "MeshGlobalRateLimit is stored and has no effect: this version of the control plane limits"
    " nothing with it; MeshRateLimit limits each proxy"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many requests in an interval."""

    num: Int32
    interval: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueLimit:
    """The limit of the requests with one value of a header."""

    value: str
    request_rate: Rate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimit:
    """Limits by the value that a request has in a header."""

    kind: Annotated[str, OneOf(("OnHeader",))]
    name: str
    limits: tuple[ValueLimit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRateLimit:
    """What the answer to a request over the limit looks like."""

    status: Int32 | None = None
    headers: HeaderChanges | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """The limit of HTTP requests."""

    disabled: bool | None = None
    request_rate: Rate | None = None
    on_rate_limit: OnRateLimit | None = None
    # The letter case is the wire's.
    ratelimit_on_request: tuple[RequestLimit, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitService:
    """Where the counters are kept."""

    url: str | None = None
    timeout: Duration | None = None
    limit_on_service_fail: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Who counts."""

    rate_limit_service: RateLimitService


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """One shared limit."""

    mode: Annotated[str, OneOf(("Limit", "Shadow"))] | None = None
    backend: Backend
    http: Http


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshGlobalRateLimit:
    """The spec of a MeshGlobalRateLimit."""

    target_ref: TargetRef | None = None
    to: RequiredEntries[Conf] = ()
    from_: RequiredEntries[Conf] = ()


def _violations(spec: MeshGlobalRateLimit) -> Iterator[Violation]:
    yield from top(spec, (*PROXIES, "Dataplane"))
    # Where MeshRateLimit has its lists, this has them: clients of sidecars, listeners of gateways.
    yield from sources(spec, spec.from_, WHOLE_MESH_ONLY, _conf)
    yield from destinations(spec, spec.to, _conf)


def _conf(conf: Conf, at: FieldPath) -> Iterator[Violation]:
    if not conf.backend.rate_limit_service.url:
        service = at.field("backend").field("rateLimitService")
        yield service.field("url").violation(MUST_NOT_BE_EMPTY)
    http = at.field("http")
    yield from _rate(conf.http.request_rate, http.field("requestRate"))
    for index, each in enumerate(conf.http.ratelimit_on_request or ()):
        limits = http.field("ratelimitOnRequest").index(index).field("limits")
        for number, limit in enumerate(each.limits):
            yield from _rate(limit.request_rate, limits.index(number).field("requestRate"))


def _rate(rate: Rate | None, at: FieldPath) -> Iterator[Violation]:
    if rate is not None:
        yield from greater_than_zero(rate.num, at.field("num"))
        yield from greater_than_zero(rate.interval, at.field("interval"))


def _warnings(spec: MeshGlobalRateLimit) -> Iterator[str]:
    yield NO_EFFECT
    yield from top_warnings(spec)


KIND: Final = plugin_kind("MeshGlobalRateLimit", MeshGlobalRateLimit, _violations, _warnings)
