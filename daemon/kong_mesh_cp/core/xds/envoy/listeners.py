"""Listeners while they are made: chains of filters whose messages are in the open until the end."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.xds.envoy.envoy_messages import (
    FilterChain,
    Listener,
    Message,
    Router,
    SocketAddress,
    TlsInspector,
    joined_bytes,
    packed,
    struct_of,
)
from kong_mesh_cp.core.xds.envoy.tls import tls_socket
from kong_mesh_cp.core.xds.world import TagPairs

HTTP_MANAGER: Final = "envoy.filters.network.http_connection_manager"
TCP_PROXY: Final = "envoy.filters.network.tcp_proxy"
NETWORK_RATE_LIMIT: Final = "envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit"
DIRECT_RESPONSE: Final = "envoy.filters.network.direct_response"
GRPC_STATS: Final = "envoy.filters.http.grpc_stats"
HTTP_FAULT: Final = "envoy.filters.http.fault"
HTTP_RATE_LIMIT: Final = "envoy.filters.http.local_ratelimit"
ROUTER: Final = "envoy.filters.http.router"
TLS_INSPECTOR: Final = "envoy.filters.listener.tls_inspector"
TAGS_METADATA: Final = "io.kuma.tags"

Named = tuple[str, Message]
"""A filter: its name and its configuration."""


class ChainDraft:
    """A FilterChain. `filters` are its network filters in order, the terminal one last.

    `http_filters` are those of its HTTP connection manager, without the router that ends them.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name  # few have one
        self.match: dict[str, object] = {}  # members of FilterChainMatch
        self.filters: list[Named] = []
        self.http_filters: list[Named] = []
        self.tls: Message | None = None  # a DownstreamTlsContext

    @property
    def http(self) -> Message | None:
        """Its HttpConnectionManager; None where it speaks no HTTP."""
        return self._filter(HTTP_MANAGER)

    @property
    def tcp(self) -> Message | None:
        """Its TcpProxy; None where it has none."""
        return self._filter(TCP_PROXY)

    def whole(self) -> Message:
        http = self.http
        if http is not None:
            for name, config in (*self.http_filters, (ROUTER, Router())):
                http.http_filters.add(name=name, typed_config=packed(config))
        chain = FilterChain(
            name=self.name,
            filters=[
                {"name": name, "typed_config": packed(config)} for name, config in self.filters
            ],
        )
        if self.match:
            chain.MergeFrom(FilterChain(filter_chain_match=self.match))
        if self.tls is not None:
            chain.transport_socket.CopyFrom(tls_socket(self.tls))
        return chain

    def _filter(self, wanted: str) -> Message | None:
        return next((config for name, config in self.filters if name == wanted), None)


class ListenerDraft:
    """A Listener on one address."""

    def __init__(self, name: str, address: str, port: int, *, inbound: bool) -> None:
        self.name = name
        self.message: Message = Listener(
            name=name,
            traffic_direction="INBOUND" if inbound else "OUTBOUND",
            address={"socket_address": {"address": address, "port_value": port}},
        )
        if inbound:
            # So that all connections of an inbound are seen by one listener, as they come.
            self.message.enable_reuse_port.value = False
        self.chains: list[ChainDraft] = []
        self.listener_filters: list[Named] = []

    def show_tags(self, tags: TagPairs) -> None:
        self.message.metadata.filter_metadata[TAGS_METADATA].CopyFrom(struct_of(tags))

    def take_redirected(self) -> None:
        """It listens nowhere itself: connections are handed to it."""
        self.message.bind_to_port.value = False

    def forward_to_original(self) -> None:
        """Connections go to the listener of their original destination, where there is one."""
        self.message.use_original_dst.value = True

    def listen_at(self, pipe: str) -> None:
        """On a Unix socket instead of an address."""
        self.message.address.pipe.path = pipe
        self.message.ClearField("traffic_direction")

    def take_datagrams(self) -> None:
        """It is one of UDP."""
        self.message.address.socket_address.protocol = SocketAddress.UDP
        self.message.enable_reuse_port.value = True

    def inspect_tls(self) -> None:
        self.listener_filters.append((TLS_INSPECTOR, TlsInspector()))

    def whole(self) -> Message:
        self.message.filter_chains.extend(each.whole() for each in self.chains)
        for name, config in self.listener_filters:
            self.message.listener_filters.add(name=name, typed_config=packed(config))
        return self.message

    def anywhere(self) -> bytes:
        """All of it but its name and address, which `placed` adds."""
        whole = self.whole()
        whole.ClearField("name")
        whole.ClearField("address")
        serialized: bytes = whole.SerializeToString(deterministic=True)
        return serialized


def placed(name: str, address: str, port: int, anywhere: bytes) -> bytes:
    """A listener as it is sent, made of what many share."""
    place = Listener(
        name=name, address={"socket_address": {"address": address, "port_value": port}}
    )
    return joined_bytes(place, anywhere)
