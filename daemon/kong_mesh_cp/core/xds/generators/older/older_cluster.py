"""The clusters that outbounds of a mesh with TrafficRoutes send to.

Source: docs/wire/older-policies.md#outbounds
"""

from __future__ import annotations

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kinds.legacy.timeout import Conf as Timeouts
from kong_mesh_cp.core.resources.kinds.legacy.traffic_route import LoadBalancer
from kong_mesh_cp.core.xds.effects import OutboundFacts
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message
from kong_mesh_cp.core.xds.generators.older.balancing import balance
from kong_mesh_cp.core.xds.generators.older.breakers import break_circuits
from kong_mesh_cp.core.xds.generators.older.health_probes import probe_endpoints
from kong_mesh_cp.core.xds.generators.older.older_plan import breaker_of, probe_of
from kong_mesh_cp.core.xds.generators.older.older_policies import OlderPolicies
from kong_mesh_cp.core.xds.generators.older.timeouts import limit_cluster
from kong_mesh_cp.core.xds.generators.outbound_clusters import Upstream, apply_effects, lead
from kong_mesh_cp.core.xds.generators.outbound_plan import Confs
from kong_mesh_cp.core.xds.world import TagPairs


@dataclass(frozen=True, slots=True, kw_only=True)
class OlderTarget:
    """The instances that carry `tags`, as the last outbound that leads to them has it."""

    tags: TagPairs
    timeouts: Timeouts
    balancer: LoadBalancer


def older_cluster(
    upstream: Upstream,
    target: OlderTarget,
    facts: OutboundFacts,
    confs: Confs,
    *,
    policies: OlderPolicies | None,
    ipv6: bool,
) -> Message:
    """Without `policies` none of them is about the service."""
    draft = ClusterDraft(upstream.name, facts.protocol)
    limit_cluster(draft, target.timeouts)
    if policies is not None:
        _police(draft, policies, facts.service)
    lead(draft, upstream, facts.mesh, ipv6=ipv6)
    if not facts.is_external:
        balance(draft.message, target.balancer)
    apply_effects(draft, upstream, facts, confs)
    return draft.whole()


def _police(draft: ClusterDraft, policies: OlderPolicies, service: str) -> None:
    breaker, probe = breaker_of(policies, service), probe_of(policies, service)
    if breaker is not None:
        break_circuits(draft.message, breaker)
    if probe is not None:
        probe_endpoints(draft.message, draft.protocol, probe)
