"""The kinds of this folder: the one place that knows all of them."""

from __future__ import annotations

from typing import Any, Final

from kong_mesh_cp.core.policy.kinds import (
    mesh_access_log,
    mesh_circuit_breaker,
    mesh_fault_injection,
    mesh_health_check,
    mesh_http_route,
    mesh_load_balancing_strategy,
    mesh_metric,
    mesh_passthrough,
    mesh_proxy_patch,
    mesh_rate_limit,
    mesh_retry,
    mesh_tcp_route,
    mesh_timeout,
    mesh_tls,
    mesh_trace,
    mesh_traffic_permission,
)
from kong_mesh_cp.core.resources.plugin_kind import PluginKind

# By the name of the type, as lists of types are.
POLICY_KINDS: Final[tuple[PluginKind[Any], ...]] = (
    mesh_access_log.KIND,
    mesh_circuit_breaker.KIND,
    mesh_fault_injection.KIND,
    mesh_http_route.KIND,
    mesh_health_check.KIND,
    mesh_load_balancing_strategy.KIND,
    mesh_metric.KIND,
    mesh_passthrough.KIND,
    mesh_proxy_patch.KIND,
    mesh_rate_limit.KIND,
    mesh_retry.KIND,
    mesh_tcp_route.KIND,
    mesh_tls.KIND,
    mesh_timeout.KIND,
    mesh_trace.KIND,
    mesh_traffic_permission.KIND,
)
