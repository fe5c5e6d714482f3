"""What older policies make of the HTTP of an inbound: faults, limits and spans.

Source: docs/wire/older-policies.md#inbounds
"""

from __future__ import annotations

import re
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kinds.legacy import fault_injection, rate_limit
from kong_mesh_cp.core.resources.kinds.legacy.fault_injection import FaultInjection
from kong_mesh_cp.core.resources.kinds.legacy.rate_limit import RateLimit
from kong_mesh_cp.core.resources.tags import Selector, Tags
from kong_mesh_cp.core.xds.envoy.envoy_messages import HttpFault, Message, duration
from kong_mesh_cp.core.xds.envoy.listeners import HTTP_FAULT, HTTP_RATE_LIMIT, ChainDraft
from kong_mesh_cp.core.xds.envoy.older_route_messages import (
    by_tags,
    limit_filter,
    limit_route,
    older_route,
)
from kong_mesh_cp.core.xds.envoy.routes import set_share
from kong_mesh_cp.core.xds.envoy.tags_header import TAGS_HEADER, tags_expression
from kong_mesh_cp.core.xds.generators.older.older_policies import (
    OF_INBOUNDS,
    OlderPolicies,
    older_policies,
)
from kong_mesh_cp.core.xds.generators.older.traces import INBOUND, Tracer, trace, tracer_of
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError

_KBPS: Final = {"k": 1, "m": 1_000, "g": 1_000_000}
_BANDWIDTH: Final = re.compile(r"([0-9]{1,18})\s*([kmg])bps", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fault:
    """What one FaultInjection does to the requests whose caller fits."""

    callers: str  # an expression for the tags that requests tell
    conf: fault_injection.Conf


@dataclass(frozen=True, slots=True)
class Limit:
    """How many requests one RateLimit lets through from the callers that fit."""

    callers: str
    http: rate_limit.Http | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OlderInbound:
    """All that holds for one inbound, of values that are a key."""

    faults: tuple[Fault, ...] = ()  # the closest source first, as the limits
    limits: tuple[Limit, ...] = ()
    tracer: Tracer | None = None


NOTHING_OLDER: Final = OlderInbound()


def inbound_policies(view: ProxyView, parts: Parts) -> OlderPolicies | None:
    """None: the mesh has none that would be about an inbound."""
    if not any(map(view.world.of_type, OF_INBOUNDS)):
        return None
    return older_policies(view.world, view.dataplane.spec.tag_sets, OF_INBOUNDS, parts)


def older_inbound(policies: OlderPolicies | None, tags: Tags) -> OlderInbound:
    """Raises: UnmakeableError."""
    if policies is None:
        return NOTHING_OLDER
    return OlderInbound(
        faults=tuple(
            Fault(_callers(each.sources), each.conf or fault_injection.Conf())
            for each in policies.for_inbound(FaultInjection, tags)
        ),
        limits=tuple(
            Limit(_callers(each.sources), None if each.conf is None else each.conf.http)
            for each in policies.for_inbound(RateLimit, tags)
        ),
        tracer=tracer_of(policies.trace),
    )


def _callers(sources: tuple[Selector, ...]) -> str:
    found = [tags_expression(each.match) for each in sources]
    return found[0] if len(found) == 1 else f"({'|'.join(found)})" if found else ""


def apply_older(chain: ChainDraft, older: OlderInbound, service: str, cluster: str) -> None:
    """`chain` has a connection manager with one virtual host, and a route to `cluster` in it."""
    for fault in older.faults:
        chain.http_filters.append((HTTP_FAULT, _fault(fault)))
    if older.limits:
        chain.http_filters.append((HTTP_RATE_LIMIT, limit_filter()))
    manager = chain.http
    assert manager is not None  # noqa: S101 — which callers see to
    if older.tracer is not None:
        trace(manager, older.tracer, service, f"{service}_{INBOUND}")
    (host,) = manager.route_config.virtual_hosts
    limited = [_limited(each, each.http, cluster) for each in older.limits if each.http is not None]
    if limited:
        # What no limit is for goes by the last route.
        rest = list(host.routes)
        del host.routes[:]
        host.routes.extend([*limited, *rest])


def _limited(limit: Limit, http: rate_limit.Http, cluster: str) -> Message:
    route = older_route(None, ((cluster, 0),), 0)
    by_tags(route, TAGS_HEADER, limit.callers)
    limit_route(route, http)
    return route


def _fault(fault: Fault) -> Message:
    made: Message = HttpFault()
    conf = fault.conf
    if conf.delay is not None:
        made.delay.fixed_delay.CopyFrom(duration(conf.delay.value or 0))
        set_share(made.delay.percentage, conf.delay.percentage or 0.0)
    if conf.abort is not None:
        made.abort.http_status = conf.abort.http_status or 0
        set_share(made.abort.percentage, conf.abort.percentage or 0.0)
    if conf.response_bandwidth is not None:
        limit = made.response_rate_limit.fixed_limit
        limit.limit_kbps = _kbps(conf.response_bandwidth.limit or "")
        set_share(made.response_rate_limit.percentage, conf.response_bandwidth.percentage or 0.0)
    made.headers.add(name=TAGS_HEADER, safe_regex_match={"regex": fault.callers})
    return made


def _kbps(limit: str) -> int:
    """The original can read kbps alone, as its units are in other letters than it allows."""
    found = _BANDWIDTH.search(limit)
    kbps = 0 if found is None else int(found[1]) * _KBPS[found[2].lower()]
    if not kbps:  # which Envoy refuses, and the listener with it
        raise UnmakeableError(f"the limit {limit} of a FaultInjection is no bandwidth")
    return kbps
