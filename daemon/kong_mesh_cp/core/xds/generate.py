"""The configuration of one proxy."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field, replace

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.discovery.snapshots import Snapshot
from kong_mesh_cp.core.policy.rules.mesh_resources import proxy_of
from kong_mesh_cp.core.xds.assignments import EndpointSource, EndpointWorld, reassigned
from kong_mesh_cp.core.xds.draft import WRONG_INPUT, Complaint, Draft
from kong_mesh_cp.core.xds.generators.admin import admin
from kong_mesh_cp.core.xds.generators.direct_access import direct_access
from kong_mesh_cp.core.xds.generators.dns import dns
from kong_mesh_cp.core.xds.generators.gateway.builtin_gateway import builtin_gateway
from kong_mesh_cp.core.xds.generators.inbound import inbounds
from kong_mesh_cp.core.xds.generators.mesh_scraping import mesh_scraping
from kong_mesh_cp.core.xds.generators.older_tracing import older_tracing
from kong_mesh_cp.core.xds.generators.outbound import outbounds
from kong_mesh_cp.core.xds.generators.passthrough import passthrough
from kong_mesh_cp.core.xds.generators.probes import probes
from kong_mesh_cp.core.xds.generators.proxy_secrets import secrets
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.names import ENDPOINT, Origin
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.policies.effect_catalogue import EFFECTS
from kong_mesh_cp.core.xds.policies.older_templates import (
    bring_resources,
    change_all,
    has_profile,
    template_of,
)
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.services.backends import ServiceKey
from kong_mesh_cp.core.xds.targets import targets_of
from kong_mesh_cp.core.xds.world import EndpointKey


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
        self, services: Collection[EndpointKey], world: EndpointWorld, parts: Parts
    ) -> Generated:
        """The same with the endpoints that `services` have in `world`."""
        snapshot = reassigned(self.snapshot, self.sources, services, world, parts)
        return self if snapshot is self.snapshot else replace(self, snapshot=snapshot)


def generate(view: ProxyView, parts: Parts) -> Generated:
    """The configuration of a proxy. `parts` are of its mesh.

    What cannot be made is left out and told; it never keeps the rest from being made.
    """
    draft = Draft(parts)
    dataplane = view.dataplane
    # Held with what was made of it: the key only says which object it was.
    proxy, _ = parts.made(("proxy", id(dataplane)), lambda: (proxy_of(dataplane), dataplane))
    matched = Matched(proxy, view.world.policies, parts, with_shadow=view.with_shadow)
    template = template_of(view, parts)
    if has_profile(template, draft):
        _make_profile(view, matched, draft)
    if template is not None:
        bring_resources(template, draft)
        change_all(template, draft)
    for warning in dict.fromkeys(matched.warnings):
        draft.complain("policies", warning)
    by_hand = draft.made(ENDPOINT)
    sources = draft.assigned.sources
    if by_hand:
        sources = {name: each for name, each in sources.items() if name not in by_hand}
    return Generated(draft.snapshot(), tuple(draft.complaints), sources, frozenset(draft.services))


def _make_profile(view: ProxyView, matched: Matched, draft: Draft) -> None:
    draft.origin = Origin.ADMIN
    admin(view.metadata, view.networking.address, view.admin_tls, draft)
    if view.dataplane.spec.is_builtin_gateway:
        _make_gateway(view, matched, draft)
    else:
        _make_sidecar(view, matched, draft)
    for effect in EFFECTS:
        if effect.whole_proxy is None:
            continue
        draft.origin = effect.origin
        try:
            effect.whole_proxy(view, matched, draft)
        except WRONG_INPUT as error:
            draft.complain(effect.policy_type, error)
    draft.origin = Origin.SECRETS
    secrets(view.world.name, view.identity, draft.trusted, draft)


def _make_gateway(view: ProxyView, matched: Matched, draft: Draft) -> None:
    """What a builtin gateway has: no application is beside it."""
    draft.origin = Origin.PROMETHEUS
    mesh_scraping(view, draft)
    draft.origin = Origin.TRACING
    older_tracing(view, draft)
    draft.origin = Origin.TRANSPARENT
    passthrough(view, draft)
    targets = targets_of(view, draft.parts)
    draft.origin = Origin.DNS
    dns(view, targets, draft)
    if targets:
        draft.origin = Origin.OUTBOUND
        outbounds(view, targets, matched, draft)
    draft.origin = Origin.GATEWAY
    builtin_gateway(view, matched, draft)


def _make_sidecar(view: ProxyView, matched: Matched, draft: Draft) -> None:
    """What a proxy beside an application has."""
    draft.origin = Origin.INBOUND
    inbounds(view, matched, draft)
    draft.origin = Origin.TRANSPARENT
    passthrough(view, draft)
    targets = targets_of(view, draft.parts)
    draft.origin = Origin.OUTBOUND
    outbounds(view, targets, matched, draft)
    draft.origin = Origin.DIRECT_ACCESS
    direct_access(view, targets, draft)
    draft.origin = Origin.TRACING
    older_tracing(view, draft)
    draft.origin = Origin.DNS
    dns(view, targets, draft)
    draft.origin = Origin.PROBE
    probes(view, draft)
    draft.origin = Origin.PROMETHEUS
    mesh_scraping(view, draft)
