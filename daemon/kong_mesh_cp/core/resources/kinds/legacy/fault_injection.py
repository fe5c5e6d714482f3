"""FaultInjection: delays, errors and slow answers on purpose."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.legacy.connections import (
    ANY_TAG,
    CANNOT_BE_EMPTY,
    connection_violations,
    percentage_violations,
)
from kong_mesh_cp.core.resources.tags import PROTOCOL, Selector, TagRules, Tags
from kong_mesh_cp.core.schema.messages import Duration, Message, Uint32, proto
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

PROTOCOLS: Final = ("http", "http2", "grpc")

# Looked for anywhere in the text: Kuma's expression is not anchored.
_BANDWIDTH: Final = re.compile(r"[gmk]bps")
_STATUSES: Final = frozenset(each.value for each in HTTPStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay(Message):
    """A share of the requests is held back before it goes on."""

    percentage: float | None = proto(number=1)
    value: Duration | None = proto(number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Abort(Message):
    """A share of the requests is answered with an error status."""

    percentage: float | None = proto(number=1)
    http_status: Uint32 | None = proto(number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseBandwidth(Message):
    """A share of the responses is sent no faster than `limit`."""

    percentage: float | None = proto(number=1)
    limit: str | None = proto(number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf(Message):
    """Faults that are injected together."""

    delay: Delay | None = proto(number=1)
    abort: Abort | None = proto(number=2)
    response_bandwidth: ResponseBandwidth | None = proto(number=3, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultInjection(Message):
    """The spec of a FaultInjection."""

    sources: tuple[Selector, ...] = proto((), number=1)
    destinations: tuple[Selector, ...] = proto((), number=2)
    conf: Conf | None = proto(number=3)


def violations(policy: FaultInjection) -> list[Violation]:
    """Everything that is wrong with a FaultInjection."""
    found = connection_violations(
        policy.sources,
        policy.destinations,
        source_rules=ANY_TAG,
        # Faults are injected by an HTTP filter, so the destination has to say that it speaks HTTP.
        destination_rules=TagRules(at_least_one=True, check=_http),
    )
    return found + _conf(policy.conf or Conf(), root("conf"))


def _http(path: FieldPath, tags: Tags) -> list[Violation]:
    protocol = tags.get(PROTOCOL)
    if protocol is None:
        return [path.violation("protocol must be specified")]
    if protocol in PROTOCOLS:
        return []
    reason = f"must be one of the [{', '.join(PROTOCOLS)}]"
    return [path.key(PROTOCOL).violation(reason)]


def _conf(conf: Conf, path: FieldPath) -> list[Violation]:
    # A section without anything in it is no fault.
    # proto3 cannot tell an empty message from one with zero values; Kuma compares with the zero
    # message.
    delay = conf.delay if conf.delay != Delay() else None
    abort = conf.abort if conf.abort != Abort() else None
    bandwidth = conf.response_bandwidth
    if bandwidth == ResponseBandwidth():
        bandwidth = None
    if delay is None and abort is None and bandwidth is None:
        return [path.violation("must have at least one of the faults configured")]
    found: list[Violation] = []
    if delay is not None:
        found += _delay(delay, path.field("delay"))
    if abort is not None:
        found += _abort(abort, path.field("abort"))
    if bandwidth is not None:
        found += _response_bandwidth(bandwidth, path.field("responseBandwidth"))
    return found


def _delay(delay: Delay, path: FieldPath) -> list[Violation]:
    found = percentage_violations(path, delay.percentage)
    if delay.value is None:
        found.append(path.field("value").violation(CANNOT_BE_EMPTY))
    return found


def _abort(abort: Abort, path: FieldPath) -> list[Violation]:
    found = percentage_violations(path, abort.percentage)
    at = path.field("httpStatus")
    if abort.http_status is None:
        found.append(at.violation(CANNOT_BE_EMPTY))
    # By the list of known statuses, other than MeshFaultInjection, which takes a range.
    elif abort.http_status not in _STATUSES:
        found.append(at.violation("http status code is incorrect"))
    return found


def _response_bandwidth(bandwidth: ResponseBandwidth, path: FieldPath) -> list[Violation]:
    found = percentage_violations(path, bandwidth.percentage)
    at = path.field("limit")
    if bandwidth.limit is None:
        found.append(at.violation(CANNOT_BE_EMPTY))
    elif not _BANDWIDTH.search(bandwidth.limit):
        found.append(at.violation("has to be in kbps/mbps/gbps units"))
    return found


KIND: Final[Kind[FaultInjection]] = proto_kind("FaultInjection", FaultInjection, violations)
