"""What MeshTimeout does to a proxy.

Source: docs/wire/envoy-policies.md#timeouts
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from kong_mesh_cp.core.formats.durations import (
    HOUR,
    MILLISECOND,
    MINUTE,
    SECOND,
    format_duration,
)
from kong_mesh_cp.core.policy.kinds.mesh_timeout import Conf, Http
from kong_mesh_cp.core.policy.typed_confs import DestinationConfs, InboundConfs, TypedConf
from kong_mesh_cp.core.xds.effects import DefaultsOf, Effect, InboundFacts, OutboundFacts
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message, duration
from kong_mesh_cp.core.xds.envoy.listeners import ListenerDraft
from kong_mesh_cp.core.xds.gateways.gateway_draft import GatewayDraft
from kong_mesh_cp.core.xds.gateways.listener_confs import (
    confs_at,
    led_to,
    place_at,
    resources_led_to,
    routes_of,
)
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.protocols import HTTP, HTTP2, HTTP_LIKE, NOT_CARRIED
from kong_mesh_cp.core.xds.proxy_view import ProxyView

CONNECT: Final = 5 * SECOND
IDLE: Final = HOUR
STREAM_IDLE: Final = 30 * MINUTE
REQUEST: Final = 15 * SECOND
NO_LIMIT: Final = 0
# Of who comes from outside less is expected.
EDGE_IDLE: Final = 5 * MINUTE
EDGE_STREAM_IDLE: Final = 5 * SECOND
EDGE_REQUEST_HEADERS: Final = 500 * MILLISECOND

POLICY_TYPE: Final = "MeshTimeout"

_NOTHING_SAID: Final = Conf()


def _inbound_listener(draft: ListenerDraft, facts: InboundFacts, confs: InboundConfs) -> None:
    _listener(draft, facts.protocol, _conf(confs.rules))


def _inbound_cluster(draft: ClusterDraft, facts: InboundFacts, confs: InboundConfs) -> None:
    _cluster(draft, facts.protocol, _conf(confs.rules))


def _outbound_listener(draft: ListenerDraft, facts: OutboundFacts, confs: DestinationConfs) -> None:
    if facts.protocol in NOT_CARRIED:
        return
    if facts.is_resource:
        _listener(draft, facts.protocol, _conf(confs.conf))
        return
    # A service by its tag has no defaults: what no policy is about stays as it was made.
    for chain in draft.chains:
        if chain.http is not None and facts.protocol in HTTP_LIKE:
            _service_http(chain.http, confs)
        elif chain.tcp is not None and facts.protocol not in HTTP_LIKE and confs.conf is not None:
            _set(chain.tcp.idle_timeout, _conf(confs.conf).idle_timeout, IDLE)


def _outbound_cluster(draft: ClusterDraft, facts: OutboundFacts, confs: DestinationConfs) -> None:
    _cluster(draft, facts.protocol, _conf(confs.conf))


def _listener(draft: ListenerDraft, protocol: str, conf: Conf) -> None:
    http = conf.http or Http()
    for chain in draft.chains:
        if chain.http is not None and protocol in HTTP_LIKE:
            _routes(chain.http, lambda _: http)
            _set(chain.http.request_headers_timeout, http.request_headers_timeout, NO_LIMIT)
            _idle_elsewhere(chain.http)
        elif chain.tcp is not None and protocol not in HTTP_LIKE:
            _set(chain.tcp.idle_timeout, conf.idle_timeout, IDLE)


def _service_http(manager: Message, confs: DestinationConfs) -> None:
    def of_route(name: str) -> Http | None:
        conf = confs.of_route(name)
        return None if conf is None else _conf(conf).http or Http()

    _routes(manager, of_route)
    if confs.conf is not None:
        http = _conf(confs.conf).http or Http()
        _set(manager.request_headers_timeout, http.request_headers_timeout, NO_LIMIT)
    _idle_elsewhere(manager)


def _idle_elsewhere(manager: Message) -> None:
    # Idle connections are closed by the cluster, where the timeout can differ by destination.
    manager.common_http_protocol_options.idle_timeout.CopyFrom(duration(NO_LIMIT))


def _routes(manager: Message, conf_of_route: Callable[[str], Http | None]) -> None:
    for host in manager.route_config.virtual_hosts:
        for route in host.routes:
            http = conf_of_route(route.name)
            if http is not None and route.HasField("route"):
                _route(route.route, http)


def _route(action: Message, http: Http) -> None:
    _set(action.timeout, http.request_timeout, REQUEST)
    if http.stream_idle_timeout is not None or not action.HasField("idle_timeout"):
        _set(action.idle_timeout, http.stream_idle_timeout, STREAM_IDLE)


def _cluster(draft: ClusterDraft, protocol: str, conf: Conf) -> None:
    http = conf.http or Http()
    _set(draft.message.connect_timeout, conf.connection_timeout, CONNECT)
    if protocol in (HTTP, HTTP2):
        common = draft.http.common_http_protocol_options
        _set(common.idle_timeout, conf.idle_timeout, IDLE)
        _set(common.max_stream_duration, http.max_stream_duration, NO_LIMIT)
        _set(common.max_connection_duration, http.max_connection_duration, NO_LIMIT)


def _gateway(draft: GatewayDraft, view: ProxyView, matched: Matched) -> None:
    timeouts = matched.of_type(POLICY_TYPE)
    for planned in draft.plan.listeners:
        listener = draft.listener(planned)
        if listener is not None:
            _edge(listener, _conf(timeouts.inbound(place_at(view, planned)).rules))
        confs = confs_at(timeouts, view, planned)
        if confs is None:
            continue
        of_all = confs.of_all
        for route in routes_of(draft, planned):
            conf = of_all.of_route(route.name)
            if conf is not None and route.HasField("route"):
                _route(route.route, _conf(conf).http or Http())
        for cluster, destination in led_to(draft, planned.hosts):
            service = destination.service
            _cluster(cluster, view.world.protocol(service), _conf(confs.of_service(service)))
    for cluster, to, protocol in resources_led_to(draft):
        _cluster(cluster, protocol, _conf(timeouts.destination(to).conf))


def _edge(draft: ListenerDraft, conf: Conf) -> None:
    http = conf.http or Http()
    for chain in draft.chains:
        manager = chain.http
        if manager is not None:
            _set(manager.common_http_protocol_options.idle_timeout, conf.idle_timeout, EDGE_IDLE)
            headers = http.request_headers_timeout
            _set(manager.request_headers_timeout, headers, EDGE_REQUEST_HEADERS)
            _set(manager.stream_idle_timeout, http.stream_idle_timeout, EDGE_STREAM_IDLE)
            if http.request_timeout is not None:
                manager.request_timeout.CopyFrom(duration(http.request_timeout))
        if chain.tcp is not None:
            _set(chain.tcp.idle_timeout, conf.idle_timeout, EDGE_IDLE)


def _conf(conf: TypedConf | None) -> Conf:
    return _NOTHING_SAID if conf is None else conf.of_kind(Conf)


def _set(field: Message, said: int | None, default: int) -> None:
    """`field` is there afterwards, also when it is zero, which means that there is no limit."""
    field.CopyFrom(duration(default if said is None else said))


def _defaults(of: DefaultsOf) -> Mapping[str, object]:
    # A service by its tag has those of the listener only once a policy is about it.
    has_listener = of.is_inbound or of.is_resource or of.conf is not None
    found = {"connectionTimeout": CONNECT}
    if of.protocol in (HTTP, HTTP2) or (has_listener and of.protocol not in HTTP_LIKE):
        found["idleTimeout"] = IDLE
    if of.protocol in HTTP_LIKE and has_listener:
        found["http.requestTimeout"] = REQUEST
        found["http.streamIdleTimeout"] = STREAM_IDLE
        found["http.requestHeadersTimeout"] = NO_LIMIT
    if of.protocol in (HTTP, HTTP2):
        found["http.maxStreamDuration"] = NO_LIMIT
        found["http.maxConnectionDuration"] = NO_LIMIT
    return {member: format_duration(value) for member, value in found.items()}


EFFECT: Final = Effect(
    policy_type=POLICY_TYPE,
    inbound_listener=_inbound_listener,
    inbound_cluster=_inbound_cluster,
    outbound_listener=_outbound_listener,
    outbound_cluster=_outbound_cluster,
    gateway=_gateway,
    defaults=_defaults,
)
