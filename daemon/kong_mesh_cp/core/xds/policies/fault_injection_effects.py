"""What MeshFaultInjection does to a proxy.

Source: docs/wire/envoy-policies.md#faults
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kong_mesh_cp.core.policy.kinds.mesh_fault_injection import Conf, Fault
from kong_mesh_cp.core.policy.rules.subsets import Subset
from kong_mesh_cp.core.policy.typed_confs import ClientConf, InboundConfs
from kong_mesh_cp.core.xds.effects import Effect, InboundFacts
from kong_mesh_cp.core.xds.envoy.envoy_messages import HttpFault, Message, duration
from kong_mesh_cp.core.xds.envoy.listeners import HTTP_FAULT, ListenerDraft, Named
from kong_mesh_cp.core.xds.envoy.routes import set_share
from kong_mesh_cp.core.xds.envoy.tags_header import TAGS_HEADER, tags_expression
from kong_mesh_cp.core.xds.gateways.gateway_draft import GatewayDraft
from kong_mesh_cp.core.xds.gateways.listener_confs import told_listeners
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.protocols import HTTP_LIKE
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError, number

POLICY_TYPE: Final = "MeshFaultInjection"

_LIMIT: Final = re.compile(r"([0-9]+)\s?(kbps|Mbps|Gbps)", re.ASCII)
_KBPS: Final = {"kbps": 1, "Mbps": 1000, "Gbps": 1_000_000}


def _inbound_listener(draft: ListenerDraft, facts: InboundFacts, confs: InboundConfs) -> None:
    if facts.protocol not in HTTP_LIKE or facts.older_faults:
        return
    filters = [named for client in confs.clients for named in _filters(client)]
    for chain in draft.chains:
        if chain.http is not None:
            chain.http_filters.extend(filters)


def _gateway(draft: GatewayDraft, view: ProxyView, matched: Matched) -> None:
    for _, listener, confs in told_listeners(draft, matched.of_type(POLICY_TYPE), view):
        filters = [named for client in confs.of_clients for named in _filters(client)]
        for chain in listener.chains:
            if chain.http is not None:
                chain.http_filters.extend(filters)


def _filters(client: ClientConf) -> Iterator[Named]:
    conf = client.conf.of_kind(Conf)
    headers = list(_headers(client.subset))
    for fault in conf.http or ():
        yield HTTP_FAULT, _fault(fault, headers)


def _headers(subset: Subset) -> Iterator[dict[str, object]]:
    """Of the requests of those in `subset`, as their proxies tell their tags."""
    for negated in (False, True):
        tags = {each.key: each.value for each in subset if each.negated is negated}
        if tags:
            matcher: dict[str, object] = {
                "name": TAGS_HEADER,
                "string_match": {"safe_regex": {"regex": tags_expression(tags)}},
            }
            yield {**matcher, "invert_match": True} if negated else matcher


def _fault(fault: Fault, headers: list[dict[str, object]]) -> Message:
    made: Message = HttpFault(headers=headers)
    if fault.delay is not None:
        made.delay.fixed_delay.CopyFrom(duration(fault.delay.value))
        _share(made.delay.percentage, fault.delay.percentage)
    if fault.abort is not None:
        made.abort.http_status = fault.abort.http_status
        _share(made.abort.percentage, fault.abort.percentage)
    if fault.response_bandwidth is not None:
        limit = made.response_rate_limit
        limit.fixed_limit.limit_kbps = _kbps(fault.response_bandwidth.limit)
        _share(limit.percentage, fault.response_bandwidth.percentage)
    return made


def _share(field: Message, percentage: int | str) -> None:
    set_share(field, float(number(percentage, f"a percentage of a {POLICY_TYPE}")))


def _kbps(limit: str) -> int:
    found = _LIMIT.fullmatch(limit)
    kbps = 0 if found is None else int(found[1]) * _KBPS[found[2]]
    if not kbps:  # which Envoy refuses, and the listener with it
        raise UnmakeableError(
            f"a responseBandwidth of a {POLICY_TYPE} has a limit that is no number of kbps, Mbps "
            "or Gbps above 0"
        )
    return kbps


EFFECT: Final = Effect(
    policy_type=POLICY_TYPE, inbound_listener=_inbound_listener, gateway=_gateway
)
