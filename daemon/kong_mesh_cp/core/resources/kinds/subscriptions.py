"""Connections to the control plane: one subscription for each, kept after its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kong_mesh_cp.core.resources.proto import (
    EMPTY,
    Message,
    Timestamp,
    Uint32,
    Uint64,
    proto,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseCounts(Message):
    """What was sent, and what came back of it."""

    responses_sent: Uint64 = proto(0, original=True)
    responses_acknowledged: Uint64 = proto(0, original=True)
    responses_rejected: Uint64 = proto(0, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryStatus(Message):
    """Counts of an ADS stream, by type of resource."""

    last_update_time: Timestamp | None = proto(original=True)
    total: ResponseCounts | None = None
    cds: ResponseCounts | None = None
    eds: ResponseCounts | None = None
    lds: ResponseCounts | None = None
    rds: ResponseCounts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KumaDpVersion(Message):
    version: str = ""
    git_tag: str = ""
    git_commit: str = ""
    build_date: str = ""
    kuma_cp_compatible: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyVersion(Message):
    version: str = ""
    build: str = ""
    kuma_dp_compatible: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyVersion(Message):
    kuma_dp: KumaDpVersion | None = None
    envoy: EnvoyVersion | None = None
    dependencies: Mapping[str, str] = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySubscription(Message):
    """One ADS stream of a proxy."""

    id: str = ""
    control_plane_instance_id: str = proto("", original=True)
    connect_time: Timestamp | None = proto(original=True)
    disconnect_time: Timestamp | None = proto(original=True)
    status: DiscoveryStatus | None = None
    version: ProxyVersion | None = None
    generation: Uint32 = 0

    @property
    def is_open(self) -> bool:
        return self.connect_time is not None and self.disconnect_time is None


@dataclass(frozen=True, slots=True, kw_only=True)
class KdsStatus(Message):
    last_update_time: Timestamp | None = proto(original=True)
    total: ResponseCounts | None = None
    stat: Mapping[str, ResponseCounts] = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class KumaCpVersion(Message):
    version: str = ""
    git_tag: str = ""
    git_commit: str = ""
    build_date: str = ""
    kuma_cp_global_compatible: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneVersion(Message):
    kuma_cp: KumaCpVersion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KdsSubscription(Message):
    """One connection of a zone's control plane to the global one."""

    id: str = ""
    global_instance_id: str = proto("", original=True)
    connect_time: Timestamp | None = proto(original=True)
    disconnect_time: Timestamp | None = proto(original=True)
    status: KdsStatus | None = None
    version: ZoneVersion | None = None
    generation: Uint32 = 0
    config: str = ""
    auth_token_provided: bool = proto(default=False, original=True)
    zone_instance_id: str = proto("", original=True)

    @property
    def is_open(self) -> bool:
        return self.connect_time is not None and self.disconnect_time is None
