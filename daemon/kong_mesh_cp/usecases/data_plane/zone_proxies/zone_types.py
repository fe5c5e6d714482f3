"""What zone proxies of each kind are stored as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.insights import (
    ProxyInsight,
    ZoneEgressInsight,
    ZoneIngressInsight,
)
from kong_mesh_cp.usecases.data_plane.authentication import ProxyKind

INGRESS: Final = "ZoneIngress"
EGRESS: Final = "ZoneEgress"


class ZoneProxyType(NamedTuple):
    """The types of the resource, and of the insight that shows its connections."""

    resource: str
    insight_type: str
    insight: type[ProxyInsight]

    def key(self, name: str) -> ResourceKey:
        return ResourceKey(self.resource, "", name)

    def insight_key(self, name: str) -> ResourceKey:
        return ResourceKey(self.insight_type, "", name)


ZONE_TYPES: Final[Mapping[ProxyKind, ZoneProxyType]] = {
    ProxyKind.EGRESS: ZoneProxyType(EGRESS, "ZoneEgressInsight", ZoneEgressInsight),
    ProxyKind.INGRESS: ZoneProxyType(INGRESS, "ZoneIngressInsight", ZoneIngressInsight),
}
