"""The effects of all policies, in the order in which they come upon each other.

Source: docs/wire/envoy-policies.md#order
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.xds.effects import Effect
from kong_mesh_cp.core.xds.policies import (
    mesh_circuit_breaker,
    mesh_retry,
    mesh_timeout,
    mesh_traffic_permission,
)

EFFECTS: Final[tuple[Effect, ...]] = (
    mesh_timeout.EFFECT,
    mesh_traffic_permission.EFFECT,
    mesh_circuit_breaker.EFFECT,
    mesh_retry.EFFECT,
)
