"""MeshFaultInjection: errors, delays and narrow lines on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.policy_kind import policy_kind
from kong_mesh_cp.core.policy.spec_parts.gateway_lists import destinations, sources
from kong_mesh_cp.core.policy.spec_parts.shapes import (
    CLIENTS,
    PROXIES,
    Entries,
    client_warnings,
    top,
)
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.schema.record_terms import ABSENT_LIST, Duration, Int32, IntOrText
from kong_mesh_cp.core.schema.value_checks import bandwidth, not_negative, percentage, status_code
from kong_mesh_cp.core.schema.violations import FieldPath, Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class Abort:
    """A share of the requests is answered with an error status."""

    GO_NAME: ClassVar[str] = "AbortConf"

    # Both members are required by the schema, and reported by it before this module is asked.
    http_status: Int32
    percentage: IntOrText


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """A share of the requests is held back before it goes on."""

    GO_NAME: ClassVar[str] = "DelayConf"

    value: Duration
    percentage: IntOrText


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseBandwidth:
    """A share of the responses is sent no faster than `limit`."""

    GO_NAME: ClassVar[str] = "ResponseBandwidthConf"

    # Text as `50 Mbps`, with a unit: see `bandwidth`.
    limit: str
    percentage: IntOrText


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Faults that are injected together."""

    abort: Abort | None = None
    delay: Delay | None = None
    response_bandwidth: ResponseBandwidth | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """The faults of HTTP traffic."""

    # A list, as Envoy has one HTTP filter for each fault; they are tried in this order.
    http: tuple[Fault, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshFaultInjection:
    """The spec of a MeshFaultInjection."""

    target_ref: TargetRef | None = None
    to: Entries[Conf] = ABSENT_LIST
    from_: Entries[Conf] = ABSENT_LIST


def _violations(spec: MeshFaultInjection) -> Iterator[Violation]:
    # Faults are injected on the inbound side of a sidecar (`from`), or on the listener of a gateway
    # (`to`), never on the outbound side of a sidecar: the client would test itself.
    yield from top(spec, (*PROXIES, "Dataplane"), inbound=bool(spec.from_))
    yield from sources(spec, spec.from_, CLIENTS, _conf)
    yield from destinations(spec, spec.to, _conf)


def _conf(conf: Conf, at: FieldPath) -> Iterator[Violation]:
    for index, fault in enumerate(conf.http or ()):
        yield from _fault(fault, at.field("http"), index)


def _fault(fault: Fault, at: FieldPath, index: int) -> Iterator[Violation]:
    # The original puts the index behind the fault's name, not behind `http`.
    if fault.abort is not None:
        fault_at = at.field("abort").index(index)
        # Envoy refuses a listener whose abort has a status outside of this range, and with it all
        # of the proxy's configuration; hence the check of a write.
        yield from status_code(fault.abort.http_status, fault_at.field("httpStatus"))
        yield from percentage(fault.abort.percentage, fault_at.field("percentage"))
    if fault.delay is not None:
        fault_at = at.field("delay").index(index)
        yield from not_negative(fault.delay.value, fault_at.field("value"))
        yield from percentage(fault.delay.percentage, fault_at.field("percentage"))
    if fault.response_bandwidth is not None:
        fault_at = at.field("responseBandwidth").index(index)
        # The field repeats its parent's name because Kuma's validator does; users search for this
        # text.
        yield from bandwidth(fault.response_bandwidth.limit, fault_at.field("responseBandwidth"))
        yield from percentage(fault.response_bandwidth.percentage, fault_at.field("percentage"))


KIND: Final = policy_kind(
    "MeshFaultInjection", MeshFaultInjection, Conf, _violations, client_warnings
)
