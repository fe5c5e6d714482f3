"""What is observed of meshes, zones and proxies.

Clients read these; only the control plane writes them. Nothing in them is validated.

Source: docs/wire/dataplanes.md#connections, docs/wire/insights.md#meshinsight,
docs/wire/insights.md#serviceinsight, docs/wire/dataplanes.md#zoneinsight
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.subscriptions import (
    DiscoverySubscription,
    KdsSubscription,
)
from kong_mesh_cp.core.schema.messages import EMPTY, Message, ProtoEnum, Timestamp, Uint32, proto


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyMtls(Message):
    """The certificate of one proxy."""

    # The times are shown by the GUI, which takes them in protobuf's JSON form.
    certificate_expiration_time: Timestamp | None = proto(number=1, original=True)
    last_certificate_regeneration: Timestamp | None = proto(number=2, original=True)
    certificate_regenerations: Uint32 = proto(0, number=3, original=True)
    issued_backend: str = proto("", number=4)
    supported_backends: tuple[str, ...] = proto((), number=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyInsight(Message):
    """The connections of one proxy; what all kinds of proxies share."""

    subscriptions: tuple[DiscoverySubscription, ...] = proto((), number=1)

    @property
    def is_online(self) -> bool:
        return any(each.is_open for each in self.subscriptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataplaneInsight(ProxyInsight):
    """The connections of a data plane proxy, and its certificate."""

    mtls: ProxyMtls | None = proto(number=2, json="mTLS")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneIngressInsight(ProxyInsight):
    """The connections of a zone ingress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneEgressInsight(ProxyInsight):
    """The connections of a zone egress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyAdminStreams(Message):
    """Which global instances hold the streams that ask a zone's proxies."""

    config_dump_global_instance_id: str = proto("", number=1, original=True)
    stats_global_instance_id: str = proto("", number=2, original=True)
    clusters_global_instance_id: str = proto("", number=3, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneHealth(Message):
    """When a zone was last heard of."""

    time: Timestamp | None = proto(number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneInsight(Message):
    """The connections of a zone's control plane to the global one."""

    subscriptions: tuple[KdsSubscription, ...] = proto((), number=1)
    envoy_admin_streams: EnvoyAdminStreams | None = proto(number=2, original=True)
    health_check: ZoneHealth | None = proto(number=3, original=True)

    @property
    def is_online(self) -> bool:
        return any(each.is_open for each in self.subscriptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyCount(Message):
    """Proxies by status."""

    total: Uint32 = proto(0, number=1)
    online: Uint32 = proto(0, number=2)
    offline: Uint32 = proto(0, number=3)
    # Connected, but with an inbound that is not ready.
    partially_degraded: Uint32 = proto(0, number=4, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count(Message):
    """How many there are of one type."""

    total: Uint32 = proto(0, number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyVersions(Message):
    """Proxies by version; `unknown` stands for those that tell none."""

    kuma_dp: Mapping[str, ProxyCount] = proto(EMPTY, number=1)
    envoy: Mapping[str, ProxyCount] = proto(EMPTY, number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshMtls(Message):
    """Proxies by the backend of their certificate."""

    # By the name of the mTLS backend, so that a change of the authority can be followed.
    issued_backends: Mapping[str, ProxyCount] = proto(EMPTY, number=1)
    supported_backends: Mapping[str, ProxyCount] = proto(EMPTY, number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCount(Message):
    """Services in and outside of a mesh."""

    total: Uint32 = proto(0, number=1)
    internal: Uint32 = proto(0, number=2)
    external: Uint32 = proto(0, number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxiesByType(Message):
    """Proxies by whether they are sidecars or gateways, and which."""

    standard: ProxyCount | None = proto(number=1)
    gateway: ProxyCount | None = proto(number=2)
    gateway_builtin: ProxyCount | None = proto(number=3)
    gateway_delegated: ProxyCount | None = proto(number=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshInsight(Message):
    """The proxies of a mesh by status, version, backend and type, its services and resources."""

    dataplanes: ProxyCount | None = proto(number=2)
    policies: Mapping[str, Count] = proto(EMPTY, number=3)
    dp_versions: ProxyVersions | None = proto(number=4)
    mtls: MeshMtls | None = proto(number=5, json="mTLS")
    services: ServiceCount | None = proto(number=6)
    dataplanes_by_type: ProxiesByType | None = proto(number=7)
    resources: Mapping[str, Count] = proto(EMPTY, number=8)


class ServiceStatus(ProtoEnum):
    """Whether a service answers, as far as its proxies tell."""

    __proto_name__ = "kuma.mesh.v1alpha1.ServiceInsight.Service.Status"
    # Lower case, as the .proto file has them; JSON shows enumerations by name.
    none = 0
    offline = 1
    partially_degraded = 2
    online = 3
    not_available = 4


class ServiceType(ProtoEnum):
    """Where a service lives."""

    __proto_name__ = "kuma.mesh.v1alpha1.ServiceInsight.Service.Type"
    internal = 0
    # The GUI shows services of each type on a page of their own.
    external = 1
    gateway_delegated = 2
    gateway_builtin = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProxies(Message):
    """The proxies of a service by status."""

    total: Uint32 = proto(0, number=1)
    online: Uint32 = proto(0, number=2)
    offline: Uint32 = proto(0, number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Message):
    """A service of a mesh as its proxies offer it: status, zones and certificates."""

    status: ServiceStatus = proto(ServiceStatus.none, number=1)
    dataplanes: ServiceProxies | None = proto(number=2)
    issued_backends: Mapping[str, Uint32] = proto(EMPTY, number=3)
    service_type: ServiceType = proto(ServiceType.internal, number=4)
    address_port: str = proto("", number=5)
    zones: tuple[str, ...] = proto((), number=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInsight(Message):
    """All services of a mesh; stored as one, shown one by one."""

    # By the tag `kuma.io/service`. The API shows each as a resource of its own.
    services: Mapping[str, Service] = proto(EMPTY, number=2)


DATAPLANE_KIND: Final[Kind[DataplaneInsight]] = proto_kind("DataplaneInsight", DataplaneInsight)
MESH_KIND: Final[Kind[MeshInsight]] = proto_kind("MeshInsight", MeshInsight)
SERVICE_KIND: Final[Kind[ServiceInsight]] = proto_kind("ServiceInsight", ServiceInsight)
ZONE_KIND: Final[Kind[ZoneInsight]] = proto_kind("ZoneInsight", ZoneInsight)
EGRESS_KIND: Final[Kind[ZoneEgressInsight]] = proto_kind("ZoneEgressInsight", ZoneEgressInsight)
INGRESS_KIND: Final[Kind[ZoneIngressInsight]] = proto_kind("ZoneIngressInsight", ZoneIngressInsight)
