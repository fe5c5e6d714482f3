"""What MeshRateLimit does to a proxy.

Source: docs/wire/envoy-policies.md#rate-limits
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kong_mesh_cp.core.policy.kinds.mesh_rate_limit import (
    Conf,
    Local,
    LocalHttp,
    LocalTcp,
    OnRateLimit,
    Rate,
)
from kong_mesh_cp.core.policy.spec_parts.http_fields import HeaderChanges
from kong_mesh_cp.core.policy.typed_confs import InboundConfs, TypedConf
from kong_mesh_cp.core.xds.effects import Effect, InboundFacts
from kong_mesh_cp.core.xds.envoy.envoy_messages import (
    HttpRateLimit,
    Message,
    NetworkRateLimit,
    duration,
    packed,
)
from kong_mesh_cp.core.xds.envoy.http import header_option
from kong_mesh_cp.core.xds.envoy.listeners import (
    HTTP_RATE_LIMIT,
    NETWORK_RATE_LIMIT,
    ChainDraft,
    ListenerDraft,
)
from kong_mesh_cp.core.xds.gateways.gateway_draft import GatewayDraft
from kong_mesh_cp.core.xds.gateways.listener_confs import routes_of, told_listeners
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError

POLICY_TYPE: Final = "MeshRateLimit"
HTTP_STATISTIC: Final = "rate_limit"
TCP_STATISTIC: Final = "tcp_rate_limit"
_ALWAYS: Final = {"numerator": 100}  # per cent


def _inbound_listener(draft: ListenerDraft, facts: InboundFacts, confs: InboundConfs) -> None:
    if confs.rules is None or facts.older_rate_limit:
        return
    conf = confs.rules.of_kind(Conf)
    local = conf.local or Local()
    for chain in draft.chains:
        if local.http is not None and chain.http is not None:
            limit_requests(chain, local.http)
        if local.tcp is not None:
            limit_connections(chain, local.tcp)


def _gateway(draft: GatewayDraft, view: ProxyView, matched: Matched) -> None:
    for planned, listener, confs in told_listeners(draft, matched.of_type(POLICY_TYPE), view):
        of_all = confs.of_all
        tcp = _local(of_all.conf).tcp
        if tcp is not None:
            for chain in listener.chains:
                limit_connections(chain, tcp)
        common = _limit(_local(of_all.conf).http)
        by_route = {name: _limit(_local(conf).http) for name, conf in of_all.routes}
        for route in routes_of(draft, planned):
            limit = by_route.get(route.name) or common
            # One of the older generation counts.
            if limit is not None and HTTP_RATE_LIMIT not in route.typed_per_filter_config:
                route.typed_per_filter_config[HTTP_RATE_LIMIT].CopyFrom(limit)


def _local(conf: TypedConf | None) -> Local:
    return Local() if conf is None else conf.of_kind(Conf).local or Local()


def _limit(conf: LocalHttp | None) -> Message | None:
    """As routes have it; None: there is none."""
    if conf is None or conf.disabled or conf.request_rate is None:
        return None
    return packed(_requests(conf.request_rate, conf.on_rate_limit or OnRateLimit()))


def limit_requests(chain: ChainDraft, conf: LocalHttp) -> None:
    """All requests of `chain` share the limit, whatever their route."""
    made = _limit(conf)
    if made is None or chain.http is None:
        return
    for host in chain.http.route_config.virtual_hosts:
        for route in host.routes:
            route.typed_per_filter_config[HTTP_RATE_LIMIT].CopyFrom(made)
    chain.http_filters.append((HTTP_RATE_LIMIT, HttpRateLimit(stat_prefix=HTTP_STATISTIC)))


def limit_connections(chain: ChainDraft, conf: LocalTcp) -> None:
    """Connections are counted before anything else is done with them."""
    if conf.disabled or conf.connection_rate is None:
        return
    limit = NetworkRateLimit(stat_prefix=TCP_STATISTIC, token_bucket=_bucket(conf.connection_rate))
    chain.filters.insert(0, (NETWORK_RATE_LIMIT, limit))


def _requests(rate: Rate, answer: OnRateLimit) -> Message:
    limit: Message = HttpRateLimit(
        stat_prefix=HTTP_STATISTIC,
        token_bucket=_bucket(rate),
        filter_enabled={"default_value": _ALWAYS, "runtime_key": "local_rate_limit_enabled"},
        filter_enforced={"default_value": _ALWAYS, "runtime_key": "local_rate_limit_enforced"},
        response_headers_to_add=_headers(answer.headers or HeaderChanges()),
    )
    if answer.status:
        known = limit.status.DESCRIPTOR.fields_by_name["code"].enum_type.values_by_number
        if answer.status not in known:  # Envoy refuses it, and the listener with it
            raise UnmakeableError(
                f"onRateLimit of a {POLICY_TYPE} has the status {answer.status}, which Envoy does "
                "not know"
            )
        limit.status.code = answer.status
    return limit


def _bucket(rate: Rate) -> dict[str, object]:
    return {
        "max_tokens": rate.num,
        "tokens_per_fill": {"value": rate.num},
        "fill_interval": duration(rate.interval),
    }


def _headers(changes: HeaderChanges) -> Iterator[dict[str, object]]:
    for header in changes.add or ():
        yield header_option(header.name, header.value, append=True)
    for header in changes.set or ():
        # One for each item of a list, as the original has it; the last one stays.
        for item in header.value.split(","):
            yield header_option(header.name, item, append=False)


EFFECT: Final = Effect(
    policy_type=POLICY_TYPE, inbound_listener=_inbound_listener, gateway=_gateway
)
