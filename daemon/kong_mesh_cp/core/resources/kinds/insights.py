"""What is observed of meshes, zones and proxies (wire contract 4.4–4.6, 9.4).

Clients read these; only the control plane writes them. Nothing in them is validated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.subscriptions import (
    DiscoverySubscription,
    KdsSubscription,
)
from kong_mesh_cp.core.resources.proto import (
    EMPTY,
    Message,
    ProtoEnum,
    Timestamp,
    Uint32,
    proto,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyMtls(Message):
    """The certificate of one proxy."""

    certificate_expiration_time: Timestamp | None = proto(original=True)
    last_certificate_regeneration: Timestamp | None = proto(original=True)
    certificate_regenerations: Uint32 = proto(0, original=True)
    issued_backend: str = ""
    supported_backends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyInsight(Message):
    """The connections of one proxy; what all kinds of proxies share."""

    subscriptions: tuple[DiscoverySubscription, ...] = ()

    @property
    def is_online(self) -> bool:
        return any(each.is_open for each in self.subscriptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataplaneInsight(ProxyInsight):
    """The connections and the certificate of one data plane proxy."""

    mtls: ProxyMtls | None = proto(json="mTLS")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneIngressInsight(ProxyInsight):
    """The connections of one proxy that takes traffic from other zones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneEgressInsight(ProxyInsight):
    """The connections of one proxy that sends traffic out of a zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyAdminStreams(Message):
    config_dump_global_instance_id: str = proto("", original=True)
    stats_global_instance_id: str = proto("", original=True)
    clusters_global_instance_id: str = proto("", original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneHealth(Message):
    time: Timestamp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneInsight(Message):
    """The connections of the control plane of one zone."""

    subscriptions: tuple[KdsSubscription, ...] = ()
    envoy_admin_streams: EnvoyAdminStreams | None = proto(original=True)
    health_check: ZoneHealth | None = proto(original=True)

    @property
    def is_online(self) -> bool:
        return any(each.is_open for each in self.subscriptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyCount(Message):
    total: Uint32 = 0
    online: Uint32 = 0
    offline: Uint32 = 0
    partially_degraded: Uint32 = proto(0, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count(Message):
    total: Uint32 = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyVersions(Message):
    """Proxies by version; `unknown` stands for those that tell none."""

    kuma_dp: Mapping[str, ProxyCount] = EMPTY
    envoy: Mapping[str, ProxyCount] = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshMtls(Message):
    """Proxies by the backend of their certificate."""

    issued_backends: Mapping[str, ProxyCount] = EMPTY
    supported_backends: Mapping[str, ProxyCount] = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCount(Message):
    total: Uint32 = 0
    internal: Uint32 = 0
    external: Uint32 = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxiesByType(Message):
    standard: ProxyCount | None = None
    gateway: ProxyCount | None = None
    gateway_builtin: ProxyCount | None = None
    gateway_delegated: ProxyCount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshInsight(Message):
    """What there is in one mesh, counted."""

    dataplanes: ProxyCount | None = None
    policies: Mapping[str, Count] = EMPTY
    dp_versions: ProxyVersions | None = None
    mtls: MeshMtls | None = proto(json="mTLS")
    services: ServiceCount | None = None
    dataplanes_by_type: ProxiesByType | None = None
    resources: Mapping[str, Count] = EMPTY


class ServiceStatus(ProtoEnum):
    """Whether a service answers, as far as its proxies tell."""

    __proto_name__ = "kuma.mesh.v1alpha1.ServiceInsight.Service.Status"
    none = 0
    offline = 1
    partially_degraded = 2
    online = 3
    not_available = 4


class ServiceType(ProtoEnum):
    """Where a service lives."""

    __proto_name__ = "kuma.mesh.v1alpha1.ServiceInsight.Service.Type"
    internal = 0
    external = 1
    gateway_builtin = 2
    gateway_delegated = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProxies(Message):
    total: Uint32 = 0
    online: Uint32 = 0
    offline: Uint32 = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Message):
    status: ServiceStatus = ServiceStatus.none
    dataplanes: ServiceProxies | None = None
    issued_backends: Mapping[str, Uint32] = EMPTY
    service_type: ServiceType = ServiceType.internal
    address_port: str = ""
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInsight(Message):
    """All services of a mesh; stored as one, shown one by one."""

    services: Mapping[str, Service] = EMPTY


DATAPLANE_KIND: Final[Kind[DataplaneInsight]] = proto_kind("DataplaneInsight", DataplaneInsight)
MESH_KIND: Final[Kind[MeshInsight]] = proto_kind("MeshInsight", MeshInsight)
SERVICE_KIND: Final[Kind[ServiceInsight]] = proto_kind("ServiceInsight", ServiceInsight)
ZONE_KIND: Final[Kind[ZoneInsight]] = proto_kind("ZoneInsight", ZoneInsight)
EGRESS_KIND: Final[Kind[ZoneEgressInsight]] = proto_kind("ZoneEgressInsight", ZoneEgressInsight)
INGRESS_KIND: Final[Kind[ZoneIngressInsight]] = proto_kind("ZoneIngressInsight", ZoneIngressInsight)
