"""HTTP connection managers and their routes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.xds.envoy.envoy_messages import HttpConnectionManager, Message, TcpProxy
from kong_mesh_cp.core.xds.names import metric_name

LOOPBACK: Final = (("127.0.0.1", 32), ("::1", 128))

Cidrs = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTerms:
    """What connection managers of one proxy have in common."""

    internal: Cidrs  # addresses that count as internal
    ipv6: bool


def http_manager(
    stats_name: str, terms: HttpTerms, *, forward_client_cert: bool = False, normalize: bool = False
) -> Message:
    manager: Message = HttpConnectionManager(
        stat_prefix=metric_name(stats_name),
        internal_address_config={
            "cidr_ranges": _cidr_ranges(terms.internal or LOOPBACK, ipv6=terms.ipv6)
        },
    )
    if forward_client_cert:
        manager.forward_client_cert_details = HttpConnectionManager.SANITIZE_SET
        manager.set_current_client_cert_details.uri = True
    if normalize:
        manager.normalize_path.value = True
    return manager


def _cidr_ranges(cidrs: Iterable[tuple[str, int]], *, ipv6: bool) -> list[dict[str, object]]:
    return [
        {"address_prefix": prefix, "prefix_len": {"value": length}}
        for prefix, length in cidrs
        if ipv6 or ":" not in prefix
    ]


def tcp_proxy(stats_name: str, *clusters: tuple[str, int]) -> Message:
    """To one cluster, or split by weight among several."""
    proxy: Message = TcpProxy(stat_prefix=metric_name(stats_name))
    if len(clusters) == 1:
        proxy.cluster = clusters[0][0]
    else:
        for name, weight in clusters:
            proxy.weighted_clusters.clusters.add(name=name, weight=weight)
    return proxy


def header_option(name: str, value: str, *, append: bool) -> dict[str, object]:
    """The members of Envoy's HeaderValueOption: beside those of the name, or instead of them."""
    return {
        "header": {"key": name, "value": value},
        "append_action": "APPEND_IF_EXISTS_OR_ADD" if append else "OVERWRITE_IF_EXISTS_OR_ADD",
    }
