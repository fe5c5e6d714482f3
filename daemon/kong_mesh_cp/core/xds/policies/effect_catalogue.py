"""The effects of all policies, in the order in which they come upon each other.

Source: docs/wire/envoy-policies.md#order
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.xds.effects import Effect
from kong_mesh_cp.core.xds.policies import (
    circuit_breaker_effects,
    load_balancing_effects,
    retry_effects,
    timeout_effects,
    traffic_permission_effects,
)

EFFECTS: Final[tuple[Effect, ...]] = (
    load_balancing_effects.EFFECT,
    timeout_effects.EFFECT,
    traffic_permission_effects.EFFECT,
    circuit_breaker_effects.EFFECT,
    retry_effects.EFFECT,
)
