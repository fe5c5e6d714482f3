"""What MeshRetry does to a proxy.

Source: docs/wire/envoy-policies.md#retries
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final

from kong_mesh_cp.core.formats.durations import MILLISECOND
from kong_mesh_cp.core.policy.kinds.mesh_retry import (
    Conf,
    Grpc,
    Http,
    Predicate,
    RateLimitedBackOff,
)
from kong_mesh_cp.core.policy.typed_confs import DestinationConfs, TypedConf
from kong_mesh_cp.core.xds.effects import DefaultsOf, Effect, OutboundFacts
from kong_mesh_cp.core.xds.envoy.envoy_messages import (
    Message,
    OmitHostMetadata,
    PreviousHosts,
    PreviousPriorities,
    RetryPolicy,
    duration,
    packed,
    struct_of,
)
from kong_mesh_cp.core.xds.envoy.listeners import ListenerDraft
from kong_mesh_cp.core.xds.envoy.routes import header_matcher
from kong_mesh_cp.core.xds.gateways.gateway_draft import GatewayDraft
from kong_mesh_cp.core.xds.gateways.listener_confs import tables_of, told_listeners
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.protocols import GRPC, HTTP, TCP
from kong_mesh_cp.core.xds.proxy_view import ProxyView

POLICY_TYPE: Final = "MeshRetry"
HTTP_RETRY_ON: Final = "gateway-error,connect-failure,refused-stream"
GRPC_RETRY_ON: Final = (
    "cancelled,connect-failure,gateway-error,refused-stream,reset,resource-exhausted,unavailable"
)
GRPC_BASE_INTERVAL: Final = 25 * MILLISECOND  # where a back-off names the longest pause only
STATUS_CODES: Final = "retriable-status-codes"

_METHOD: Final = "HttpMethod"
_CONDITIONS: Final = {
    "5xx": "5xx",
    "GatewayError": "gateway-error",
    "Reset": "reset",
    "Retriable4xx": "retriable-4xx",
    "ConnectFailure": "connect-failure",
    "EnvoyRatelimited": "envoy-ratelimited",
    "RefusedStream": "refused-stream",
    "Http3PostConnectFailure": "http3-post-connect-failure",
    "Canceled": "canceled",
    "DeadlineExceeded": "deadline-exceeded",
    "Internal": "internal",
    "ResourceExhausted": "resource-exhausted",
    "Unavailable": "unavailable",
}
_FORMATS: Final = {"Seconds": "SECONDS", "UnixTimestamp": "UNIX_TIMESTAMP"}


def _outbound_listener(draft: ListenerDraft, facts: OutboundFacts, confs: DestinationConfs) -> None:
    attempts = _attempts(confs)
    for chain in draft.chains:
        if facts.protocol == TCP and attempts is not None:
            if chain.tcp is not None:
                chain.tcp.max_connect_attempts.value = attempts
        elif chain.http is not None:
            _routes(chain.http.route_config, facts.protocol, confs)


def _gateway(draft: GatewayDraft, view: ProxyView, matched: Matched) -> None:
    for planned, listener, confs in told_listeners(draft, matched.of_type(POLICY_TYPE), view):
        of_all = confs.of_all
        attempts = _attempts(of_all)
        for chain in listener.chains:
            if chain.tcp is not None and attempts is not None:
                chain.tcp.max_connect_attempts.value = attempts
        for table in tables_of(draft, planned):
            _routes(table, HTTP, of_all)


def _attempts(confs: DestinationConfs) -> int | None:
    """To connect; None: as Envoy does it."""
    conf = _conf(confs.conf)
    return None if conf is None or conf.tcp is None else conf.tcp.max_connect_attempt


def _routes(config: Message, protocol: str, confs: DestinationConfs) -> None:
    common = _policy(_conf(confs.conf), protocol)
    by_route = {name: _policy(_conf(conf), protocol) for name, conf in confs.routes}
    for host in config.virtual_hosts:
        for route in host.routes:
            policy = by_route.get(route.name) or common
            if policy is not None and route.HasField("route"):
                route.route.retry_policy.CopyFrom(policy)


def _policy(conf: Conf | None, protocol: str) -> Message | None:
    """None: requests are not made again."""
    if conf is None:
        return None
    if protocol == HTTP and conf.http is not None:
        return _http(conf.http)
    if protocol == GRPC and conf.grpc is not None:
        return _grpc(conf.grpc)
    return None


def _common(conf: Http | Grpc, retry_on: str) -> Message | None:
    if conf.num_retries == 0:
        return None
    policy: Message = RetryPolicy(retry_on=retry_on)
    if conf.num_retries is not None:
        policy.num_retries.value = conf.num_retries
    if conf.per_try_timeout is not None:
        policy.per_try_timeout.CopyFrom(duration(conf.per_try_timeout))
    if conf.back_off is not None:
        policy.retry_back_off.SetInParent()
        if conf.back_off.base_interval is not None:
            policy.retry_back_off.base_interval.CopyFrom(duration(conf.back_off.base_interval))
        if conf.back_off.max_interval is not None:
            policy.retry_back_off.max_interval.CopyFrom(duration(conf.back_off.max_interval))
    if conf.rate_limited_back_off is not None:
        _rate_limited(policy.rate_limited_retry_back_off, conf.rate_limited_back_off)
    return policy


def _rate_limited(field: Message, conf: RateLimitedBackOff) -> None:
    field.SetInParent()
    for header in conf.reset_headers or ():
        field.reset_headers.add(name=header.name, format=_FORMATS[header.format])
    if conf.max_interval is not None:
        field.max_interval.CopyFrom(duration(conf.max_interval))


def _grpc(conf: Grpc) -> Message | None:
    named = ",".join(_CONDITIONS[each] for each in conf.retry_on or ())
    policy = _common(conf, named or GRPC_RETRY_ON)
    if policy is not None and conf.back_off is not None and conf.back_off.base_interval is None:
        policy.retry_back_off.base_interval.CopyFrom(duration(GRPC_BASE_INTERVAL))
    return policy


def _http(conf: Http) -> Message | None:
    items = conf.retry_on or ()
    codes = [int(each) for each in items if _is_status(each)]
    methods = [each.removeprefix(_METHOD).upper() for each in items if each.startswith(_METHOD)]
    conditions = [_CONDITIONS[each] for each in items if each in _CONDITIONS]
    policy = _common(conf, ",".join(conditions) or HTTP_RETRY_ON)
    if policy is None:
        return None
    if codes:
        policy.retriable_status_codes.extend(codes)
        policy.retry_on += f",{STATUS_CODES}"
    for method in methods:
        policy.retriable_request_headers.add(name=":method", string_match={"exact": method})
    for header in conf.retriable_request_headers or ():
        policy.retriable_request_headers.add(**header_matcher(header))
    for header in conf.retriable_response_headers or ():
        policy.retriable_headers.add(**header_matcher(header))
    _hosts(policy, conf.host_selection or ())
    if conf.host_selection_max_attempts is not None:
        policy.host_selection_retry_max_attempts = conf.host_selection_max_attempts
    return policy


def _hosts(policy: Message, predicates: Iterable[Predicate]) -> None:
    for each in predicates:
        match each.predicate:
            case "OmitPreviousHosts":
                policy.retry_host_predicate.add(
                    name="envoy.retry_host_predicates.previous_hosts",
                    typed_config=packed(PreviousHosts()),
                )
            case "OmitHostsWithTags":
                config: Message = OmitHostMetadata()
                if each.tags:
                    metadata = config.metadata_match.filter_metadata["envoy.lb"]
                    metadata.CopyFrom(struct_of(sorted(each.tags.items())))
                policy.retry_host_predicate.add(
                    name="envoy.retry_host_predicates.omit_host_metadata",
                    typed_config=packed(config),
                )
            case _:
                policy.retry_priority.name = "envoy.retry_priorities.previous_priorities"
                priorities = PreviousPriorities(update_frequency=each.update_frequency)
                policy.retry_priority.typed_config.CopyFrom(packed(priorities))


def _is_status(item: str) -> bool:
    return item.isascii() and item.isdigit() and int(item) in _STATUSES


_STATUSES: Final = frozenset(int(each) for each in HTTPStatus)


def _conf(conf: TypedConf | None) -> Conf | None:
    return None if conf is None else conf.of_kind(Conf)


def _defaults(of: DefaultsOf) -> Mapping[str, object]:
    if of.is_inbound or of.protocol not in (HTTP, GRPC) or of.protocol in (of.conf or {}):
        return {}
    return {f"{of.protocol}.numRetries": 0}


EFFECT: Final = Effect(
    policy_type=POLICY_TYPE,
    outbound_listener=_outbound_listener,
    gateway=_gateway,
    defaults=_defaults,
)
