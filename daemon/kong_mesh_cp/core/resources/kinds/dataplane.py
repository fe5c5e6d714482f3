"""Dataplane: one proxy, what runs behind it and what it calls.

Source: docs/wire/dataplanes.md#dataplane
"""

from __future__ import annotations

from collections.abc import Mapping

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.metrics_backend import MetricsBackend
from kong_mesh_cp.core.resources.tags import SERVICE, SERVICE_UNKNOWN
from kong_mesh_cp.core.schema.messages import EMPTY, Duration, Message, ProtoEnum, Uint32, proto


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyAdmin(Message):
    """Where Envoy's admin API listens, always on loopback."""

    port: Uint32 = proto(0, number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health(Message):
    """Whether the application behind an inbound is ready; only proxies and tools write it."""

    ready: bool = proto(default=False, number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpProbe(Message):
    """Opening a connection is all there is to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProbe(Message):
    """How Envoy probes the application behind an inbound."""

    interval: Duration | None = proto(number=1)
    timeout: Duration | None = proto(number=2)
    unhealthy_threshold: Uint32 | None = proto(number=3, original=True)
    healthy_threshold: Uint32 | None = proto(number=4, original=True)
    tcp: TcpProbe | None = proto(number=5)


class InboundState(ProtoEnum):
    """Whether an inbound takes traffic; an ignored one gives identity only."""

    __proto_name__ = "kuma.mesh.v1alpha1.Dataplane.Networking.Inbound.State"
    # An inbound that says nothing takes traffic.
    Ready = 0
    NotReady = 1
    Ignored = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound(Message):
    """A service that this proxy offers."""

    tags: Mapping[str, str] = proto(EMPTY, number=2)
    # The wire numbers of a field never change, also where its place among the members does.
    port: Uint32 = proto(0, number=3)  # of the listener
    service_port: Uint32 = proto(0, number=4)  # of the application; 0: the same as `port`
    address: str = proto("", number=5)  # "" for that of the proxy
    service_address: str = proto("", number=6)  # "" for `address`
    # The older form of `state`, still written by tools that know Kuma's early versions.
    health: Health | None = proto(number=7)
    service_probe: ServiceProbe | None = proto(number=8)
    state: InboundState = proto(InboundState.Ready, number=9)
    name: str = proto("", number=10)

    @property
    def is_ready(self) -> bool:
        """Whether it takes traffic, as far as is known; `health` is the older word for it."""
        healthy = self.health is None or self.health.ready
        return healthy and self.state is not InboundState.NotReady


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRef(Message):
    """The service resource that an outbound stands for."""

    kind: str = proto("", number=1)
    name: str = proto("", number=2)
    port: Uint32 = proto(0, number=3)
    labels: Mapping[str, str] = proto(EMPTY, number=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound(Message):
    """A service that this proxy calls."""

    address: str = proto("", number=3)  # "" for 127.0.0.1
    port: Uint32 = proto(0, number=4)
    tags: Mapping[str, str] = proto(EMPTY, number=5)
    backend_ref: BackendRef | None = proto(number=6)


class GatewayType(ProtoEnum):
    """Who does the work of a gateway: another product's proxy, or this one."""

    __proto_name__ = "kuma.mesh.v1alpha1.Dataplane.Networking.Gateway.GatewayType"
    # The zero value: `gateway: {}` is another product's gateway beside a proxy of Kuma.
    DELEGATED = 0
    BUILTIN = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway(Message):
    """The tags of a gateway, and who does its work."""

    tags: Mapping[str, str] = proto(EMPTY, number=1)
    type: GatewayType = proto(GatewayType.DELEGATED, number=2)


class IpFamilyMode(ProtoEnum):
    """Which traffic is redirected."""

    __proto_name__ = "kuma.mesh.v1alpha1.Dataplane.Networking.TransparentProxying.IpFamilyMode"
    UnSpecified = 0
    DualStack = 1
    IPv4 = 2
    IPv6 = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachableBackendRef(Message):
    """A service resource that a transparent proxy gets configuration for."""

    kind: str = proto("", number=1)
    name: str = proto("", number=2)
    namespace: str = proto("", number=3)
    port: Uint32 | None = proto(number=4)
    labels: Mapping[str, str] = proto(EMPTY, number=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachableBackends(Message):
    """All that a transparent proxy gets configuration for."""

    refs: tuple[ReachableBackendRef, ...] = proto((), number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransparentProxying(Message):
    """The redirection of all traffic of a machine through its proxy."""

    redirect_port_inbound: Uint32 = proto(0, number=1, original=True)
    redirect_port_outbound: Uint32 = proto(0, number=2, original=True)
    direct_access_services: tuple[str, ...] = proto((), number=3, original=True)
    reachable_services: tuple[str, ...] = proto((), number=5, original=True)
    ip_family_mode: IpFamilyMode = proto(IpFamilyMode.UnSpecified, number=6, original=True)
    reachable_backends: ReachableBackends | None = proto(number=7, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Networking(Message):
    """Where a proxy listens and what for."""

    address: str = proto("", number=5)
    advertised_address: str = proto("", number=7)
    # The numbers are in the order in which the fields came to be, the attributes in that of the
    # JSON.
    gateway: Gateway | None = proto(number=3)
    inbound: tuple[Inbound, ...] = proto((), number=1)
    outbound: tuple[Outbound, ...] = proto((), number=2)
    transparent_proxying: TransparentProxying | None = proto(number=4, original=True)
    admin: EnvoyAdmin | None = proto(number=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeEndpoint(Message):
    """An HTTP health endpoint of the application that the proxy offers without TLS."""

    inbound_port: Uint32 = proto(0, number=1, original=True)
    inbound_path: str = proto("", number=2, original=True)
    path: str = proto("", number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes(Message):
    """Health endpoints that the proxy offers to an orchestrator."""

    port: Uint32 = proto(0, number=1)
    endpoints: tuple[ProbeEndpoint, ...] = proto((), number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataplane(Message):
    """A data plane proxy: the services it offers, those it calls, and its metrics."""

    networking: Networking | None = proto(number=1)
    metrics: MetricsBackend | None = proto(number=2)
    probes: Probes | None = proto(number=3)

    @property
    def gateway(self) -> Gateway | None:
        return None if self.networking is None else self.networking.gateway

    @property
    def is_builtin_gateway(self) -> bool:
        return self.gateway is not None and self.gateway.type == GatewayType.BUILTIN

    @property
    def is_delegated_gateway(self) -> bool:
        return self.gateway is not None and self.gateway.type == GatewayType.DELEGATED

    @property
    def proxy_type(self) -> str:
        """The value of the label `kuma.io/proxy-type`."""
        # A delegated gateway counts as sidecar in this label, though not in `proxyTypes`.
        return "gateway" if self.is_builtin_gateway else "sidecar"

    @property
    def service(self) -> str:
        """What the proxy is called after where it has one name: of several services the first by
        name.
        """
        services = {tags[SERVICE] for tags in self.tag_sets if SERVICE in tags}
        return min(services, default=SERVICE_UNKNOWN)

    @property
    def tag_sets(self) -> tuple[Mapping[str, str], ...]:
        """The tags of each inbound, then those of the gateway."""
        # In this order a proxy's first inbound names it; the gateway has a say only without one.
        inbound = () if self.networking is None else self.networking.inbound
        sets = tuple(each.tags for each in inbound)
        return sets if self.gateway is None else (*sets, self.gateway.tags)
