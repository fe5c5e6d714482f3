"""The kinds of this folder by the name of their type: the one place that knows all of them.

The targetRef policies have theirs in core.policy.
"""

from __future__ import annotations

from typing import Any, Final

from kong_mesh_cp.core.resources.kind import Kind
from kong_mesh_cp.core.resources.late_kinds import LateKinds

_CONSTANTS: Final = {
    "AccessRole": "access_role.KIND",
    "AccessRoleBinding": "access_role.BINDING_KIND",
    "CircuitBreaker": "circuit_breaker.KIND",
    "Dataplane": "dataplane_rules.KIND",
    "DataplaneInsight": "insights.DATAPLANE_KIND",
    "ExternalService": "external_service.KIND",
    "FaultInjection": "fault_injection.KIND",
    "GlobalSecret": "secret.GLOBAL_KIND",
    "HealthCheck": "health_check.KIND",
    "HostnameGenerator": "hostname_generator.KIND",
    "Mesh": "mesh_rules.KIND",
    "MeshExternalService": "mesh_external_service.KIND",
    "MeshGateway": "mesh_gateway.KIND",
    "MeshGatewayRoute": "mesh_gateway_route_rules.KIND",
    "MeshInsight": "insights.MESH_KIND",
    "MeshMultiZoneService": "mesh_multi_zone_service.KIND",
    "MeshService": "mesh_service.KIND",
    "ProxyTemplate": "proxy_template.KIND",
    "RateLimit": "rate_limit.KIND",
    "Retry": "retry.KIND",
    "Secret": "secret.KIND",
    "ServiceInsight": "insights.SERVICE_KIND",
    "Timeout": "timeout.KIND",
    "TrafficLog": "traffic_log.KIND",
    "TrafficPermission": "traffic_permission.KIND",
    "TrafficRoute": "traffic_route_rules.KIND",
    "TrafficTrace": "traffic_trace.KIND",
    "VirtualOutbound": "virtual_outbound.KIND",
    "Zone": "zone.KIND",
    "ZoneEgress": "zone_proxies.EGRESS_KIND",
    "ZoneEgressInsight": "insights.EGRESS_KIND",
    "ZoneIngress": "zone_proxies.INGRESS_KIND",
    "ZoneIngressInsight": "insights.INGRESS_KIND",
    "ZoneInsight": "insights.ZONE_KIND",
}

KINDS: Final = LateKinds[Kind[Any]](
    {name: f"{__package__}.{constant}" for name, constant in _CONSTANTS.items()}
)
