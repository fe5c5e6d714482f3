"""Subscriptions: the connections of proxies and zones, kept after their end."""

from __future__ import annotations

from collections.abc import Mapping

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.schema.messages import EMPTY, Message, Timestamp, Uint32, Uint64, proto


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseCounts(Message):
    """What was sent, and what came back of it."""

    # 64-bit numbers are texts in protobuf's JSON mapping, and read as either.
    responses_sent: Uint64 = proto(0, number=1, original=True)
    responses_acknowledged: Uint64 = proto(0, number=2, original=True)
    responses_rejected: Uint64 = proto(0, number=3, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryStatus(Message):
    """Counts of an ADS stream, by type of resource."""

    last_update_time: Timestamp | None = proto(number=1, original=True)
    total: ResponseCounts | None = proto(number=2)
    cds: ResponseCounts | None = proto(number=3)
    eds: ResponseCounts | None = proto(number=4)
    lds: ResponseCounts | None = proto(number=5)
    rds: ResponseCounts | None = proto(number=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class KumaDpVersion(Message):
    """The build of the data plane program beside an Envoy."""

    version: str = proto("", number=1)
    git_tag: str = proto("", number=2)
    git_commit: str = proto("", number=3)
    build_date: str = proto("", number=4)
    kuma_cp_compatible: bool = proto(default=False, number=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyVersion(Message):
    """The build of an Envoy."""

    version: str = proto("", number=1)
    build: str = proto("", number=2)
    # Said by the proxy's own program, which knows the versions of Envoy it was tested with.
    kuma_dp_compatible: bool = proto(default=False, number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyVersion(Message):
    """The versions of all parts of a proxy, as it tells them."""

    kuma_dp: KumaDpVersion | None = proto(number=1)
    envoy: EnvoyVersion | None = proto(number=2)
    dependencies: Mapping[str, str] = proto(EMPTY, number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySubscription(Message):
    """One ADS stream of a proxy."""

    id: str = proto("", number=1)
    # Which control plane held the stream: when that one is gone, others may close the subscription.
    control_plane_instance_id: str = proto("", number=2, original=True)
    connect_time: Timestamp | None = proto(number=3, original=True)
    disconnect_time: Timestamp | None = proto(number=4, original=True)
    status: DiscoveryStatus | None = proto(number=5)
    version: ProxyVersion | None = proto(number=6)
    # Counts changes of one subscription, so that a late write of an older state is recognised.
    generation: Uint32 = proto(0, number=7)

    @property
    def is_open(self) -> bool:
        return self.connect_time is not None and self.disconnect_time is None


@dataclass(frozen=True, slots=True, kw_only=True)
class KdsStatus(Message):
    """Counts of the streams between a zone and the global control plane, by type."""

    last_update_time: Timestamp | None = proto(number=1, original=True)
    total: ResponseCounts | None = proto(number=2)
    # By the name of the resource type, other than for ADS, whose types are fixed.
    stat: Mapping[str, ResponseCounts] = proto(EMPTY, number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class KumaCpVersion(Message):
    """The build of a zone's control plane."""

    version: str = proto("", number=1)
    git_tag: str = proto("", number=2)
    git_commit: str = proto("", number=3)
    build_date: str = proto("", number=4)
    kuma_cp_global_compatible: bool = proto(default=False, number=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneVersion(Message):
    """The versions of a zone, as its control plane tells them."""

    kuma_cp: KumaCpVersion | None = proto(number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class KdsSubscription(Message):
    """One connection of a zone's control plane to the global one."""

    id: str = proto("", number=1)
    global_instance_id: str = proto("", number=2, original=True)
    connect_time: Timestamp | None = proto(number=3, original=True)
    disconnect_time: Timestamp | None = proto(number=4, original=True)
    status: KdsStatus | None = proto(number=5)
    version: ZoneVersion | None = proto(number=6)
    generation: Uint32 = proto(0, number=7)
    # The zone's configuration as JSON text, secrets masked by the zone itself.
    config: str = proto("", number=8)
    auth_token_provided: bool = proto(default=False, number=9, original=True)
    zone_instance_id: str = proto("", number=10, original=True)

    @property
    def is_open(self) -> bool:
        return self.connect_time is not None and self.disconnect_time is None
