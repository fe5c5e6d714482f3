"""Timeout: how long connections, requests and streams may take."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.legacy.connections import (
    HAS_TO_BE_DEFINED,
    POSITIVE,
    connection_violations,
    not_zero,
)
from kong_mesh_cp.core.resources.tags import Selector
from kong_mesh_cp.core.schema.messages import Duration, Message, proto
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

_NOTHING_IN_SECTION: Final = "at least one timeout in section has to be defined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcp(Message):
    """Timeouts of TCP connections."""

    idle_timeout: Duration | None = proto(number=1, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Http(Message):
    """Timeouts of HTTP requests and of the connections that carry them."""

    request_timeout: Duration | None = proto(number=1, original=True)
    idle_timeout: Duration | None = proto(number=2, original=True)
    stream_idle_timeout: Duration | None = proto(number=3, original=True)
    max_stream_duration: Duration | None = proto(number=4, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grpc(Message):
    """Timeouts of gRPC streams."""

    stream_idle_timeout: Duration | None = proto(number=1, original=True)
    max_stream_duration: Duration | None = proto(number=2, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf(Message):
    """Timeouts by protocol."""

    connect_timeout: Duration | None = proto(number=1, original=True)
    tcp: Tcp | None = proto(number=2)
    http: Http | None = proto(number=3)
    grpc: Grpc | None = proto(number=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout(Message):
    """The spec of a Timeout."""

    sources: tuple[Selector, ...] = proto((), number=1)
    destinations: tuple[Selector, ...] = proto((), number=2)
    conf: Conf | None = proto(number=3)


def violations(policy: Timeout) -> list[Violation]:
    """Everything that is wrong with a Timeout."""
    found = connection_violations(policy.sources, policy.destinations)
    path = root("conf")
    if policy.conf is None:
        return [*found, path.violation(HAS_TO_BE_DEFINED)]
    # `connectTimeout` is not checked: absent and zero are both Kuma's default of 5 s.
    if policy.conf.tcp is not None:
        found += _tcp(policy.conf.tcp, path.field("tcp"))
    if policy.conf.http is not None:
        found += _http(policy.conf.http, path.field("http"))
    if policy.conf.grpc is not None:
        found += _grpc(policy.conf.grpc, path.field("grpc"))
    return found


def _tcp(tcp: Tcp, path: FieldPath) -> list[Violation]:
    if tcp.idle_timeout is None:
        return [path.violation(_NOTHING_IN_SECTION)]
    return [] if tcp.idle_timeout else [path.field("idleTimeout").violation(POSITIVE)]


def _http(http: Http, path: FieldPath) -> list[Violation]:
    # One of the older two has to be there; the others are not looked at.
    if http.request_timeout is None and http.idle_timeout is None:
        return [path.violation(_NOTHING_IN_SECTION)]
    return [
        *not_zero(path.field("requestTimeout"), http.request_timeout),
        *not_zero(path.field("idleTimeout"), http.idle_timeout),
    ]


def _grpc(grpc: Grpc, path: FieldPath) -> list[Violation]:
    if grpc == Grpc():
        return [path.violation(_NOTHING_IN_SECTION)]
    return [
        *not_zero(path.field("streamIdleTimeout"), grpc.stream_idle_timeout),
        *not_zero(path.field("maxStreamDuration"), grpc.max_stream_duration),
    ]


KIND: Final[Kind[Timeout]] = proto_kind("Timeout", Timeout, violations)
