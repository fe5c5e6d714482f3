"""The kinds of this folder: the one place that knows all of them."""

from __future__ import annotations

from typing import Any, Final

from kong_mesh_cp.core.policy.policy_kind import PolicyKind
from kong_mesh_cp.core.resources.lazy_kinds import LazyKinds

# By the name of the type, as lists of types are.
_MODULES: Final = {
    "MeshAccessLog": "mesh_access_log",
    "MeshCircuitBreaker": "mesh_circuit_breaker",
    "MeshFaultInjection": "mesh_fault_injection",
    "MeshHTTPRoute": "mesh_http_route",
    "MeshHealthCheck": "mesh_health_check",
    "MeshLoadBalancingStrategy": "mesh_load_balancing_strategy",
    "MeshMetric": "mesh_metric",
    "MeshPassthrough": "mesh_passthrough",
    "MeshProxyPatch": "mesh_proxy_patch",
    "MeshRateLimit": "mesh_rate_limit",
    "MeshRetry": "mesh_retry",
    "MeshTCPRoute": "mesh_tcp_route",
    "MeshTLS": "mesh_tls",
    "MeshTimeout": "mesh_timeout",
    "MeshTrace": "mesh_trace",
    "MeshTrafficPermission": "mesh_traffic_permission",
}

POLICY_KINDS: Final = LazyKinds[PolicyKind[Any]](
    {name: f"{__package__}.{module}.KIND" for name, module in _MODULES.items()}
)
