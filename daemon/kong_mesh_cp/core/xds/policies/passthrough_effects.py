"""What MeshPassthrough does to a transparent proxy: what may leave that no service stands for.

Source: docs/wire/envoy-passthrough.md#modes
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.policy.kinds.mesh_passthrough import LAYER_7, Conf
from kong_mesh_cp.core.policy.typed_confs import TypedConf
from kong_mesh_cp.core.resources.kinds.dataplane import GatewayType
from kong_mesh_cp.core.xds import names
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.effects import Effect
from kong_mesh_cp.core.xds.envoy.clusters import original_cluster
from kong_mesh_cp.core.xds.envoy.envoy_messages import (
    HttpInspector,
    ListenerFilter,
    Message,
    OriginalDestination,
    TlsInspector,
    packed,
)
from kong_mesh_cp.core.xds.envoy.http import HttpTerms, http_manager, tcp_proxy
from kong_mesh_cp.core.xds.envoy.listeners import (
    HTTP_MANAGER,
    TCP_PROXY,
    TLS_INSPECTOR,
    ChainDraft,
)
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.names import CLUSTER, LISTENER, Origin, way_out
from kong_mesh_cp.core.xds.policies.passthrough_ways import (
    ANY,
    DOMAINS,
    Host,
    Kind,
    Way,
    ways_of,
)
from kong_mesh_cp.core.xds.protocols import GRPC, HTTP2
from kong_mesh_cp.core.xds.proxy_view import ProxyView

POLICY_TYPE: Final = "MeshPassthrough"
NO_MATCH: Final = "no_match"
# Clients and dashboards know the text of the original.
NO_MATCH_TEXT: Final = (
    "This response comes from Kuma Sidecar. No routes matched this domain - "
    "check configuration of your MeshPassthrough policy.\n"
)
ORIGINAL_DESTINATION: Final = "envoy.filters.listener.original_dst"
HTTP_INSPECTOR: Final = "envoy.filters.listener.http_inspector"
# What the inspectors find in plain HTTP; gRPC looks like HTTP/2.
_PLAIN_HTTP: Final = ["http/1.1", "h2c"]


def _whole_proxy(view: ProxyView, matched: Matched, draft: Draft) -> None:
    typed = matched.of_type(POLICY_TYPE).proxy_conf()
    if typed is None:
        return
    gateway = view.networking.gateway
    if gateway is not None and gateway.type is GatewayType.BUILTIN:
        draft.complain(POLICY_TYPE, "policy doesn't support builtin gateway")
        return
    if view.networking.transparent_proxying is None:
        draft.complain(
            POLICY_TYPE, "policy doesn't support proxy running without transparent-proxy"
        )
        return
    conf = typed.of_kind(Conf)
    ours = [names.passthrough(inbound=False, ipv6=each) for each in (False, True)]
    if conf.passthrough_mode == "All":
        draft.origin = Origin.TRANSPARENT
        if not view.world.allows_passthrough:
            for name in ours:
                draft.add(CLUSTER, name, original_cluster)
        return
    for name in ours:
        draft.drop(CLUSTER, name)
    if conf.passthrough_mode == "None" or not conf.append_match:
        return
    ways = draft.parts.made((ways_of, typed), lambda: ways_of(conf))
    for reason in ways.left_out:
        draft.complain(POLICY_TYPE, reason)
    for ipv6, name in enumerate(ours):
        found = ways.of(ipv6=bool(ipv6))
        if not found or name not in draft.made(LISTENER):
            continue
        draft.edit(LISTENER, name, _open, typed, bool(ipv6), view.http_terms)
        for way in found:
            for cluster, protocol in _clusters(way):
                is_http2 = protocol in (HTTP2, GRPC)
                draft.add(CLUSTER, cluster, original_cluster, "", HTTP2 if is_http2 else "")


def _clusters(way: Way) -> list[tuple[str, str]]:
    if way.hosts:
        return [(way_out(way.protocol, each.domain, way.port), way.protocol) for each in way.hosts]
    return [(way_out(_spoken(way), way.value, way.port), way.protocol)]


def _spoken(way: Way) -> str:
    """As names have it: of MySQL it is a connection like others."""
    return "tcp" if way.protocol == "mysql" else way.protocol


def _open(listener: Message, typed: TypedConf, ipv6: bool, terms: HttpTerms) -> None:  # noqa: FBT001
    ways = ways_of(typed.of_kind(Conf))
    del listener.filter_chains[:]
    listener.filter_chains.extend(_chain(way, terms).whole() for way in ways.of(ipv6=ipv6))
    listener.listener_filters.add(
        name=ORIGINAL_DESTINATION, typed_config=packed(OriginalDestination())
    )
    known = {each.name for each in listener.listener_filters}
    for name, config in ((TLS_INSPECTOR, TlsInspector()), (HTTP_INSPECTOR, HttpInspector())):
        if name not in known:
            listener.listener_filters.append(_inspector(name, config, ways.silent_ports))


def _inspector(name: str, config: Message, silent: tuple[int, ...]) -> Message:
    made = ListenerFilter(name=name, typed_config=packed(config))
    ranges = [{"destination_port_range": {"start": port, "end": port + 1}} for port in silent]
    if len(ranges) == 1:
        made.MergeFrom(ListenerFilter(filter_disabled=ranges[0]))
    elif ranges:
        made.MergeFrom(ListenerFilter(filter_disabled={"or_match": {"rules": ranges}}))
    return made


def _chain(way: Way, terms: HttpTerms) -> ChainDraft:
    chain = ChainDraft(way_out(_spoken(way), way.value, way.port))
    is_http = way.protocol in LAYER_7
    chain.match = {"transport_protocol": "tls" if way.protocol == "tls" else "raw_buffer"}
    if way.port:
        chain.match["destination_port"] = {"value": way.port}
    if way.range is not None:
        prefix, length = way.range
        chain.match["prefix_ranges"] = [{"address_prefix": prefix, "prefix_len": {"value": length}}]
    if is_http:
        chain.match["application_protocols"] = _PLAIN_HTTP
        chain.filters.append((HTTP_MANAGER, _manager(chain.name, way, terms)))
        return chain
    if way.kind in DOMAINS and way.value != ANY:
        chain.match["server_names"] = [way.value]
    ((cluster, _),) = _clusters(way)
    chain.filters.append((TCP_PROXY, tcp_proxy(cluster, (cluster, 0))))
    return chain


def _manager(name: str, way: Way, terms: HttpTerms) -> Message:
    manager = http_manager(name, terms)
    manager.route_config.name = name
    hosts = manager.route_config.virtual_hosts
    for host in way.hosts:
        cluster = way_out(way.protocol, host.domain, way.port)
        _host(hosts.add(name=host.domain, domains=_domains(host, way.port)), cluster)
    if not way.hosts:
        ((cluster, _),) = _clusters(way)
        _host(hosts.add(name=way.value, domains=[ANY]), cluster)
    elif all(each.domain != ANY for each in way.hosts):
        other = hosts.add(name=NO_MATCH, domains=[ANY])
        answer = {"status": 503, "body": {"inline_string": NO_MATCH_TEXT}}
        other.routes.add(match={"prefix": "/"}, direct_response=answer)
    return manager


def _host(host: Message, cluster: str) -> None:
    host.routes.add(match={"prefix": "/"}, route={"cluster": cluster})


def _domains(host: Host, port: int) -> list[str]:
    """As clients say it: with the port, or without."""
    if port:
        return [host.domain, f"{host.domain}:{port}"]
    return [host.domain, f"{host.domain}:*"] if host.kind is Kind.DOMAIN else [host.domain]


EFFECT: Final = Effect(policy_type=POLICY_TYPE, whole_proxy=_whole_proxy, origin=Origin.PASSTHROUGH)
