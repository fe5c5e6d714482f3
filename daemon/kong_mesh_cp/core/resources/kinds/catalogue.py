"""The kinds of this folder by the name of their type.

The targetRef policies have theirs in core.policy.
"""

from __future__ import annotations

from typing import Any, Final

from kong_mesh_cp.core.resources.kind import Kind
from kong_mesh_cp.core.resources.lazy_kinds import LazyKinds

_CONSTANTS: Final = {
    "AccessAudit": "access_audit.KIND",
    "AccessRole": "access_role.KIND",
    "AccessRoleBinding": "access_role.BINDING_KIND",
    "CircuitBreaker": "legacy.circuit_breaker.KIND",
    "Dataplane": "dataplane_rules.KIND",
    "DataplaneInsight": "insights.DATAPLANE_KIND",
    "ExternalService": "services.external_service.KIND",
    "FaultInjection": "legacy.fault_injection.KIND",
    "GlobalSecret": "secret.GLOBAL_KIND",
    "HealthCheck": "legacy.health_check.KIND",
    "HostnameGenerator": "services.hostname_generator.KIND",
    "Mesh": "mesh_rules.KIND",
    "MeshExternalService": "services.mesh_external_service.KIND",
    "MeshGateway": "mesh_gateway.KIND",
    "MeshGatewayRoute": "mesh_gateway_route_rules.KIND",
    "MeshInsight": "insights.MESH_KIND",
    "MeshMultiZoneService": "services.mesh_multi_zone_service.KIND",
    "MeshService": "services.mesh_service.KIND",
    "ProxyTemplate": "legacy.proxy_template.KIND",
    "RateLimit": "legacy.rate_limit.KIND",
    "Retry": "legacy.retry.KIND",
    "Secret": "secret.KIND",
    "ServiceInsight": "insights.SERVICE_KIND",
    "Timeout": "legacy.timeout.KIND",
    "TrafficLog": "legacy.traffic_log.KIND",
    "TrafficPermission": "legacy.traffic_permission.KIND",
    "TrafficRoute": "legacy.traffic_route_rules.KIND",
    "TrafficTrace": "legacy.traffic_trace.KIND",
    "VirtualOutbound": "legacy.virtual_outbound.KIND",
    "Zone": "zone.KIND",
    "ZoneEgress": "zone_proxies.EGRESS_KIND",
    "ZoneEgressInsight": "insights.EGRESS_KIND",
    "ZoneIngress": "zone_proxies.INGRESS_KIND",
    "ZoneIngressInsight": "insights.INGRESS_KIND",
    "ZoneInsight": "insights.ZONE_KIND",
}

KINDS: Final = LazyKinds[Kind[Any]](
    {name: f"{__package__}.{constant}" for name, constant in _CONSTANTS.items()}
)
