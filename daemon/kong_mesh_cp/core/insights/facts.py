"""What a proxy and its connections come to, as far as insights count it.

Source: docs/wire/insights.md#proxy-status, docs/wire/insights.md#meshinsight,
docs/wire/insights.md#serviceinsight
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane, InboundState
from kong_mesh_cp.core.resources.kinds.insights import DataplaneInsight, ProxyMtls, ServiceType
from kong_mesh_cp.core.resources.kinds.services.external_service import ExternalService
from kong_mesh_cp.core.resources.kinds.subscriptions import ProxyVersion
from kong_mesh_cp.core.resources.tags import SERVICE, ZONE, Tags
from kong_mesh_cp.core.schema.messages import Message, Timestamp, proto

UNKNOWN: Final = "unknown"  # a version or backend that is not given


class ProxyStatus(Enum):
    """Whether a proxy takes traffic."""

    ONLINE = "Online"
    OFFLINE = "Offline"
    PARTIALLY_DEGRADED = "Partially degraded"


class ProxyRole(Enum):
    """What a proxy is in its mesh: a sidecar, or one of the two kinds of gateway."""

    STANDARD = "standard"
    GATEWAY_BUILTIN = "gatewayBuiltin"
    GATEWAY_DELEGATED = "gatewayDelegated"


class Offer(NamedTuple):
    """A service that a proxy, or a machine outside of the mesh, stands for."""

    service: str
    zone: str  # "" if it is not given
    type: ServiceType


class DataplaneFacts(NamedTuple):
    """What counts of a Dataplane. Proxies that differ in nothing else are counted together."""

    role: ProxyRole
    inbounds: int  # those that are not ignored
    ready: int  # of them
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedConnection(Message):
    """A DiscoverySubscription without its counts, which are most of it and change all the time."""

    connect_time: Timestamp | None = proto(number=3, original=True)
    disconnect_time: Timestamp | None = proto(number=4, original=True)
    version: ProxyVersion | None = proto(number=6)

    @property
    def is_open(self) -> bool:
        return self.connect_time is not None and self.disconnect_time is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedProxy(Message):
    """A DataplaneInsight, read as far as anything of it counts."""

    subscriptions: tuple[ObservedConnection, ...] = proto((), number=1)
    mtls: ProxyMtls | None = proto(number=2, json="mTLS")

    @property
    def is_online(self) -> bool:
        return any(each.is_open for each in self.subscriptions)


class InsightFacts(NamedTuple):
    """What counts of a DataplaneInsight."""

    online: bool
    kuma_dp: str
    envoy: str
    issued_backend: str | None  # None: no certificate was ever asked for
    supported_backends: tuple[str, ...]


class ExternalFacts(NamedTuple):
    """What counts of an ExternalService."""

    offer: Offer
    address: str


# Of a proxy that was never connected.
NEVER_SEEN: Final = InsightFacts(
    online=False, kuma_dp=UNKNOWN, envoy=UNKNOWN, issued_backend=None, supported_backends=()
)


def dataplane_facts(dataplane: Dataplane) -> DataplaneFacts:
    networking, gateway = dataplane.networking, dataplane.gateway
    inbounds = [
        each
        for each in (networking.inbound if networking else ())
        if each.state is not InboundState.Ignored
    ]
    offers = [_offer(each.tags, ServiceType.internal) for each in inbounds]
    role = ProxyRole.STANDARD
    if gateway is not None:
        builtin = dataplane.is_builtin_gateway
        role = ProxyRole.GATEWAY_BUILTIN if builtin else ProxyRole.GATEWAY_DELEGATED
        kind = ServiceType.gateway_builtin if builtin else ServiceType.gateway_delegated
        offers.insert(0, _offer(gateway.tags, kind))
    return DataplaneFacts(
        role=role,
        inbounds=len(inbounds),
        ready=sum(each.is_ready for each in inbounds),
        offers=tuple(each for each in offers if each.service),
    )


def insight_facts(insight: DataplaneInsight | ObservedProxy) -> InsightFacts:
    """The versions are those of the last connection, whether it has ended or not."""
    version = insight.subscriptions[-1].version if insight.subscriptions else None
    kuma_dp = version.kuma_dp.version if version and version.kuma_dp else ""
    envoy = version.envoy.version if version and version.envoy else ""
    mtls = insight.mtls
    return InsightFacts(
        online=insight.is_online,
        kuma_dp=kuma_dp or UNKNOWN,
        envoy=envoy or UNKNOWN,
        issued_backend=None if mtls is None else mtls.issued_backend or UNKNOWN,
        supported_backends=() if mtls is None else mtls.supported_backends,
    )


def external_facts(service: ExternalService) -> ExternalFacts:
    networking = service.networking
    return ExternalFacts(
        _offer(service.tags, ServiceType.external), networking.address if networking else ""
    )


def proxy_status(dataplane: DataplaneFacts, insight: InsightFacts) -> ProxyStatus:
    """A gateway is online as long as it is connected; others also need inbounds that are ready."""
    if not insight.online:
        return ProxyStatus.OFFLINE
    if dataplane.role is not ProxyRole.STANDARD or dataplane.ready == dataplane.inbounds:
        return ProxyStatus.ONLINE
    return ProxyStatus.PARTIALLY_DEGRADED if dataplane.ready else ProxyStatus.OFFLINE


def _offer(tags: Tags, kind: ServiceType) -> Offer:
    return Offer(tags.get(SERVICE, ""), tags.get(ZONE, ""), kind)
