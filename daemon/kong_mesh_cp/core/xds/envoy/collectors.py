"""Clusters of what stands outside of the mesh and takes what proxies tell: logs, spans, metrics."""

from __future__ import annotations

from typing import Final, NamedTuple

from kong_mesh_cp.core.formats.addresses import PORT_MAX, is_dns_name
from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message, UpstreamTlsContext
from kong_mesh_cp.core.xds.envoy.tls import tls_socket
from kong_mesh_cp.core.xds.protocols import GRPC
from kong_mesh_cp.core.xds.world import Endpoint

CONNECT: Final = 5 * SECOND
GRPC_PORT: Final = 4317  # of OpenTelemetry, where an endpoint says none


class Collector(NamedTuple):
    """Where a collector listens."""

    host: str
    port: int


def collector_at(endpoint: str) -> Collector:
    """`host`, `host:port` or `[address]:port`; a port that is none is 0."""
    if endpoint.startswith("["):
        host, _, rest = endpoint[1:].partition("]")
        parts = [host, *rest.removeprefix(":").split(":", 1)] if rest else [host]
    else:
        parts = endpoint.split(":")
    if len(parts) == 1:
        return Collector(parts[0], GRPC_PORT)
    port = parts[1]
    is_port = port.isascii() and port.isdecimal() and len(port) <= len(str(PORT_MAX))
    return Collector(parts[0], int(port) if is_port and int(port) <= PORT_MAX else 0)


def collector_cluster(
    name: str,
    collector: Collector,
    ipv6: bool,  # noqa: FBT001 — arguments of a part are in their order
    protocol: str = GRPC,
    tls: bool = False,  # noqa: FBT001, FBT002
) -> Message:
    """`protocol`: "" for what is not HTTP/2. `tls` asks for no certificate: nothing says which."""
    draft = ClusterDraft(name)
    draft.with_endpoints([Endpoint(*collector, weight=0)], ipv6=ipv6)
    if tls:
        # The name of a host that is an address cannot be asked for.
        host = collector.host
        context = UpstreamTlsContext(
            allow_renegotiation=True, sni=host if is_dns_name(host) else ""
        )
        found = draft.message.transport_socket_matches.add(
            name=host, transport_socket=tls_socket(context)
        )
        found.match.SetInParent()
    draft.connect_within(CONNECT)
    draft.speak(protocol)
    draft.name_in_metrics()
    return draft.whole()
