"""The configuration of one proxy."""

from __future__ import annotations

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.discovery.snapshots import Snapshot
from kong_mesh_cp.core.policy.rules.mesh_resources import proxy_of
from kong_mesh_cp.core.xds.draft import Complaint, Draft
from kong_mesh_cp.core.xds.generators.admin import admin
from kong_mesh_cp.core.xds.generators.inbound import inbounds
from kong_mesh_cp.core.xds.generators.outbound import outbounds
from kong_mesh_cp.core.xds.generators.probes import probes
from kong_mesh_cp.core.xds.generators.secrets import secrets
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.proxy_view import ProxyView, outbounds_of


@dataclass(frozen=True, slots=True)
class Generated:
    """What one proxy is told, and what it could not be told."""

    snapshot: Snapshot
    complaints: tuple[Complaint, ...] = ()


def generate(view: ProxyView, parts: Parts) -> Generated:
    """The configuration of a proxy. `parts` are of its mesh.

    What cannot be made is left out and told; it never keeps the rest from being made.
    """
    draft = Draft(parts)
    matched = Matched(proxy_of(view.dataplane), view.world.policies, parts)
    admin(view, draft)
    inbounds(view, matched, draft)
    outbounds(view, outbounds_of(view), matched, draft)
    probes(view, draft)
    secrets(view, draft)
    for warning in dict.fromkeys(matched.warnings):
        draft.complain("policies", warning)
    return Generated(draft.snapshot(), tuple(draft.complaints))
