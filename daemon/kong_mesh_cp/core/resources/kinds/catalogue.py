"""The kinds of this folder by the name of their type: the one place that knows all of them.

The targetRef policies have theirs in core.policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from kong_mesh_cp.core.resources.kind import Kind
from kong_mesh_cp.core.resources.kinds import (
    access_role,
    circuit_breaker,
    dataplane_rules,
    external_service,
    fault_injection,
    health_check,
    hostname_generator,
    insights,
    mesh_external_service,
    mesh_gateway,
    mesh_gateway_route_rules,
    mesh_multi_zone_service,
    mesh_rules,
    mesh_service,
    proxy_template,
    rate_limit,
    retry,
    secret,
    timeout,
    traffic_log,
    traffic_permission,
    traffic_route_rules,
    traffic_trace,
    virtual_outbound,
    zone,
    zone_proxies,
)

_KINDS: Final[tuple[Kind[Any], ...]] = (
    access_role.BINDING_KIND,
    access_role.KIND,
    circuit_breaker.KIND,
    dataplane_rules.KIND,
    external_service.KIND,
    fault_injection.KIND,
    health_check.KIND,
    hostname_generator.KIND,
    insights.DATAPLANE_KIND,
    insights.EGRESS_KIND,
    insights.INGRESS_KIND,
    insights.MESH_KIND,
    insights.SERVICE_KIND,
    insights.ZONE_KIND,
    mesh_external_service.KIND,
    mesh_gateway.KIND,
    mesh_gateway_route_rules.KIND,
    mesh_multi_zone_service.KIND,
    mesh_rules.KIND,
    mesh_service.KIND,
    proxy_template.KIND,
    rate_limit.KIND,
    retry.KIND,
    secret.GLOBAL_KIND,
    secret.KIND,
    timeout.KIND,
    traffic_log.KIND,
    traffic_permission.KIND,
    traffic_route_rules.KIND,
    traffic_trace.KIND,
    virtual_outbound.KIND,
    zone.KIND,
    zone_proxies.EGRESS_KIND,
    zone_proxies.INGRESS_KIND,
)

KINDS: Final[Mapping[str, Kind[Any]]] = MappingProxyType({kind.type: kind for kind in _KINDS})
