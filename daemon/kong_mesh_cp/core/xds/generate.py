"""The configuration of one proxy."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field, replace

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.discovery.snapshots import Snapshot
from kong_mesh_cp.core.policy.rules.mesh_resources import proxy_of
from kong_mesh_cp.core.xds.assignments import EndpointSource, reassigned
from kong_mesh_cp.core.xds.draft import Complaint, Draft
from kong_mesh_cp.core.xds.generators.admin import admin
from kong_mesh_cp.core.xds.generators.direct_access import direct_access
from kong_mesh_cp.core.xds.generators.dns import dns
from kong_mesh_cp.core.xds.generators.inbound import inbounds
from kong_mesh_cp.core.xds.generators.older_tracing import older_tracing
from kong_mesh_cp.core.xds.generators.outbound import outbounds
from kong_mesh_cp.core.xds.generators.passthrough import passthrough
from kong_mesh_cp.core.xds.generators.probes import probes
from kong_mesh_cp.core.xds.generators.proxy_secrets import secrets
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.policies.effect_catalogue import EFFECTS
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.services.backends import ServiceKey
from kong_mesh_cp.core.xds.targets import targets_of
from kong_mesh_cp.core.xds.world import EndpointKey, MeshWorld


@dataclass(frozen=True, slots=True)
class Generated:
    """What one proxy is told, and what it could not be told."""

    snapshot: Snapshot
    complaints: tuple[Complaint, ...] = ()
    sources: Mapping[str, EndpointSource] = field(default_factory=dict)  # by cluster
    # Those whose endpoints are in the snapshot, or that it depends on otherwise: by their tag, or
    # resources and ports of theirs.
    services: frozenset[ServiceKey] = frozenset()

    @property
    def left_out(self) -> tuple[Complaint, ...]:
        """What could not be made, and why."""
        return self.complaints

    def with_endpoints(
        self, services: Collection[EndpointKey], world: MeshWorld, parts: Parts
    ) -> Generated:
        """The same with the endpoints that `services` have in `world`."""
        snapshot = reassigned(self.snapshot, self.sources, services, world, parts)
        return self if snapshot is self.snapshot else replace(self, snapshot=snapshot)


def generate(view: ProxyView, parts: Parts) -> Generated:
    """The configuration of a proxy. `parts` are of its mesh.

    What cannot be made is left out and told; it never keeps the rest from being made.
    """
    draft = Draft(parts)
    matched = Matched(
        proxy_of(view.dataplane), view.world.policies, parts, with_shadow=view.with_shadow
    )
    admin(view, draft)
    older_tracing(view, draft)
    inbounds(view, matched, draft)
    passthrough(view, draft)
    targets = targets_of(view, parts)
    outbounds(view, targets, matched, draft)
    direct_access(view, targets, draft)
    dns(view, targets, draft)
    probes(view, draft)
    for effect in EFFECTS:
        if effect.whole_proxy is not None:
            effect.whole_proxy(view, matched, draft)
    secrets(view, draft)
    for warning in dict.fromkeys(matched.warnings):
        draft.complain("policies", warning)
    return Generated(
        draft.snapshot(), tuple(draft.complaints), draft.assigned.sources, frozenset(draft.services)
    )
