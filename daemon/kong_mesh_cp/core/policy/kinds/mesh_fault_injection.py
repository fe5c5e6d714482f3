"""MeshFaultInjection: errors, delays and narrow lines on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kong_mesh_cp.core.policy.policy_kind import policy_kind
from kong_mesh_cp.core.policy.spec_parts.gateway_lists import destinations, sources
from kong_mesh_cp.core.policy.spec_parts.shapes import CLIENTS, PROXIES, Entries, top, top_warnings
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.schema.record_terms import Duration, Int32, IntOrText
from kong_mesh_cp.core.schema.value_checks import bandwidth, not_negative, percentage, status_code
from kong_mesh_cp.core.schema.violations import FieldPath, Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class Abort:
    http_status: Int32
    percentage: IntOrText


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    value: Duration
    percentage: IntOrText


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseBandwidth:
    limit: str
    percentage: IntOrText


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    abort: Abort | None = None
    delay: Delay | None = None
    response_bandwidth: ResponseBandwidth | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    http: tuple[Fault, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshFaultInjection:
    target_ref: TargetRef | None = None
    to: Entries[Conf] = ()
    from_: Entries[Conf] = ()


def _violations(spec: MeshFaultInjection) -> Iterator[Violation]:
    yield from top(spec, (*PROXIES, "Dataplane"), inbound=bool(spec.from_))
    yield from sources(spec, spec.from_, CLIENTS, _conf)
    yield from destinations(spec, spec.to, _conf)


def _conf(conf: Conf, at: FieldPath) -> Iterator[Violation]:
    for index, fault in enumerate(conf.http or ()):
        yield from _fault(fault, at.field("http"), index)


def _fault(fault: Fault, at: FieldPath, index: int) -> Iterator[Violation]:
    # The original puts the index behind the fault's name, not behind `http`.
    if fault.abort is not None:
        place = at.field("abort").index(index)
        yield from status_code(fault.abort.http_status, place.field("httpStatus"))
        yield from percentage(fault.abort.percentage, place.field("percentage"))
    if fault.delay is not None:
        place = at.field("delay").index(index)
        yield from not_negative(fault.delay.value, place.field("value"))
        yield from percentage(fault.delay.percentage, place.field("percentage"))
    if fault.response_bandwidth is not None:
        place = at.field("responseBandwidth").index(index)
        yield from bandwidth(fault.response_bandwidth.limit, place.field("responseBandwidth"))
        yield from percentage(fault.response_bandwidth.percentage, place.field("percentage"))


KIND: Final = policy_kind("MeshFaultInjection", MeshFaultInjection, Conf, _violations, top_warnings)
