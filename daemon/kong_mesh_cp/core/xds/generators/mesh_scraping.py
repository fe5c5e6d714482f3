"""Where Prometheus scrapes a proxy, as the metrics of its Mesh say.

Source: docs/wire/metrics.md#mesh
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.meshes.proxy_metrics import prometheus_conf
from kong_mesh_cp.core.resources.metrics_backend import PrometheusConf, TlsMode
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.envoy.scraping import (
    Scraped,
    kuma_dp_cluster,
    scraped_listener,
)
from kong_mesh_cp.core.xds.names import CLUSTER, LISTENER, METRICS, PROMETHEUS
from kong_mesh_cp.core.xds.proxy_view import LOCALHOST, ProxyView, place_of


def mesh_scraping(view: ProxyView, draft: Draft) -> None:
    # kuma-dp has the metrics from Envoy's admin API.
    if not view.metadata.admin_port:
        return
    try:
        conf = prometheus_conf(view.world.mesh.spec, view.dataplane.spec)
    except ParseError as error:
        draft.complain(PROMETHEUS, error.reason)
        return
    if conf is None:
        return
    address = view.networking.address
    if _is_taken(view, address, conf.port):
        draft.complain(
            PROMETHEUS, f"the proxy has a port {conf.port} already, at which it is to be scraped"
        )
        return
    mode = _mode(view, conf)
    certificate = view.metadata.metrics_certificate if mode is TlsMode.providedTLS else None
    mesh = view.world.name if mode is TlsMode.activeMTLSBackend else ""
    draft.add(CLUSTER, METRICS, kuma_dp_cluster, view.metrics_socket)
    scraped = Scraped(
        address=address,
        port=conf.port,
        path=conf.path,
        cluster=METRICS,
        path_there=f"/{_query(conf)}",
        ipv6=view.metadata.ipv6,
        mesh=mesh,
        certificate=certificate,
    )
    draft.add(LISTENER, PROMETHEUS, scraped_listener, scraped)
    if mesh:
        draft.trusted.add(mesh)


def _mode(view: ProxyView, conf: PrometheusConf) -> TlsMode:
    """What is done, where the mesh has mTLS or has none."""
    if conf.tls is not None:
        mode = conf.tls.mode
    else:
        mode = TlsMode.disabled if conf.skip_mtls else TlsMode.activeMTLSBackend
    if mode is TlsMode.activeMTLSBackend and view.world.authority is None:
        return TlsMode.disabled
    return mode


def _query(conf: PrometheusConf) -> str:
    """What kuma-dp passes on to Envoy: the expression goes as it is said."""
    if conf.envoy is None:
        return ""
    parts = [f"filter={conf.envoy.filter_regex}"] if conf.envoy.filter_regex else []
    if conf.envoy.used_only:
        parts.append("usedonly")
    elif parts:
        parts.append("")
    return f"?{'&'.join(parts)}" if parts else ""


def _is_taken(view: ProxyView, address: str, port: int) -> bool:
    wanted = _ip(address)
    return any(port == each and _overlap(wanted, _ip(text)) for text, each in _places(view))


def _places(view: ProxyView) -> Iterator[tuple[str, int]]:
    networking = view.networking
    for inbound in networking.inbound:
        place = place_of(inbound, networking)
        yield place.address, place.port
        yield place.workload_address, place.workload_port
    for outbound in networking.outbound:
        yield outbound.address or LOCALHOST, outbound.port


_Ip = IPv4Address | IPv6Address | None


def _ip(text: str) -> _Ip:
    try:
        return ip_address(text)
    except ValueError:
        return None  # a host name: all are alike here


def _overlap(one: _Ip, other: _Ip) -> bool:
    if any(each is not None and each.is_unspecified for each in (one, other)):
        return True
    return one == other
