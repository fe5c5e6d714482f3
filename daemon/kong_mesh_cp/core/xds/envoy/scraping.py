"""Listeners that Prometheus scrapes a proxy by, whoever asks for them; kuma-dp answers it.

Source: docs/wire/metrics.md#scraping
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import DownstreamTlsContext, Message
from kong_mesh_cp.core.xds.envoy.http import LOOPBACK, HttpTerms, http_manager
from kong_mesh_cp.core.xds.envoy.listeners import HTTP_MANAGER, ChainDraft, ListenerDraft
from kong_mesh_cp.core.xds.envoy.tls import downstream_tls
from kong_mesh_cp.core.xds.node_metadata import Certificate

CONNECT: Final = 5 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Scraped:
    """Where Prometheus scrapes, and how it is led to kuma-dp.

    Whoever has the mesh's TLS (`mesh`), or any TLS (`certificate`), is served; plain text is taken
    where neither is asked for, else from `plain_for` alone.
    """

    address: str
    port: int
    path: str
    cluster: str
    path_there: str  # at kuma-dp
    ipv6: bool
    mesh: str = ""
    certificate: Certificate | None = None


def kuma_dp_cluster(name: str, pipe: str) -> Message:
    draft = ClusterDraft(name)
    draft.with_pipe(pipe)
    draft.connect_within(CONNECT)
    draft.name_in_metrics()
    return draft.whole()


def scraped_listener(name: str, scraped: Scraped) -> Message:
    draft = ListenerDraft(name, scraped.address, scraped.port, inbound=True)
    chain = _chain(name, scraped)
    draft.chains.append(chain)
    if scraped.certificate is not None:
        chain.match = {"transport_protocol": "tls"}
    elif scraped.mesh:
        # A Prometheus beside the proxy has no certificate of the mesh.
        chain.match = {
            "source_prefix_ranges": [
                {"address_prefix": scraped.address, "prefix_len": {"value": _bits(scraped.address)}}
            ]
        }
    else:
        return draft.whole()
    secured = _chain(name, scraped)
    secured.tls = _tls(scraped)
    draft.chains.append(secured)
    return draft.whole()


def _chain(name: str, scraped: Scraped) -> ChainDraft:
    chain = ChainDraft()
    manager = http_manager(name, HttpTerms(internal=LOOPBACK, ipv6=scraped.ipv6))
    manager.route_config.validate_clusters.value = False
    manager.route_config.virtual_hosts.add(name=name, domains=["*"]).routes.add(
        match={"prefix": scraped.path},
        route={"cluster": scraped.cluster, "prefix_rewrite": scraped.path_there},
    )
    chain.filters.append((HTTP_MANAGER, manager))
    return chain


def _tls(scraped: Scraped) -> Message:
    if scraped.certificate is None:
        return downstream_tls(scraped.mesh)
    chain, key = scraped.certificate
    pair = {"certificate_chain": {"filename": chain}, "private_key": {"filename": key}}
    return DownstreamTlsContext(common_tls_context={"tls_certificates": [pair]})


def _bits(address: str) -> int:
    return 128 if ":" in address else 32
