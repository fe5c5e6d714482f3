"""Paths of the gRPC methods between a global control plane and those of its zones."""

from __future__ import annotations

from typing import Final

_SYNC: Final = "/kuma.mesh.v1alpha1.KDSSyncService"
_GLOBAL: Final = "/kuma.mesh.v1alpha1.GlobalKDSService"
GLOBAL_TO_ZONE: Final = f"{_SYNC}/GlobalToZoneSync"
ZONE_TO_GLOBAL: Final = f"{_SYNC}/ZoneToGlobalSync"
HEALTH_CHECK: Final = f"{_GLOBAL}/HealthCheck"
CONFIG_DUMPS: Final = f"{_GLOBAL}/StreamXDSConfigs"
STATS: Final = f"{_GLOBAL}/StreamStats"
CLUSTERS: Final = f"{_GLOBAL}/StreamClusters"

MESSAGE_BYTES_MAX: Final = 10 * 1024 * 1024  # Kuma's, both ways
