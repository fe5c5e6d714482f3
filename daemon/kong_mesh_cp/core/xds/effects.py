"""What a policy may change of the parts of a proxy, as its twin in `policies/` does it.

A hook gets a part while it is made, after the policies that come before (`policies.catalogue`),
and the confs that hold there. It is called whether there are any or not: some policies have
defaults. It looks at nothing beside its arguments: equal confs and equal parts before make equal
parts after, which is what `Parts` rests on.

What is not a part of one inbound or outbound (listeners of a policy's own, clusters that it needs,
the passthrough) is done by `whole_proxy`, once all parts are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.policy import Conf
from kong_mesh_cp.core.policy.typed_confs import DestinationConfs, InboundConfs
from kong_mesh_cp.core.resources.kinds.mesh import MtlsMode
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.listeners import ListenerDraft
from kong_mesh_cp.core.xds.envoy.tags_header import told_tags
from kong_mesh_cp.core.xds.facts.log_collectors import log_collectors
from kong_mesh_cp.core.xds.facts.proxy_facts import ProxyFacts, proxy_facts
from kong_mesh_cp.core.xds.gateways.gateway_draft import GatewayDraft
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.world import TagPairs


def own_tags(view: ProxyView) -> str:
    """As its requests tell them."""
    return told_tags(view.dataplane.spec.tag_sets)


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundFacts:
    """One inbound of a proxy, as hooks see it."""

    mesh: str
    address: str
    port: int
    service: str
    protocol: str
    tags: TagPairs
    mtls: bool = False
    older_permissions: bool = False  # some TrafficPermission is about the proxy
    older_faults: bool = False  # some FaultInjection is about the inbound
    older_rate_limit: bool = False  # some RateLimit is about the inbound
    proxy: ProxyFacts | None = None  # where an effect asks for it


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundFacts:
    """One destination of a proxy, as hooks see it."""

    mesh: str
    service: str  # the service tag, or the name of the destination of a resource
    protocol: str
    resource: str = ""  # what a service that is a resource is called itself
    is_resource: bool = False  # a MeshService and the like, which has defaults of its own
    is_external: bool = False
    is_called: bool = True  # an outbound is for it; else some route alone leads there
    tags: str = ""  # of the proxy itself, as requests tell them; where an effect asks for them
    proxy: ProxyFacts | None = None  # where an effect asks for it


class DefaultsOf(NamedTuple):
    """A place, and what policies of a type say there, for who asks what else holds."""

    is_inbound: bool
    protocol: str
    is_resource: bool  # a destination that is one
    conf: Conf | None  # None: they say nothing
    is_external: bool = False  # a destination outside of the mesh
    mode: MtlsMode | None = None  # of the mesh; None: it has no mTLS


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The hooks of one policy type; None: it changes nothing there."""

    policy_type: str
    names_proxy: bool = False  # where it is selected, it asks for `ProxyFacts`
    asks_for_tags: bool = False  # where it is selected, it asks for `OutboundFacts.tags`
    names_service: bool = False  # likewise, but the service is enough
    inbound_listener: Callable[[ListenerDraft, InboundFacts, InboundConfs], None] | None = None
    inbound_cluster: Callable[[ClusterDraft, InboundFacts, InboundConfs], None] | None = None
    outbound_listener: Callable[[ListenerDraft, OutboundFacts, DestinationConfs], None] | None = (
        None
    )
    outbound_cluster: Callable[[ClusterDraft, OutboundFacts, DestinationConfs], None] | None = None
    # All of a builtin gateway at once. What it looks at beside policies is in the key of
    # `gateways.builtin_gateway`.
    gateway: Callable[[GatewayDraft, ProxyView, Matched], None] | None = None
    whole_proxy: Callable[[ProxyView, Matched, Draft], None] | None = None
    origin: str = ""  # of what `whole_proxy` adds: a `names.Origin`
    # What holds where no policy says anything, by member, as a policy would say it: a policy that
    # says just this changes nothing. For people who ask; nothing is generated from it.
    defaults: Callable[[DefaultsOf], Mapping[str, object]] | None = None


def named_by(effects: Iterable[Effect], view: ProxyView, matched: Matched) -> ProxyFacts | None:
    """What `effects` ask for together, of which each has a policy about what is made."""
    found = tuple(effects)
    if any(each.names_proxy for each in found):
        return proxy_facts(view, log_collectors(view, matched))
    if any(each.names_service for each in found):
        return ProxyFacts(service=view.dataplane.spec.service)
    return None
