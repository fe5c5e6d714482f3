"""The listeners of a gateway: their filter chains, and how TLS ends in these.

Source: docs/wire/gateways.md#chains
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.durations import MILLISECOND, SECOND
from kong_mesh_cp.core.resources.kinds.mesh_gateway import Protocol, TlsMode
from kong_mesh_cp.core.xds.envoy.envoy_messages import (
    FROM_ADS,
    Compressor,
    Gzip,
    HttpConnectionManager,
    duration,
    packed,
)
from kong_mesh_cp.core.xds.envoy.http import HttpTerms, http_manager, tcp_proxy
from kong_mesh_cp.core.xds.envoy.listeners import (
    HTTP_MANAGER,
    HTTP_RATE_LIMIT,
    TCP_PROXY,
    ChainDraft,
    ListenerDraft,
)
from kong_mesh_cp.core.xds.envoy.older_route_messages import limit_filter
from kong_mesh_cp.core.xds.envoy.tls import MESH_PROTOCOL, downstream_tls_of_all, edge_tls
from kong_mesh_cp.core.xds.facts.logged_traffic import LoggedTraffic
from kong_mesh_cp.core.xds.gateways.gateway_plan import (
    ANY_HOST,
    GatewayHost,
    GatewayListener,
    ListenerHostname,
)
from kong_mesh_cp.core.xds.generators.older.logs import LogTarget, log_chain
from kong_mesh_cp.core.xds.generators.older.traces import Tracer, trace
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError

CONNECTION_BUFFER: Final = 32 * 1024  # bytes; of connections from outside and to services
STREAMS_MAX: Final = 100  # of one connection
STREAM_WINDOW: Final = 64 * 1024  # bytes
CONNECTION_WINDOW: Final = 1024 * 1024  # bytes
REQUEST_HEADERS_WITHIN: Final = 500 * MILLISECOND
STREAM_IDLE: Final = 5 * SECOND
IDLE: Final = 300 * SECOND
SERVER_NAME: Final = "Kuma Gateway"
GZIP: Final = "gzip-compress"
HTTP_OVER_TLS: Final = ("h2", "http/1.1")  # in ALPN


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeTerms:
    """What all listeners of one gateway have in common."""

    mesh: str
    service: str  # that the proxy is called after
    address: str
    http: HttpTerms
    has_mtls: bool
    log: LogTarget | None = None  # as a TrafficLog says
    logged: LoggedTraffic | None = None  # with `log`
    tracer: Tracer | None = None  # as a TrafficTrace says


def edge_listener(planned: GatewayListener, terms: EdgeTerms) -> ListenerDraft:
    """Without chains."""
    draft = ListenerDraft(planned.name, terms.address, planned.port, inbound=True)
    draft.message.enable_reuse_port.value = True  # connections are spread over all threads
    draft.message.per_connection_buffer_limit_bytes.value = CONNECTION_BUFFER
    draft.inspect_tls()
    return draft


def chained_hostnames(planned: GatewayListener) -> tuple[ListenerHostname, ...]:
    """Those that have a chain each."""
    # Who comes from another mesh says in TLS which service it wants, not which host.
    if planned.is_cross_mesh:
        return planned.hostnames[:1]
    # Without TLS nobody says beforehand which host is meant.
    if planned.hostnames and planned.protocol in (Protocol.HTTP, Protocol.TCP):
        return (replace(planned.hostnames[0], hosts=tuple(planned.hosts)),)
    return planned.hostnames


def edge_chain(
    planned: GatewayListener,
    hostname: ListenerHostname,
    certificates: Iterable[str],
    terms: EdgeTerms,
) -> ChainDraft:
    """`certificates` are the names of the secrets of its own. Raises: UnmakeableError."""
    if planned.is_http:
        chain = _http_chain(planned.table(hostname.hostname), terms)
    else:
        chain = _tcp_chain(hostname.hosts, terms)
    if planned.is_cross_mesh:
        _end_mesh_tls(chain, terms)
    elif planned.protocol in (Protocol.HTTPS, Protocol.TLS):
        protocols = HTTP_OVER_TLS if planned.is_http else ()
        _end_tls(chain, hostname, certificates, protocols)
    return chain


def _http_chain(table: str, terms: EdgeTerms) -> ChainDraft:
    chain = ChainDraft()
    manager = http_manager(terms.service, terms.http, normalize=True)
    manager.server_name = SERVER_NAME
    # As Envoy's own advice for proxies at the edge has it.
    manager.merge_slashes = True
    manager.path_with_escaped_slashes_action = HttpConnectionManager.UNESCAPE_AND_REDIRECT
    manager.use_remote_address.value = True
    manager.request_headers_timeout.CopyFrom(duration(REQUEST_HEADERS_WITHIN))
    manager.stream_idle_timeout.CopyFrom(duration(STREAM_IDLE))
    common = manager.common_http_protocol_options
    common.idle_timeout.CopyFrom(duration(IDLE))
    common.headers_with_underscores_action = common.REJECT_REQUEST
    http2 = manager.http2_protocol_options
    http2.max_concurrent_streams.value = STREAMS_MAX
    http2.initial_stream_window_size.value = STREAM_WINDOW
    http2.initial_connection_window_size.value = CONNECTION_WINDOW
    http2.allow_connect = True
    manager.rds.MergeFrom(type(manager.rds)(config_source=FROM_ADS, route_config_name=table))
    chain.filters.append((HTTP_MANAGER, manager))
    chain.http_filters.append((HTTP_RATE_LIMIT, limit_filter()))  # it lets all pass, of itself
    compressor = Compressor(
        compressor_library={"name": "gzip", "typed_config": packed(Gzip())},
        response_direction_config={"disable_on_etag_header": True},
    )
    chain.http_filters.append((GZIP, compressor))
    if terms.tracer is not None:
        trace(manager, terms.tracer, terms.service, terms.service)
        manager.tracing.spawn_upstream_span.value = True
    _log(chain, terms)
    return chain


def _tcp_chain(hosts: Iterable[GatewayHost], terms: EdgeTerms) -> ChainDraft:
    chain = ChainDraft()
    shares = sorted(_shares(hosts), key=lambda share: share[0])
    if not shares:
        return chain  # connections end here
    chain.filters.append((TCP_PROXY, tcp_proxy(terms.service, *shares)))
    _log(chain, terms)
    return chain


def _shares(hosts: Iterable[GatewayHost]) -> Iterator[tuple[str, int]]:
    for host in hosts:
        for route in host.routes:
            yield from ((each.cluster, each.weight) for each in route.leads_to)


def _log(chain: ChainDraft, terms: EdgeTerms) -> None:
    if terms.log is not None and terms.logged is not None:
        log_chain(chain, terms.log, terms.logged)


def _end_mesh_tls(chain: ChainDraft, terms: EdgeTerms) -> None:
    if not terms.has_mtls:
        raise UnmakeableError("a listener for other meshes needs mTLS of its own mesh")
    chain.match = {"transport_protocol": "tls", "application_protocols": [MESH_PROTOCOL]}
    chain.tls = downstream_tls_of_all(terms.mesh)


def _end_tls(
    chain: ChainDraft,
    hostname: ListenerHostname,
    certificates: Iterable[str],
    protocols: tuple[str, ...],
) -> None:
    chain.match = {"transport_protocol": "tls"}
    if hostname.hostname != ANY_HOST:
        chain.match["server_names"] = [hostname.hostname]
    mode = TlsMode.NONE if hostname.tls is None else hostname.tls.mode
    if mode is TlsMode.PASSTHROUGH:
        return
    names = [*certificates]
    if mode is not TlsMode.TERMINATE or not names:
        raise UnmakeableError(f"there is no certificate for {hostname.hostname}")
    chain.tls = edge_tls(names, protocols)
