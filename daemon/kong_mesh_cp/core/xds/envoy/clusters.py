"""Clusters while they are made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kong_mesh_cp.core.formats.addresses import is_ip
from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.xds.envoy.endpoints import load_assignment
from kong_mesh_cp.core.xds.envoy.envoy_messages import (
    FROM_ADS,
    Cluster,
    ClusterLoadAssignment,
    HttpProtocolOptions,
    Message,
    duration,
    packed,
)
from kong_mesh_cp.core.xds.envoy.tls import tls_socket
from kong_mesh_cp.core.xds.names import metric_name
from kong_mesh_cp.core.xds.protocols import GRPC, HTTP, HTTP2
from kong_mesh_cp.core.xds.world import Endpoint

CONNECT_TO_ORIGINAL: Final = 5 * SECOND
HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


class ClusterDraft:
    """A Cluster, with its HTTP options and its TLS context in the open until it is whole."""

    def __init__(self, name: str, protocol: str = "") -> None:
        self.name = name
        self.protocol = protocol
        self.message: Message = Cluster(name=name)
        self.tls: Message | None = None  # an UpstreamTlsContext
        self._http: Message | None = None

    @property
    def http(self) -> Message:
        """HttpProtocolOptions, which the cluster has from the first use on."""
        if self._http is None:
            self._http = HttpProtocolOptions()
        return self._http

    def speak(self, protocol: str) -> None:
        """The version of HTTP for `protocol`; none for what is not HTTP."""
        config = self.http.explicit_http_config if protocol in (HTTP, HTTP2, GRPC) else None
        if config is None or config.WhichOneof("protocol_config"):
            return
        if protocol == HTTP:
            config.http_protocol_options.SetInParent()
        else:
            config.http2_protocol_options.SetInParent()

    def with_endpoints_from_ads(self) -> None:
        self.message.type = Cluster.EDS
        self.message.eds_cluster_config.MergeFrom(Cluster.EdsClusterConfig(eds_config=FROM_ADS))

    def with_endpoints(self, endpoints: Iterable[Endpoint], *, ipv6: bool) -> None:
        """Known ones, which are resolved where one has a host name."""
        known = tuple(endpoints)
        if len(known) > 1:
            self.message.lb_policy = Cluster.ROUND_ROBIN
        if all(is_ip(each.address) for each in known):
            self.message.type = Cluster.STATIC
        else:
            self.message.type = Cluster.STRICT_DNS
            self.message.dns_lookup_family = Cluster.AUTO if ipv6 else Cluster.V4_ONLY
        self.message.load_assignment.CopyFrom(load_assignment(self.name, known))

    def with_pipe(self, path: str) -> None:
        """One endpoint, a Unix socket."""
        self.message.type = Cluster.STATIC
        endpoint = {"endpoint": {"address": {"pipe": {"path": path}}}}
        self.message.load_assignment.MergeFrom(
            ClusterLoadAssignment(cluster_name=self.name, endpoints=[{"lb_endpoints": [endpoint]}])
        )

    def to_original(self) -> None:
        """To where the client wanted to connect."""
        self.message.type = Cluster.ORIGINAL_DST
        self.message.lb_policy = Cluster.CLUSTER_PROVIDED

    def connect_from(self, address: str) -> None:
        """From `address`, and any port."""
        source = self.message.upstream_bind_config.source_address
        source.address, source.port_value = address, 0

    def connect_within(self, nanoseconds: int) -> None:
        self.message.connect_timeout.CopyFrom(duration(nanoseconds))

    def name_in_metrics(self) -> None:
        """Where its name cannot stand in metrics as it is."""
        plain = metric_name(self.name)
        if plain != self.name:
            self.message.alt_stat_name = plain

    def whole(self) -> Message:
        if self._http is not None:
            self.message.typed_extension_protocol_options[HTTP_OPTIONS].CopyFrom(packed(self._http))
        if self.tls is not None:
            self.message.transport_socket.CopyFrom(tls_socket(self.tls))
        return self.message


def original_cluster(name: str, source: str = "", protocol: str = "") -> Message:
    """To where connections were meant for, from the address `source` if there is one.

    `protocol` is the kind of HTTP that is spoken; "": it is not said.
    """
    draft = ClusterDraft(name)
    draft.to_original()
    if source:
        draft.connect_from(source)
    draft.connect_within(CONNECT_TO_ORIGINAL)
    draft.name_in_metrics()
    if protocol:
        draft.speak(protocol)
    return draft.whole()
