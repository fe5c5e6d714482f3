"""MeshTimeout: how long proxies wait, for connections, requests and silence."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.policy_kind import policy_kind
from kong_mesh_cp.core.policy.spec_parts.shapes import (
    AT_GATEWAY,
    DESTINATIONS,
    PROXIES,
    WHOLE_MESH_ONLY,
    Entries,
    Rules,
    entries,
    inbound_warnings,
    must_be_empty,
    rules,
    rules_or_lists,
    top,
    top_ref,
)
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.schema.record_terms import ABSENT_LIST, Duration
from kong_mesh_cp.core.schema.value_checks import not_negative, positive
from kong_mesh_cp.core.schema.violations import FieldPath, Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """Timeouts of HTTP requests and of the connections that carry them."""

    # Zero is "no timeout", and so not the same as an absent one, which keeps what other policies
    # say.
    request_timeout: Duration | None = None
    stream_idle_timeout: Duration | None = None
    max_stream_duration: Duration | None = None
    max_connection_duration: Duration | None = None
    request_headers_timeout: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """The timeouts of one direction of traffic."""

    # The one timeout that may not be zero: Envoy refuses a cluster whose connect timeout is none.
    connection_timeout: Duration | None = None
    idle_timeout: Duration | None = None
    http: Http | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshTimeout:
    """The spec of a MeshTimeout."""

    target_ref: TargetRef | None = None
    to: Entries[Conf] = ABSENT_LIST
    from_: Entries[Conf] = ABSENT_LIST
    rules: Rules[Conf] = ABSENT_LIST


NOT_PER_ROUTE: Final = "can't be specified when top-level TargetRef is referencing MeshHTTPRoute"


def _violations(spec: MeshTimeout) -> Iterator[Violation]:
    kind = top_ref(spec).kind
    check = partial(_conf, per_route=kind == "MeshHTTPRoute")
    kinds = (*PROXIES, "MeshHTTPRoute", "Dataplane")
    yield from top(spec, kinds, inbound=bool(spec.from_ or spec.rules))
    yield from rules_or_lists(spec)
    if kind in {"MeshHTTPRoute", "MeshGateway"}:
        yield from must_be_empty(spec.from_, "from")
        yield from entries(spec.to, "to", AT_GATEWAY, check)
    else:
        yield from entries(spec.from_, "from", WHOLE_MESH_ONLY, check)
        yield from entries(spec.to, "to", DESTINATIONS, check)
    yield from rules(spec.rules, check)


def _conf(conf: Conf, at: FieldPath, *, per_route: bool) -> Iterator[Violation]:
    if conf == Conf():
        yield at.violation("at least one timeout should be configured")
        return
    if per_route:
        yield from _not_per_route(conf, at)
    yield from positive(conf.connection_timeout, at.field("connectionTimeout"))
    yield from not_negative(conf.idle_timeout, at.field("idleTimeout"))
    if conf.http is not None:
        yield from _http(conf.http, at.field("http"))


def _not_per_route(conf: Conf, at: FieldPath) -> Iterator[Violation]:
    http = conf.http or Http()
    # A route is chosen for each request, long after its connection was opened: what belongs to
    # connections cannot depend on it.
    of_connections = {
        at.field("connectionTimeout"): conf.connection_timeout,
        at.field("idleTimeout"): conf.idle_timeout,
        at.field("http").field("maxStreamDuration"): http.max_stream_duration,
        at.field("http").field("maxConnectionDuration"): http.max_connection_duration,
    }
    for where, value in of_connections.items():
        if value is not None:
            yield where.violation(NOT_PER_ROUTE)


def _http(http: Http, at: FieldPath) -> Iterator[Violation]:
    # A timeout of the headers alone does not count.
    if http == Http(request_headers_timeout=http.request_headers_timeout):
        yield at.violation("at least one timeout in this section should be configured")
    yield from not_negative(http.request_timeout, at.field("requestTimeout"))
    yield from not_negative(http.stream_idle_timeout, at.field("streamIdleTimeout"))
    yield from not_negative(http.max_stream_duration, at.field("maxStreamDuration"))
    yield from not_negative(http.max_connection_duration, at.field("maxConnectionDuration"))
    yield from not_negative(http.request_headers_timeout, at.field("requestHeadersTimeout"))


KIND: Final = policy_kind("MeshTimeout", MeshTimeout, Conf, _violations, inbound_warnings)
