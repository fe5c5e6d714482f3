"""The kinds of this folder by the name of their type: the one place that knows all of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from kong_mesh_cp.core.resources.kind import Kind
from kong_mesh_cp.core.resources.kinds import (
    dataplane_rules,
    insights,
    mesh_gateway,
    mesh_rules,
    secret,
    zone,
    zone_proxies,
)

_KINDS: Final[tuple[Kind[Any], ...]] = (
    dataplane_rules.KIND,
    insights.DATAPLANE_KIND,
    insights.EGRESS_KIND,
    insights.INGRESS_KIND,
    insights.MESH_KIND,
    insights.SERVICE_KIND,
    insights.ZONE_KIND,
    mesh_gateway.KIND,
    mesh_rules.KIND,
    secret.GLOBAL_KIND,
    secret.KIND,
    zone.KIND,
    zone_proxies.EGRESS_KIND,
    zone_proxies.INGRESS_KIND,
)

KINDS: Final[Mapping[str, Kind[Any]]] = MappingProxyType({kind.type: kind for kind in _KINDS})
