"""A builtin gateway while it is made: all its parts in the open, for policies to change."""

from __future__ import annotations

from kong_mesh_cp.core.xds.assignments import EndpointSource
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message
from kong_mesh_cp.core.xds.envoy.listeners import ListenerDraft
from kong_mesh_cp.core.xds.gateways.gateway_plan import (
    GatewayDestination,
    GatewayListener,
    GatewayPlan,
)


class GatewayDraft:
    """What a plan comes to.

    Routes of a table stand in it as they do in the plan: the nth virtual host of a table is the nth
    host of the plan's hostname (of HTTP without TLS all hosts of the listener are in one table),
    and so are its routes.
    """

    def __init__(self, plan: GatewayPlan) -> None:
        self.plan = plan
        self.clusters: dict[str, ClusterDraft] = {}  # by name
        self.sources: dict[str, EndpointSource] = {}  # by cluster; of those with endpoints from ADS
        self.destinations: dict[str, GatewayDestination] = {}  # by cluster: what it is for
        self.listeners: dict[str, ListenerDraft] = {}  # by name
        self.tables: dict[str, Message] = {}  # RouteConfigurations by name

    def listener(self, planned: GatewayListener) -> ListenerDraft | None:
        """None: none of its traffic can be taken."""
        return self.listeners.get(planned.name)
