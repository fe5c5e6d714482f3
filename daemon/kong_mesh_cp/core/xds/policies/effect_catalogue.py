"""The effects of all policies, in the order in which they come upon each other.

Source: docs/wire/envoy-policies.md#order
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.xds.effects import Effect
from kong_mesh_cp.core.xds.policies import (
    access_log_effects,
    circuit_breaker_effects,
    fault_injection_effects,
    health_check_effects,
    load_balancing_effects,
    metric_effects,
    passthrough_effects,
    proxy_patch_effects,
    rate_limit_effects,
    retry_effects,
    timeout_effects,
    tls_effects,
    trace_effects,
    traffic_permission_effects,
)

EFFECTS: Final[tuple[Effect, ...]] = (
    tls_effects.EFFECT,
    load_balancing_effects.EFFECT,
    passthrough_effects.EFFECT,
    access_log_effects.EFFECT,
    trace_effects.EFFECT,
    fault_injection_effects.EFFECT,
    rate_limit_effects.EFFECT,
    timeout_effects.EFFECT,
    traffic_permission_effects.EFFECT,
    health_check_effects.EFFECT,
    circuit_breaker_effects.EFFECT,
    retry_effects.EFFECT,
    metric_effects.EFFECT,
    proxy_patch_effects.EFFECT,
)

EFFECT_TYPES: Final = tuple(each.policy_type for each in EFFECTS)
