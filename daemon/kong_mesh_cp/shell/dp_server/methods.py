"""Paths of the gRPC methods that Envoys call; apart from what serves them, which a start lacks."""

from __future__ import annotations

from typing import Final

_DISCOVERY: Final = "/envoy.service.discovery.v3.AggregatedDiscoveryService"
STATE_OF_THE_WORLD: Final = f"{_DISCOVERY}/StreamAggregatedResources"
DELTA: Final = f"{_DISCOVERY}/DeltaAggregatedResources"
HEALTH: Final = "/envoy.service.health.v3.HealthDiscoveryService/StreamHealthCheck"
